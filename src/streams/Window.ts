/**
 * Window assigners (Dataflow Model; Flink; Spark): tumbling, sliding, session, global. All are [start, end) in event
 * time (rule T1). Values only; the operators are in
 * `state/TimeWindowState.ts`, `state/SessionState.ts` and `state/GlobalState.ts`.
 */
import type * as Duration from "effect/Duration"
import type { OptionProblem } from "../model/Errors.ts"
import { Limits } from "../model/Limits.ts"
import { durationMs } from "../model/Options.ts"

/** A window assigner as data: what a plan holds and fingerprints. */
export type WindowSpec =
  | { readonly kind: "time"; readonly sizeMs: number; readonly slideMs: number; readonly offsetMs: number }
  | { readonly kind: "session"; readonly gapMs: number }
  | { readonly kind: "global" }

/** What `EventStream.window` takes. `Kind` lets the types refuse allowed lateness where it has no meaning. */
export interface Window<out Kind extends WindowSpec["kind"] = WindowSpec["kind"]> {
  readonly kind: Kind
  readonly spec: WindowSpec
  readonly problems: ReadonlyArray<OptionProblem>
}

interface TimeOptions {
  readonly size: Duration.Input
  /** Absent: as long as the size. */
  readonly every?: Duration.Input
  readonly offset: Duration.Input | undefined
}

const time = (option: string, given: TimeOptions): Window<"time"> => {
  const problems: Array<OptionProblem> = []
  const ms = (name: string, value: Duration.Input, min: number): number =>
    durationMs(`${option}.${name}`, value, problems, { min })
  const sizeMs = ms("size", given.size, 1)
  const slideMs = "every" in given ? ms("every", given.every, 1) : sizeMs
  const offsetMs = given.offset === undefined ? 0 : ms("offset", given.offset, 0)
  if (problems.length === 0 && sizeMs / slideMs > Limits.windowsPerRowMax) {
    const value = `${sizeMs} ms every ${slideMs} ms`
    const fix = `puts each row into ${Math.ceil(sizeMs / slideMs)} windows, of at most ${Limits.windowsPerRowMax}: let windows start less often`
    problems.push({ option: `${option}.every`, value, fix })
  }
  return { kind: "time", spec: { kind: "time", sizeMs, slideMs, offsetMs: offsetMs % slideMs }, problems }
}

/** Windows of one size, end to end. `offset` moves their edges from the epoch (default 0). */
export const tumbling = (size: Duration.Input, options?: { readonly offset?: Duration.Input }): Window<"time"> =>
  time("Window.tumbling", { size, offset: options?.offset })

/** Windows of one size that start `every` so often; a row counts in each that covers it, or in none when `every` > size. */
export const sliding = (
  size: Duration.Input,
  options: { readonly every: Duration.Input; readonly offset?: Duration.Input }
): Window<"time"> => time("Window.sliding", { size, every: options?.every, offset: options?.offset })

/** Rows of a key less than `gap` apart belong together; the window is [first, last + gap) (rule T9). */
export const session = (gap: Duration.Input): Window<"session"> => {
  const problems: Array<OptionProblem> = []
  const gapMs = durationMs("Window.session.gap", gap, problems, { min: 1 })
  return { kind: "session", spec: { kind: "session", gapMs }, problems }
}

/** One window for all time; it closes when its input ends (rule T11). */
export const global = (): Window<"global"> => ({ kind: "global", spec: { kind: "global" }, problems: [] })
