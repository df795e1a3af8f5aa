/** `EventStream.dedupe`: one row of each id (rule A3). Builds the plan node. */
import type * as Duration from "effect/Duration"
import type { OptionProblem } from "../model/Errors.ts"
import type { LateTo } from "./Late.ts"
import { latePolicy } from "./LateChoice.ts"
import { rowValue } from "./Arguments.ts"
import { durationMs } from "../model/Options.ts"
import type { DedupeNode } from "./Plan.ts"
import { checkNeeds } from "./PlanFacts.ts"
import type { Holds, Id, Refused, Stage, TimedRows } from "./Stage.ts"
import type { Within } from "./SinkTypes.ts"
import { type EventStream, streamOf } from "./StreamValue.ts"

/** Required: a late row can not be compared with what was forgotten, so someone must say what becomes of it. */
export interface DedupeOptions<in L, out E2, out R2, in C extends PropertyKey> {
  /** "forward" lets late rows through unchecked, "drop" drops and counts them, `Late.to(sink)` writes them. */
  readonly late: "forward" | "drop" | LateTo<L, E2, R2, C>
  /** How far behind the watermark a row may be (default 0); at most that of every window after it. */
  readonly allowedLateness?: Duration.Input
  /**
   * Without it a copy has the same id **and** event time, and which copy is kept does not matter. With it, the id
   * alone counts, for copies at most this far apart in event time; which one is kept is not promised.
   */
  readonly within?: Duration.Input
}

/**
 * Keeps one row of each id: a field, or a function, that gives a string, number or bigint.
 *
 * What a connector knows of a row (its offset, its time of arrival) differs between copies: where it was added before,
 * it is not promised which copy's is kept.
 */
export const dedupe: {
  <
    A,
    const F extends (keyof A & string) | ((row: A) => Id),
    L = unknown,
    E2 = never,
    R2 = never,
    C extends PropertyKey = PropertyKey
  >(
    id: F,
    options: DedupeOptions<L, E2, R2, C>
  ): <E, R, S extends TimedRows>(
    self: EventStream<A & NoInfer<L> & Holds<F, Id>, E, R, S> & Within<A, C>
  ) => EventStream<A, E | E2, R | R2, S>
  (
    id: unknown
  ): Refused<'say what becomes of late rows: EventStream.dedupe(id, { late: "forward" }), { late: "drop" } or { late: Late.to(sink) }'>
} = ((id: unknown, options?: DedupeOptions<never, unknown, unknown, never>) =>
  (self: EventStream<unknown, unknown, unknown, Stage>) => {
    const problems: Array<OptionProblem> = []
    checkNeeds("dedupe", self.plan, { timed: true, final: true }, problems)
    const { late, allowedLateness = 0, within } = options ?? {}
    const node: DedupeNode = {
      kind: "dedupe",
      input: self.plan,
      id: rowValue("dedupe.id", id, problems),
      late: late === "forward" ? { kind: "forward" } : latePolicy("dedupe", self.plan, late, problems),
      allowedLatenessMs: durationMs("dedupe.allowedLateness", allowedLateness, problems, { min: 0 }),
      ...(within === undefined ? {} : { horizonMs: durationMs("dedupe.within", within, problems, { min: 1 }) }),
      problems
    }
    return streamOf(node)
  }) as never
