/** `EventStream.process`: a user's own code by key, with state and timers (rule A7). Builds the plan node. */
import type * as Duration from "effect/Duration"
import { hasProperty } from "effect/Predicate"
import type * as Schema from "effect/Schema"
import type { OptionProblem } from "../model/Errors.ts"
import { durationMs, functionOf, integer, optionsOf, show } from "../model/Options.ts"
import type { LateTo } from "./Late.ts"
import { latePolicy } from "./LateChoice.ts"
import type { KeyByNode, PlanNode, ProcessNode, ProcessSpec } from "./Plan.ts"
import { checkNeeds, factsOf } from "./PlanFacts.ts"
import type { ProcessContext, Timer } from "./ProcessContext.ts"
import type { Within } from "./SinkTypes.ts"
import type { KeyedRowsIn, Refused, Stage, Timed, TimeAnswers, Untimed } from "./Stage.ts"
import { loadStateCodec } from "./StateCodec.ts"
import { type EventStream, streamOf } from "./StreamValue.ts"

/** What becomes of late rows in {@link process}. */
export type ProcessLate = "drop" | "process" | LateTo<never, unknown, unknown, never>

/** What to do with the rows of a key. `F` and `G`: what the functions return, a list of rows or nothing. */
export interface ProcessOptions<
  in A,
  in out K,
  in out S,
  in Time extends TimeAnswers,
  out F,
  out G,
  out Ttl extends Duration.Input | "never" | undefined,
  out Choice extends ProcessLate | undefined
> {
  /** The state of one key, as checkpoints hold it. */
  readonly state: Schema.Codec<S, unknown>
  /** The version of `state`, a whole number; default 1. Raise it when the Schema or its meaning changes. */
  readonly version?: number
  /** How states of older versions become states of this one, by version. They are given as the JSON that was stored. */
  readonly migrate?: { readonly [version: number]: (old: unknown) => NoInfer<S> }
  /**
   * Required. How long a state lives after it was last set, in event time; in processing time on a stream without. A
   * row, or a timer, later than that sees none. "never" for keys whose number is bounded, and for states that timers
   * clear.
   */
  readonly ttl?: Ttl
  /**
   * Required on a stream with event time. Rows behind their partition's watermark: "drop" drops and counts them,
   * `Late.to(sink)` writes them, "process" hands them to `onRow` like others; what it makes of them has their event time,
   * and may be late further on.
   */
  readonly late?: Choice
  /** Called with each row. Plain code; the rows that it returns go on, with the event time of the row. */
  readonly onRow: (row: A, context: ProcessContext<K, NoInfer<S>, Time>) => F
  /** Called with each timer that is due; the rows that it returns have the time of the timer. */
  readonly onTimer?: (timer: Timer, context: ProcessContext<K, NoInfer<S>, Time>) => G
}

type IsTimed<Time extends TimeAnswers> = [Time["timed"]] extends ["yes"] ? true : false
type GivesRows<F> = unknown extends F ? true : [F] extends [(Iterable<unknown> & object) | void] ? true : false

/** The first thing that options lack, as a sentence of the compiler. Options that are wrong in themselves lack nothing. */
type Checked<Time extends TimeAnswers, F, G, Ttl, Choice> = [TimeAnswers] extends [Time]
  ? Refused<"write EventStream.process({ ... }) where it is piped to: its functions get the rows and the key of that stream">
  : [Ttl] extends [undefined]
    ? Refused<'say how state ends: EventStream.process({ ttl: "1 hour" }), counted from when it was last set, or { ttl: "never" } for keys whose number is bounded'>
    : [IsTimed<Time>, Choice] extends [true, undefined]
      ? Refused<'say what becomes of late rows: EventStream.process({ late: "drop" }), { late: "process" } or { late: Late.to(sink) }'>
      : [IsTimed<Time>, Choice] extends [false, ProcessLate]
        ? Refused<"no event time, so no late rows: leave late out, or call EventStream.withEventTime first">
        : [GivesRows<F>, GivesRows<G>] extends [true, true]
          ? unknown
          : Refused<"onRow and onTimer return a list of rows, such as [row], or nothing">

type RowIn<F> = F extends Iterable<infer O> ? O : never
type LateRow<Choice> = Choice extends LateTo<infer L, unknown, unknown, never> ? L : unknown
type LateError<Choice> = Choice extends LateTo<never, infer E, unknown, never> ? E : never
type LateServices<Choice> = Choice extends LateTo<never, unknown, infer R, never> ? R : never
type LateColumns<Choice> = Choice extends LateTo<never, unknown, unknown, infer C> ? C : PropertyKey

