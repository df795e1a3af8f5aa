/** What becomes of late rows: the choice that windows and dedupe require (rules T4, A3). */
import type { Sink } from "../model/Sink.ts"
import type { LatePolicy } from "./Plan.ts"

/** Marks a late output. */
export const LateTypeId: unique symbol = Symbol.for("tidemark/Late")

/** A late output: rows `A` go to its sink. */
export interface LateTo<in A, out E = never, out R = never> {
  readonly [LateTypeId]: {
    readonly row: (row: A) => void
    readonly error: () => E
    readonly services: () => R
  }
  readonly policy: LatePolicy
}

const mark = Object.freeze({})

/** Writes late rows, as they entered the operator, to a sink. Its errors and requirements join the pipeline's. */
export const to = <A, E, R>(sink: Sink<A, "append", E, R>): LateTo<A, E, R> =>
  Object.freeze({ [LateTypeId]: mark, policy: Object.freeze({ kind: "to", sink }) }) as unknown as LateTo<A, E, R>
