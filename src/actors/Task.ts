/**
 * What the actors with operators have in common: counters for the ledger, outgoing edges, dead letters, and the
 * effects of `mapEffect` that a step leaves to be run. One step is: take a message, run plain code, run the effects,
 * send what came out.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { ReaderRecord } from "../checkpoint/Manifest.ts"
import type { DeadLetter, DeadReason } from "../model/DeadLetter.ts"
import { QueryError } from "../model/Errors.ts"
import type { EdgeBalance, OperatorBalance, SinkBalance } from "../model/Ledger.ts"
import { laneAt, noLane, ordinalAt, subAt, type RowChunk } from "../model/RowChunk.ts"
import type { Prepared } from "../model/Sink.ts"
import type { SnapshotValue } from "../model/Snapshot.ts"
import { jsonText, textOf } from "../model/Text.ts"
import { Counters } from "../streams/Counters.ts"
import { OperatorFailure } from "../streams/Stateless.ts"
import type { EventTimeRange } from "../streams/EventTimeStats.ts"
import { AggregateFault } from "../streams/UserCode.ts"
import { letterOfRow } from "./DeadLetterOf.ts"
import type { Message, Sized } from "./Message.ts"
import { monotonicNow } from "../model/monotonic.ts"
import { type HasWatermark, type OutEdge, Outbox } from "./OutEdge.ts"

/** What a task tells the coordinator when a barrier has passed it. */
export interface Report {
  readonly task: string
  readonly epoch: number
  readonly operators: ReadonlyArray<OperatorBalance>
  /** Rows sent and received on its incoming edges, both counted at the barrier. */
  readonly edges: ReadonlyArray<EdgeBalance>
  readonly sink?: SinkBalance
  readonly prepared?: Prepared
  /** Readers: where the epoch ends in their partition (rule C1). */
  readonly reader?: ReaderRecord
  /** What the task holds at the barrier, under the name that finds it again: see `TaskState.ts`. */
  readonly state: { readonly key: string; readonly value: SnapshotValue }
  /** Readers: event times of the rows since the barrier before. */
  readonly eventTime?: EventTimeRange | undefined
  /** For how long the task stood still for it, ms. */
  readonly pauseMs: number
}

/** Names of the partitions of a query, by lane: for errors and dead letters. */
export interface LaneNames {
  readonly source: (lane: number) => string
  readonly partition: (lane: number) => string
  /** Told when user code failed on a row of a known place: a source's operator name, its partition and ordinal. */
  readonly failed: (lane: number, ordinal: number) => void
}

/** Copies a task's state, and tells for how long the task stood still for it. */
export const snapshotting = (
  clock: Clock.Clock,
  copy: () => SnapshotValue
): { readonly value: SnapshotValue; readonly pauseMs: number } => {
  const started = monotonicNow(clock)
  const value = copy()
  return { value, pauseMs: monotonicNow(clock) - started }
}

/** Two counts that an operator has to agree with: what it says it did, and what was seen of it (L3). */
interface Tie {
  readonly edge: string
  readonly sent: () => number
  readonly received: () => number
  /** How far the first is ahead of the second from the start: counts go on across restarts, what is seen does not. */
  ahead: number
}

/** An effect that a synchronous step left to be run before the step is done. */
export type PendingEffect = Effect.Effect<void, unknown>

/** One actor's share of the query: the counters, edges and dead letters of the operators it runs. */
export class Task implements HasWatermark {
  readonly query: string
  readonly name: string
  /** The watermark that rows of this task's own operator carry downstream; -Infinity for readers. */
  watermark = -Infinity
  readonly out: Array<OutEdge> = []
  readonly pending: Array<PendingEffect> = []
  readonly #counters = new Map<string, Counters>()
  readonly #held = new Map<string, () => number>()
  readonly #lanes: LaneNames
  readonly #partition: string | undefined
  /** Readers: where the row of an ordinal stands in its source, while its chunk is in hand. */
  placeOf: ((ordinal: number) => string | undefined) | undefined
  readonly #ties: Array<Tie> = []
  #buried = 0
  #dead: OutEdge | undefined

