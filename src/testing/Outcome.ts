/** What came of one history, for laws to judge; and what the same rows come to when it is run in other ways. */
import type { Ledger } from "../model/Ledger.ts"
import { Limits } from "../model/Limits.ts"
import { isCrash } from "./Fault.ts"
import { type FaultName, faultNameOf } from "./faultNames.ts"
import type { Broken } from "./Watching.ts"
import type { Output } from "./Outside.ts"
import { type Case, runUserHistory, type Tested, type UserRun } from "./userHistory.ts"

/** One history of one query, as it ended. */
export interface Outcome {
  /** Its name in the job; `query` where a pipeline is simulated. */
  readonly query: string
  /** What was fed, by the names of sources: rows by partition, without those that do not decode. */
  readonly feeds: ReadonlyArray<{
    readonly source: string
    readonly partitions: ReadonlyArray<ReadonlyArray<unknown>>
  }>
  /** All rows that decode, of all partitions and feeds. */
  readonly rows: ReadonlyArray<unknown>
  /** What each output holds: all rows in append, the last row of each key in update, the last table in complete. */
  readonly outputs: { readonly [name: string]: Output }
  /** What late outputs hold. */
  readonly late: ReadonlyArray<unknown>
  /** Operator, source, place and reason of each dead letter. */
  readonly dead: ReadonlyArray<unknown>
  /** Whether the input was read to its end; only then do the outputs hold all of it. */
  readonly isFinished: boolean
  /** Of the last process that came to the end; undefined where none did. */
  readonly ledger: Ledger | undefined
  /** What was wrong whatever the query is, in sentences: what the law of that name says. */
  readonly broken: (law: Broken) => ReadonlyArray<string>
  /** Epochs that were made durable, in all processes. */
  readonly epochs: number
  /** Processes that were started, one after another or, where one is frozen, beside each other. */
  readonly processes: number
  /** Processes that were killed, by whatever. */
  readonly crashes: number
  /** How often faults struck, by name; `power-loss` is also what `torn-write` asks for. */
  readonly faults: ReadonlyMap<FaultName, number>
  /** The same whenever the same history is run. */
  readonly traceHash: string
  /** The same rows without faults, chunked as they were; `parallelism`: of all processes, default as they had it. */
  readonly undisturbed: (parallelism?: number) => Outcome
  /**
   * The same rows all there at once: one chunk of each partition (of its first 4,096 rows, and so on), one instance of each
   * operator, one epoch.
   */
  readonly batch: () => Outcome
}

const once = <A>(make: () => A): (() => A) => {
  let made: { readonly value: A } | undefined
  return () => (made ??= { value: make() }).value
}

/** What a run of a case came to. */
export const outcomeOf = (tested: Tested, c: Case, run: UserRun): Outcome => {
  const { history, outputs, late, dead } = run
  const batchLives = [{ parallelism: 1, chunkRows: Limits.chunkRowsMax, elsewhere: false }]
  const feeds = tested.feeds.map(({ source }, i) => ({
    source: source.name,
    partitions: c.feeds[i].map(({ rows, poison }) => rows.filter((_, at) => !poison.includes(at)))
  }))
  const again = (manner: "stream" | "batch", own: Case["lives"]): Outcome =>
    outcomeOf(tested, c, runUserHistory(tested, c, { kind: manner, lives: own, faults: [] }))
  const alike = new Map<number, () => Outcome>()
  const undisturbed = (parallelism = 0): Outcome => {
    const known = alike.get(parallelism)
    if (known !== undefined) return known()
    const own = c.lives.map((life) => ({ ...life, parallelism: parallelism === 0 ? life.parallelism : parallelism }))
    const made = once(() => again("stream", own))
    alike.set(parallelism, made)
    return made()
  }
  return {
    query: tested.name,
    feeds,
    rows: feeds.flatMap(({ partitions }) => partitions.flat()),
    outputs,
    late,
    dead,
    isFinished: history.summary !== undefined && !history.found.some(({ law }) => law === "finishes"),
    ledger: history.summary?.ledger,
    broken: (law) => history.found.flatMap((found) => (found.law === law ? [found.what] : [])),
    epochs: history.epochs,
    processes: history.processes,
    crashes: [...history.faults].reduce((n, [kind, times]) => (isCrash(kind) ? n + times : n), 0),
    faults: new Map([...history.faults].map(([kind, times]) => [faultNameOf(kind), times])),
    traceHash: history.traceHash,
    undisturbed,
    batch: once(() => again("batch", batchLives))
  }
}
