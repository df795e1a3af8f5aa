/**
 * Drives the epochs of one attempt: sends barriers into the readers, collects the reports of every task, checks the
 * ledger (L4), and commits the sinks. A pure book (`EpochBook`) keeps what has been reported; the fiber moves it on.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import { QueryError, SinkError } from "../model/Errors.ts"
import { addBalances, imbalances, type Ledger, type OperatorBalance } from "../model/Ledger.ts"
import type { Prepared } from "../model/Sink.ts"
import type { Edge } from "./Edge.ts"
import type { Report } from "./Task.ts"
import type { SinkStage } from "./Topology.ts"

/** The coordinator's one mailbox. */
export type CoordinatorEvent =
  | { readonly tag: "report"; readonly report: Report }
  | { readonly tag: "ended"; readonly stage: SinkStage }
  | { readonly tag: "due" }
  | { readonly tag: "drain" }
  | { readonly tag: "partition"; readonly join: Effect.Effect<void> }

/** How an attempt ended well. */
export type Ended = "exhausted" | "drained"

/** Whom the coordinator drives and hears, and whom it tells. */
export interface CoordinatorOptions {
  readonly query: string
  readonly mailbox: Queue.Queue<CoordinatorEvent>
  /** Control edges of the readers; grows when partitions appear. */
  readonly readers: ReadonlyArray<Edge>
  /** Tasks whose reports make an epoch complete; grows likewise. */
  readonly tasks: ReadonlySet<string>
  readonly sinks: ReadonlyArray<SinkStage>
  /** Something happened since the last epoch. */
  readonly takeActivity: () => boolean
  readonly onEpoch: (ledger: Ledger) => void
  readonly firstEpoch: number
}

/** Adds up what the tasks of one epoch reported. */
export const ledgerOf = (epoch: number, reports: Iterable<Report>): Ledger => {
  const operators = new Map<string, OperatorBalance>()
  const edges: Array<Ledger["edges"][number]> = []
  const sinks: Array<Ledger["sinks"][number]> = []
  for (const report of reports) {
    for (const balance of report.operators) {
      const key = `${balance.operator}\u0000${balance.partition ?? ""}`
      const known = operators.get(key)
      operators.set(key, known === undefined ? balance : addBalances(known, balance))
    }
    edges.push(...report.edges)
    if (report.sink !== undefined) sinks.push(report.sink)
  }
  return { epoch, operators: [...operators.values()], edges, sinks }
}

/** Runs epochs until the input is exhausted or a drain is done. */
export const coordinate = (o: CoordinatorOptions): Effect.Effect<Ended, unknown> =>
  Effect.gen(function* () {
    const ended = new Set<SinkStage>()
    let epoch = o.firstEpoch
    let draining = false
    const waiting: Array<Effect.Effect<void>> = []

    const note = (event: CoordinatorEvent): void => {
      if (event.tag === "ended") ended.add(event.stage)
      else if (event.tag === "drain") draining = true
      else if (event.tag === "partition") waiting.push(event.join)
    }
    const runEpoch = Effect.gen(function* () {
      o.takeActivity()
      for (const reader of o.readers) yield* reader.offer({ tag: "barrier", epoch })
      const reports = new Map<string, Report>()
      while (reports.size < o.tasks.size) {
        const event = yield* Queue.take(o.mailbox)
        if (event.tag === "report") reports.set(event.report.task, event.report)
        else note(event)
      }
      const ledger = ledgerOf(epoch, reports.values())
      yield* checkLedger(o.query, ledger)
      yield* commitAll(o.query, o.sinks, reports.values())
      o.onEpoch(ledger)
      epoch++
    })

    for (;;) {
      if (ended.size === o.sinks.length) {
        yield* runEpoch
        return "exhausted"
      }
      if (draining) {
        for (const reader of o.readers) yield* reader.offer({ tag: "drain" })
        yield* runEpoch
        return "drained"
      }
      // New partitions join between epochs, when no barrier is on its way (T12).
      while (waiting.length > 0) yield* waiting.shift() as Effect.Effect<void>
      const event = yield* Queue.take(o.mailbox)
      if (event.tag === "due") {
        if (o.takeActivity()) yield* runEpoch
      } else note(event)
    }
  })

const checkLedger = (query: string, ledger: Ledger): Effect.Effect<void, QueryError> => {
  const found = imbalances(ledger)
  if (found.length === 0) return Effect.void
  const first = found[0]
  return Effect.fail(
    new QueryError({
      reason: "LedgerImbalance",
      query,
      message:
        `ledger of ${query} at epoch ${ledger.epoch}: ${first.where}: ${first.equation} does not hold (${first.left}, ${first.right}). ` +
        "This is a defect in tidemark; stopped before committing",
      cause: found
    })
  )
}

/**
 * Commits what every sink prepared; safe to repeat (C2). An interruption does not tear a commit that has begun, nor wait
 * for one that never ends: it is left behind.
 */
const commitAll = (
  query: string,
  sinks: ReadonlyArray<SinkStage>,
  reports: Iterable<Report>
): Effect.Effect<void, unknown> => {
  const prepared = new Map<string, Prepared>()
  for (const { prepared: mine } of reports) if (mine !== undefined) prepared.set(mine.writer, mine)
  const commit = (stage: SinkStage): Effect.Effect<void, unknown> => {
    const mine = prepared.get(stage.name)
    return mine === undefined ? Effect.fail(unprepared(query, stage)) : stage.sink.commit(mine)
  }
  const all = Effect.forEach(sinks, commit, { discard: true })
  return Effect.flatMap(Effect.forkDetach(all), Fiber.join)
}

const unprepared = (query: string, stage: SinkStage): SinkError =>
  new SinkError({
    connector: stage.sink.name,
    retryable: false,
    message: `prepared nothing in the name of writer ${stage.name} of ${query}, so it could not be committed: mend the connector`
  })
