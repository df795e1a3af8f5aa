/**
 * `EventStream.window` and `windowAll`: which rows of a key count together, and what becomes of late ones (rules T4 to
 * T6). Call `EventStream.aggregate` next.
 */
import type * as Duration from "effect/Duration"
import type { OptionProblem } from "../model/Errors.ts"
import { keyByNode } from "./KeyBy.ts"
import type { LateTo } from "./Late.ts"
import { latePolicy } from "./LateChoice.ts"
import { durationMs, flag, show } from "../model/Options.ts"
import type { KeyByNode, PlanNode } from "./Plan.ts"
import { checkNeeds } from "./PlanFacts.ts"
import type { Within } from "./SinkTypes.ts"
import type { Final, Refused, Stage, TimedKeyedRows, TimedRows, Updates, Windowed } from "./Stage.ts"
import { type EventStream, windowedOf, type WindowParts } from "./StreamValue.ts"
import type { Window, WindowSpec } from "./Window.ts"

/** Required: what becomes of rows that are late for all their windows. */
export interface WindowOptions<in L, out E2, out R2, in C extends PropertyKey, out D, out Y = boolean> {
  /** "drop" drops and counts them, `Late.to(sink)` writes them. */
  readonly late: "drop" | LateTo<L, E2, R2, C>
  /**
   * How long a closed window still takes rows, each giving a new result for it: the stream is then updating. For
   * tumbling and sliding windows. Default: not at all.
   */
  readonly allowedLateness?: D
  /**
   * Results of windows that are still open, too: at the end of each epoch those that changed in it, and once more when
   * the window closes, if it changed since. The stream is then updating, and the last row of a key and window is what
   * would be appended. For tumbling and sliding windows. Default: not.
   */
  readonly early?: Y
}

type Lateness<Kind extends WindowSpec["kind"]> = Kind extends "time"
  ? unknown
  : Refused<"allowed lateness is for Window.tumbling and Window.sliding: leave it out">

type Undecided =
  Refused<'say what becomes of late rows: EventStream.window(window, { late: "drop" }) or { late: Late.to(sink) }'>

type Earliness<Kind extends WindowSpec["kind"]> = Kind extends "time"
  ? unknown
  : Refused<"early results are for Window.tumbling and Window.sliding: leave them out">

type EmitsFor<D, Y> = [D] extends [never] ? ([Y] extends [false] ? Final : Updates) : Updates

/**
 * Cuts a keyed, timed stream into windows; call `EventStream.aggregate` next. Results carry the key's columns,
 * `window_start` and `window_end`.
 */
export const window: {
  <
    Kind extends WindowSpec["kind"],
    L = unknown,
    E2 = never,
    R2 = never,
    C extends PropertyKey = PropertyKey,
    D extends Duration.Input = never,
    const Y extends boolean = false
  >(
    window: Window<Kind>,
    options: WindowOptions<L, E2, R2, C, D & Lateness<Kind>, Y & Earliness<Kind>>
  ): <A extends L, E, R, K>(
    self: EventStream<A, E, R, TimedKeyedRows<K>> & Within<A, C>
  ) => EventStream<A, E | E2, R | R2, Windowed<K, EmitsFor<D, Y>>>
  (window: Window): Undecided
} = ((window: Window, options?: AnyWindowOptions) => (self: EventStream<unknown, unknown, unknown, Stage>) =>
  windowedOf(windowParts("window", self.plan, window, options))) as never

/** One window over all rows, without a key: results have no key columns. */
export const windowAll: {
  <
    Kind extends WindowSpec["kind"],
    L = unknown,
    E2 = never,
    R2 = never,
    C extends PropertyKey = PropertyKey,
    D extends Duration.Input = never,
    const Y extends boolean = false
  >(
    window: Window<Kind>,
    options: WindowOptions<L, E2, R2, C, D & Lateness<Kind>, Y & Earliness<Kind>>
  ): <A extends L, E, R, S extends TimedRows>(
    self: EventStream<A, E, R, S> & Within<A, C>
  ) => EventStream<A, E | E2, R | R2, Windowed<{}, EmitsFor<D, Y>>>
  (window: Window): Undecided
} = ((window: Window, options?: AnyWindowOptions) => (self: EventStream<unknown, unknown, unknown, Stage>) =>
  windowedOf(windowParts("windowAll", keyByNode("windowAll", self.plan, []), window, options))) as never

type AnyWindowOptions = WindowOptions<never, unknown, unknown, never, Duration.Input>

const windowParts = (
  operator: "window" | "windowAll",
  input: PlanNode,
  window: Window | undefined,
  options: AnyWindowOptions | undefined
): WindowParts => {
  const problems: Array<OptionProblem> = []
  checkNeeds(operator, input, { keyed: true, timed: true, final: true }, problems)
  const spec: WindowSpec = isWindow(window) ? window.spec : { kind: "global" }
  if (isWindow(window)) problems.push(...window.problems)
  else
    problems.push({ option: operator, value: show(window), fix: 'must be a window (try Window.tumbling("1 minute"))' })
  const { late, allowedLateness } = options ?? {}
  let allowedLatenessMs = 0
  if (allowedLateness !== undefined) {
    allowedLatenessMs = durationMs(`${operator}.allowedLateness`, allowedLateness, problems, { min: 0 })
    if (spec.kind !== "time") {
      const fix = "is for Window.tumbling and Window.sliding: leave it out"
      problems.push({ option: `${operator}.allowedLateness`, value: show(allowedLateness), fix })
    }
  }
  const early = options?.early === undefined ? false : flag(`${operator}.early`, options.early, problems)
  if (early && spec.kind !== "time") {
    const fix = "is for Window.tumbling and Window.sliding: leave it out"
    problems.push({ option: `${operator}.early`, value: "true", fix })
  }
  checkDedupes(operator, input, allowedLatenessMs, problems)
  const policy = latePolicy(operator, input, late, problems)
  return {
    input: input.kind === "keyBy" ? input : standIn(input),
    window: spec,
    late: policy,
    allowedLatenessMs,
    early,
    problems
  }
}

/** For an input that is not keyed (a problem already): something that has the right shape. */
const standIn = (input: PlanNode): KeyByNode => ({ kind: "keyBy", input, columns: [], problems: [] })

const isWindow = (window: unknown): window is Window =>
  typeof window === "object" && window !== null && "spec" in window && "problems" in window

/** A3: the allowed lateness of a dedupe is at most that of every window after it. */
const checkDedupes = (
  operator: string,
  input: PlanNode,
  allowedLatenessMs: number,
  problems: Array<OptionProblem>
): void => {
  const seen = new Set<PlanNode>()
  const todo: Array<PlanNode> = [input]
  for (let node = todo.pop(); node !== undefined; node = todo.pop()) {
    if (seen.has(node)) continue
    seen.add(node)
    if (node.kind === "dedupe" && node.allowedLatenessMs > allowedLatenessMs) {
      problems.push({
        option: `${operator}.allowedLateness`,
        value: `${allowedLatenessMs} ms`,
        fix: `is less than the ${node.allowedLatenessMs} ms of the dedupe before it: make it at least as long, or the dedupe's shorter`
      })
    }
    if (node.kind === "union") todo.push(...node.inputs)
    else if (node.kind !== "source" && node.kind !== "window" && node.kind !== "running" && node.kind !== "process")
      todo.push(node.input)
  }
}
