/** What becomes of late rows: the choice that windows and dedupe require (rules T4, A3). */
import type { AnySink, Sink } from "../model/Sink.ts"
import type { ColumnsOf, RowOf, SinkErrorOf, SinkServicesOf } from "./SinkTypes.ts"

/** Marks a late output. */
export const LateTypeId: unique symbol = Symbol.for("tidemark/Late")

/** A late output: rows `A` go to its sink, whose schema, when it has one, knows the columns `C`. */
export interface LateTo<in A, out E = never, out R = never, in C extends PropertyKey = PropertyKey> {
  readonly [LateTypeId]: {
    readonly row: (row: A) => void
    readonly columns: (column: C) => void
    readonly error: () => E
    readonly services: () => R
  }
  /** For the engine. */
  readonly sink: AnySink
}

const mark = Object.freeze({})

/** Writes late rows, as they entered the operator, to a sink. Its errors and requirements join the pipeline's. */
export const to = <Sk extends Sink<never, "append", unknown, unknown>>(
  sink: Sk
): LateTo<RowOf<Sk>, SinkErrorOf<Sk>, SinkServicesOf<Sk>, ColumnsOf<Sk>> =>
  Object.freeze({ [LateTypeId]: mark, sink }) as never