  constructor(query: string, name: string, lanes: LaneNames, partition?: string) {
    this.query = query
    this.name = name
    this.#lanes = lanes
    this.#partition = partition
  }

  /** The counters of one operator in this task. */
  counters(operator: string, held?: () => number): Counters {
    let counters = this.#counters.get(operator)
    if (counters === undefined) this.#counters.set(operator, (counters = new Counters()))
    if (held !== undefined) this.#held.set(operator, held)
    return counters
  }

  setDead(edge: OutEdge): void {
    this.#dead = edge
    this.out.push(edge)
  }

  /**
   * Holds two counts against each other at every barrier: rows that an operator counted, and rows that went through a
   * place beside it. Both only grow; they are equal as an edge's are, though no queue lies between.
   */
  tie(edge: string, sent: () => number, received: () => number): void {
    this.#ties.push({ edge, sent, received, ahead: sent() - received() })
  }

  /** Every row that an operator of this task counted as dead has to be on its way to the dead letters. */
  tieDead(): void {
    const counted = (): number => {
      let rows = 0
      for (const { dead, quarantined } of this.#counters.values()) rows += dead + quarantined
      return rows
    }
    this.tie(`dead letters of ${this.name}`, counted, () => this.#buried)
  }

  /** Where rows were lost or made inside this task; none while all is well. */
  losses(): ReadonlyArray<EdgeBalance> {
    return this.#ties.flatMap(({ edge, sent, received, ahead }) => {
      const [said, seen] = [sent() - ahead, received()]
      return said === seen ? [] : [{ edge, sent: said, received: seen }]
    })
  }