/**
 * Runs your own code on the rows of each key, in the order they come, with a state of the key and timers: what no
 * window and no aggregate says. It gives final rows of any columns; the key's are not added.
 *
 * ```ts
 * EventStream.keyBy("user"),
 * EventStream.process({
 *   state: Schema.Struct({ clicks: Schema.Number }),
 *   ttl: "1 hour",
 *   late: "drop",
 *   onRow: (row, { key, state, time, onEventTime }) => {
 *     const clicks = (state.get()?.clicks ?? 0) + 1
 *     state.set({ clicks })
 *     onEventTime(time + 600_000) // again: ten quiet minutes
 *     return clicks === 3 ? [{ user: key.user, says: "third click" }] : []
 *   },
 *   onTimer: (timer, { key, state }) => [{ user: key.user, says: `left after ${state.get()?.clicks}` }]
 * })
 * ```
 *
 * **The one operator whose results may depend on timing.** Fed by one partition, what it does with a key is a function
 * of that partition: event timers and expiry fall between the same rows in every run. Fed by several, it sees their rows
 * interleaved as they come, and so it does behind another keyed operator. Processing time differs in every run.
 *
 * At the end of the input event timers fire, in order, but not those set meanwhile; processing timers do not (T11).
 * What a function throws stops the query, naming function, key and row. The functions must be plain and synchronous;
 * for effects use `EventStream.mapEffect` before or after.
 */
export const process = <
  A,
  K,
  Time extends TimeAnswers,
  S,
  F,
  G = void,
  const Ttl extends Duration.Input | "never" | undefined = undefined,
  const Choice extends ProcessLate | undefined = undefined
>(
  options: ProcessOptions<A, K, S, Time, F, G, Ttl, Choice>
) => {
  const untyped = options as unknown as UntypedOptions
  return <E, R>(
    self: EventStream<A & NoInfer<LateRow<Choice>>, E, R, KeyedRowsIn<K, Time>> &
      Checked<Time, F, G, Ttl, Choice> &
      Within<A, LateColumns<Choice>>
  ): EventStream<
    RowIn<F> | RowIn<G>,
    E | LateError<Choice>,
    R | LateServices<Choice>,
    IsTimed<Time> extends true ? Timed : Untimed
  > => streamOf(processNode((self as unknown as EventStream<unknown, unknown, unknown, Stage>).plan, untyped))
}

type UntypedOptions = ProcessOptions<
  never,
  unknown,
  unknown,
  TimeAnswers,
  unknown,
  unknown,
  Duration.Input,
  ProcessLate
>

const processNode = (input: PlanNode, options: UntypedOptions): ProcessNode => {
  const problems: Array<OptionProblem> = []
  checkNeeds("process", input, { keyed: true, final: true }, problems)
  const given = optionsOf(options)
  return {
    kind: "process",
    input: input.kind === "keyBy" ? input : keyless(input),
    spec: specOf(given, problems),
    late: lateOf(input, given.late, problems),
    problems
  }
}

/** For an input that is not keyed (a problem already): something that has the right shape. */
const keyless = (input: PlanNode): KeyByNode => ({ kind: "keyBy", input, columns: [], problems: [] })

const lateOf = (input: PlanNode, late: unknown, problems: Array<OptionProblem>): ProcessNode["late"] => {
  if (!factsOf(input).timed) {
    if (late !== undefined) {
      const fix = "is for streams with event time: leave it out, or call EventStream.withEventTime first"
      problems.push({ option: "process.late", value: show(late), fix })
    }
    return { kind: "forward" }
  }
  return late === "process"
    ? { kind: "forward" }
    : latePolicy("process", input, late, problems, '"drop", "process" or ')
}

const specOf = (given: UntypedOptions, problems: Array<OptionProblem>): ProcessSpec => {
  const { state, version = 1, migrate, ttl, onRow, onTimer } = given
  if (!hasProperty(state, "ast"))
    problems.push({ option: "process.state", value: show(state), fix: "must be the Schema of the state of one key" })
  return {
    state,
    version: integer("process.version", version, problems, { min: 0 }),
    migrate: migrationsOf(migrate, version, problems),
    ttlMs: ttlOf(ttl, problems),
    onRow: functionOf("process.onRow", onRow, problems) as ProcessSpec["onRow"],
    ...(onTimer === undefined
      ? {}
      : { onTimer: functionOf("process.onTimer", onTimer, problems) as NonNullable<ProcessSpec["onTimer"]> }),
    load: loadStateCodec
  }
}

const ttlOf = (ttl: unknown, problems: Array<OptionProblem>): ProcessSpec["ttlMs"] => {
  if (ttl === "never") return "never"
  if (ttl !== undefined) return durationMs("process.ttl", ttl as Duration.Input, problems, { min: 0 })
  const fix = 'must say how long a state lives after it was last set (try "1 hour", or "never" if keys are bounded)'
  problems.push({ option: "process.ttl", value: "undefined", fix })
  return "never"
}

const migrationsOf = (
  migrate: unknown,
  version: number,
  problems: Array<OptionProblem>
): ReadonlyMap<number, (old: unknown) => unknown> => {
  const migrations = new Map<number, (old: unknown) => unknown>()
  if (migrate === undefined) return migrations
  if (typeof migrate !== "object" || migrate === null) {
    const fix = "must be functions by version: { 1: (old) => state }"
    problems.push({ option: "process.migrate", value: show(migrate), fix })
    return migrations
  }
  for (const [from, f] of Object.entries(migrate)) {
    const option = `process.migrate.${from}`
    const older = Number(from)
    if (Number.isSafeInteger(older) && older >= 0 && older < version && String(older) === from)
      migrations.set(older, functionOf(option, f as (old: unknown) => unknown, problems))
    else problems.push({ option, value: show(from), fix: `must be a version before ${version}` })
  }
  return migrations
}
