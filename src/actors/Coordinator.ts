/**
 * Drives the epochs of one attempt: when the next one is due, which partitions join, when the attempt has ended. What an
 * epoch consists of is in `Epoch.ts`.
 */
import * as Effect from "effect/Effect"
import type { Edge } from "./Edge.ts"
import { EpochBudget } from "./EpochBudget.ts"
import { Epochs, type EpochsOptions } from "./Epoch.ts"
import type { CoordinatorEvent, Mailbox } from "./Mailbox.ts"
import { monotonicMs } from "../model/monotonic.ts"
import type { Report } from "./Task.ts"
import type { SinkStage } from "./Topology.ts"

/** How an attempt ended well. */
export type Ended = "exhausted" | "drained"

/** Whom the coordinator drives and hears. */
export interface CoordinatorOptions extends EpochsOptions {
  readonly mailbox: Mailbox
  /** Control edges of the readers; grows when partitions appear. */
  readonly readers: ReadonlyArray<Edge>
  /** Tasks whose reports make an epoch complete; grows likewise. */
  readonly tasks: ReadonlySet<string>
  /** Something happened since the last epoch. */
  readonly takeActivity: () => boolean
  /** Rows that an epoch may read; Infinity for no bound. */
  readonly epochRowsMax: number
  /** Told what the readers may read from now on. */
  readonly onBudget: (budget: EpochBudget) => void
  /** Everything in one epoch: none before the last. */
  readonly onlyOneEpoch: boolean
}

/** The budget of an epoch, which asks for the next one when it is spent. */
export const budgetOf = (rowsMax: number, mailbox: Mailbox): EpochBudget =>
  new EpochBudget(rowsMax, () => mailbox.offer({ tag: "spent" }))

/** Runs epochs until the input is exhausted or a drain is done. */
export const coordinate = (o: CoordinatorOptions): Effect.Effect<Ended, unknown> =>
  Effect.gen(function* () {
    const epochs = new Epochs(o)
    const ended = new Set<SinkStage>()
    let completed = 0
    let draining = false
    let spent = false
    const waiting: Array<Effect.Effect<void>> = []

    const note = (event: CoordinatorEvent): void => {
      if (event.tag === "ended") ended.add(event.stage)
      else if (event.tag === "completed") completed++
      else if (event.tag === "spent") spent = true
      else if (event.tag === "drain") draining = true
      else if (event.tag === "partition") waiting.push(event.join)
    }
    /** Sends a barrier through everything, and hears what each task has to say to it. */
    const align = Effect.gen(function* () {
      o.takeActivity()
      const budget = budgetOf(o.epochRowsMax, o.mailbox)
      spent = false
      o.onBudget(budget)
      for (const reader of o.readers) yield* reader.offer({ tag: "barrier", epoch: epochs.next, budget })
      const reports = new Map<string, Report>()
      while (reports.size < o.tasks.size) {
        const event = yield* o.mailbox.take
        if (event.tag === "report") reports.set(event.report.task, event.report)
        else note(event)
      }
      return [...reports.values()]
    })

    for (;;) {
      if (ended.size === o.sinks.length) {
        yield* epochs.runLast(align, "exhausted")
        return "exhausted"
      }
      if (draining || completed === o.readers.length) {
        o.state.phase = "draining"
        for (const reader of o.readers) yield* reader.offer({ tag: "drain" })
        yield* epochs.runLast(align, "drained")
        return "drained"
      }
      // New partitions join between epochs, when no barrier is on its way (T12).
      while (waiting.length > 0) yield* waiting.shift() as Effect.Effect<void>
      // A checkpoint that was given up is tried again when its time has come, whatever else asks for an epoch (C9).
      const isWaiting = o.state.givenUp > 0 && (yield* monotonicMs) < epochs.notBeforeMs
      if (spent && !isWaiting) {
        yield* epochs.run(align)
        continue
      }
      const event = yield* o.mailbox.take
      if (event.tag === "look" || event.tag === "due") {
        if (epochs.notBeforeMs > (yield* monotonicMs)) continue
        const isDue = event.tag === "due" && !o.onlyOneEpoch
        if (o.state.givenUp > 0 || (isDue && o.takeActivity())) yield* epochs.run(align)
      } else note(event)
    }
  })
