/**
 * The value that the language passes along: a stream, which may be cut into windows. Immutable; it holds a plan node
 * and runs nothing. `EventStream.ts` is the module users see.
 */
import * as Pipeable from "effect/Pipeable"
import type { OptionProblem } from "../model/Errors.ts"
import type { KeyByNode, LatePolicy, PlanNode } from "./Plan.ts"
import { factsOf } from "./PlanFacts.ts"
import type { Stage, Untimed } from "./Stage.ts"
import type { WindowSpec } from "./Window.ts"

/** Marks streams. */
export const EventStreamTypeId: unique symbol = Symbol.for("tidemark/EventStream")
/**
 * A stream of rows `A` that may fail with `E` and needs services `R`, at stage `S`. A description: the same value may
 * be used by several pipelines, and is then read once (one plan node).
 */
export interface EventStream<out A, out E = never, out R = never, out S extends Stage = Untimed>
  extends Pipeable.Pipeable {
  readonly [EventStreamTypeId]: {
    readonly row: () => A
    readonly error: () => E
    readonly services: () => R
    readonly stage: S
  }
  /** The last node of its logical plan. For the engine; its shape may change between releases. */
  readonly plan: PlanNode
}

/** Everything of a window node but its aggregates. */
export interface WindowParts {
  readonly input: KeyByNode
  readonly window: WindowSpec
  readonly late: LatePolicy
  readonly allowedLatenessMs: number
  readonly early: boolean
  readonly problems: ReadonlyArray<OptionProblem>
}

// The marks carry types only; at run time they say what a value is.
const mark = Object.freeze({})

/** A stream whose last node is `plan`. The caller states the types. */
export const streamOf = <A, E, R, S extends Stage>(plan: PlanNode): EventStream<A, E, R, S> => {
  // Looked at now, while its inputs are known already: a long chain is never walked by recursion.
  factsOf(Object.freeze(plan))
  const stream = Object.assign(Object.create(Pipeable.Prototype) as object, { [EventStreamTypeId]: mark, plan })
  return Object.freeze(stream) as unknown as EventStream<A, E, R, S>
}

// A windowed stream has no node yet: its aggregates are still to come.
const windows = new WeakMap<object, WindowParts>()

/** A windowed stream of these parts. The caller states the types. */
export const windowedOf = <A, E, R, S extends Stage>(parts: WindowParts): EventStream<A, E, R, S> => {
  const stream = streamOf<A, E, R, S>(parts.input)
  windows.set(stream, Object.freeze(parts))
  return stream
}

/** The parts of a windowed stream; undefined for any other. */
export const windowPartsOf = (stream: EventStream<unknown, unknown, unknown, Stage>): WindowParts | undefined =>
  windows.get(stream)

/** Whether a value is a stream. */
export const isEventStream = (u: unknown): u is EventStream<unknown, unknown, unknown, Stage> =>
  typeof u === "object" && u !== null && EventStreamTypeId in u