  balances(): ReadonlyArray<OperatorBalance> {
    const all: Array<OperatorBalance> = []
    for (const [operator, counters] of this.#counters) {
      all.push(counters.balance(operator, this.#held.get(operator)?.() ?? 0, this.#partition))
    }
    return all
  }

  /** The counts of every operator in this task, and back: a ledger goes on across restarts. */
  snapshotCounters(): SnapshotValue {
    return [...this.#counters].map(([operator, counters]) => [operator, counters.snapshot()])
  }

  /** Adds counts that tasks before this one had; of operators that this task does not run, none. */
  restoreCounters(snapshot: SnapshotValue): void {
    for (const [operator, counts] of snapshot as ReadonlyArray<readonly [string, SnapshotValue]>)
      this.#counters.get(operator)?.restore(counts)
    for (const tie of this.#ties) tie.ahead = tie.sent() - tie.received()
  }

  /** Sends dead letters on their way; the caller has counted them. */
  bury(letters: ReadonlyArray<DeadLetter>): void {
    let bytes = 0
    for (const letter of letters) bytes += (letter.text?.length ?? 0) + (letter.base64?.length ?? 0) + 200
    this.#dead?.stage({ length: letters.length, bytes, rows: letters } as Sized)
    this.#buried += letters.length
  }

  /** A dead letter of a row that was decoded: its bytes are the row as JSON. */
  readonly buryRow = (operator: string, chunk: RowChunk, i: number, reason: DeadReason, detail: string): void => {
    const lane = laneAt(chunk.order, i)
    const known = typeof lane === "number" && lane >= 0 && chunk.order.lanes === undefined
    const sub = subAt(chunk.order, i)
    const head = {
      query: this.query,
      operator,
      source: known ? this.#lanes.source(lane) : "several",
      partition: known ? this.#lanes.partition(lane) : "several",
      place: known ? this.#place(ordinalAt(chunk.order, i), sub) : lane === noLane ? "a result" : String(lane),
      reason,
      detail
    }
    this.bury([letterOfRow(head, chunk.rows[i])])
  }

  #place(ordinal: number, sub: number): string {
    return `${this.placeOf?.(ordinal) ?? `row ${ordinal}`}${sub === 0 ? "" : `, output ${sub}`}`
  }

  /** Notes the row on which user code failed, should it fail on it again and again. */
  noteFailedRow(chunk: RowChunk, i: number): void {
    this.#noteFailed(laneAt(chunk.order, i), ordinalAt(chunk.order, i))
  }

  #noteFailed(lane: string | number, ordinal: number): void {
    if (typeof lane === "number" && lane >= 0) this.#lanes.failed(lane, ordinal)
  }

  /** What user code threw, as the typed error that ends the attempt. */
  failure(thrown: unknown): Effect.Effect<never, unknown> {
    if (thrown instanceof OperatorFailure && thrown.isExact) this.#noteFailed(thrown.lane, thrown.ordinal)
    if (thrown instanceof AggregateFault && thrown.place !== undefined)
      this.#noteFailed(thrown.place.lane, thrown.place.ordinal)
    const where = placeOf(thrown, this.name, this.#lanes)
    if (where === undefined) return Effect.die(thrown)
    const { cause } = thrown as Error
    return Effect.fail(
      new QueryError({
        reason: "UserCode",
        query: this.query,
        message: `${where}: ${textOf(cause)}. Mend the function, or filter such rows before it`,
        cause
      })
    )
  }

  /**
   * One step: plain code, then the effects that it left, then `after`, which is plain code too and may leave one last
   * effect. Returns what is still to be run, or undefined when the step is done: the hot path makes no Effect at all.
   */
  step(
    run: () => void,
    after: () => Effect.Effect<void, unknown> | undefined
  ): Effect.Effect<void, unknown> | undefined {
    try {
      run()
    } catch (thrown) {
      return this.failure(thrown)
    }
    if (this.pending.length === 0) return after()
    return Effect.andThen(
      this.runPending,
      Effect.suspend(() => after() ?? Effect.void)
    )
  }

  /** Runs the effects that steps left, which may leave more. */
  readonly runPending: Effect.Effect<void, unknown> = Effect.gen({ self: this }, function* () {
    while (this.pending.length > 0) yield* this.pending.shift() as PendingEffect
  })

  readonly #outbox = new Outbox()

  /** Sends all that is staged, with watermarks; what is left to wait for where an edge is full, else undefined. */
  flushNow(): Effect.Effect<void> | undefined {
    const outbox = this.#outbox
    for (const out of this.out) out.collect(outbox)
    const { edges, messages } = outbox
    let i = 0
    while (i < messages.length && edges[i].tryOffer(messages[i])) i++
    if (i < messages.length) return this.#sendFrom(i)
    outbox.clear()
    return undefined
  }

  /** The same as an effect. */
  readonly flush: Effect.Effect<void> = Effect.suspend(() => this.flushNow() ?? Effect.void)

  #sendFrom(from: number): Effect.Effect<void> {
    const outbox = this.#outbox
    return Effect.gen(function* () {
      for (let i = from; i < outbox.messages.length; i++) yield* outbox.edges[i].offer(outbox.messages[i])
      outbox.clear()
    })
  }

  /** Sends one control message on every edge. */
  broadcast(message: Message<Sized>): Effect.Effect<void> {
    return Effect.forEach(this.out, (out) => out.edge.offer(message), { discard: true })
  }
}

/** Which function threw, and on which row; undefined when it was none of the user's. */
const placeOf = (thrown: unknown, task: string, lanes: LaneNames): string | undefined => {
  if (thrown instanceof AggregateFault) {
    const row = thrown.row === undefined ? "" : ` on row ${jsonText(thrown.row).slice(0, 200)}`
    return `${thrown.label} of ${task} threw${row}`
  }
  if (!(thrown instanceof OperatorFailure)) return undefined
  const { operator, lane, ordinal } = thrown
  if (typeof lane === "string") return `the function of ${operator} threw on a row of ${lane}`
  const of = lane < 0 ? "the results before it" : `partition ${lanes.partition(lane)}`
  return `the function of ${operator} threw on row ${ordinal} of ${of}`
}
