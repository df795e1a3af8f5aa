/**
 * Reads one partition: a fiber that pulls chunks by demand, and a fiber that runs the fused operators on them and
 * answers barriers, ticks and drains. Together they are one actor with one inbox.
 *
 * Backpressure: at most one chunk is pulled ahead; while an edge downstream is full nothing is asked of the source.
 * Idleness (T7), alignment (T14) and the start of a late partition (T12) are decided here.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { ReaderRecord } from "../checkpoint/Manifest.ts"
import { Limits } from "../model/Limits.ts"
import type { Position } from "../model/Position.ts"
import type { PartitionCursor, SourceChunk } from "../model/Source.ts"
import type { Counters } from "../streams/Counters.ts"
import { takeBadInput } from "./BadInput.ts"
import type { Chain } from "./Chain.ts"
import { Passage } from "./Passage.ts"
import { Inbox, type Edge } from "./Edge.ts"
import type { EpochBudget } from "./EpochBudget.ts"
import { engineRows } from "./engineRows.ts"
import { watchEnd } from "./Lag.ts"
import { PartitionTime, type TimedBranch } from "./PartitionTime.ts"
import { type Pulled, Puller } from "./Puller.ts"
import { monotonicNow } from "../model/monotonic.ts"
import type { Barrier, Data, Message, Sized } from "./Message.ts"
import type { ReaderOptions, ReaderStatus } from "./ReaderOptions.ts"
import { snapshotting, type Task } from "./Task.ts"
import { stateKeys } from "./TaskState.ts"

/** The actor of one partition. */
export class PartitionReader {
  readonly task: Task
  readonly inbox = new Inbox()
  readonly control: Edge
  readonly status: ReaderStatus
  /** Ingestion time of the chunk in hand. */
  nowMs = 0
  readonly #o: ReaderOptions
  readonly #pulled: Edge
  readonly #puller: Puller
  /** The operators; nothing goes through before they are wired. */
  #head = new Passage({ push: () => undefined })
  #time = new PartitionTime([])
  #counted: number
  #budget: EpochBudget
  /** Where the partition ended when it was opened, when reading stops there. */
  #available: Position | undefined
  #drained = false
  #completed = false
  /** The cursor's scope. */
  #opened: Scope.Closeable | undefined
  #clock: Clock.Clock = Clock.Clock.defaultValue()

  constructor(task: Task, options: ReaderOptions) {
    this.task = task
    this.#o = options
    this.control = this.inbox.add("control")
    this.#pulled = this.inbox.add("pulled", Limits.chunksPulledAhead)
    const { source, partition } = options
    this.#puller = new Puller(source, partition, options.chunkRows, this.#pulled)
    const record = options.restored?.record
    this.#counted = record?.rows ?? 0
    this.#budget = options.budget
    this.status = {
      source: source.name,
      partition,
      rows: 0,
      watermark: -Infinity,
      idle: false,
      ended: false,
      operator: options.name,
      position: record?.position as Position | undefined,
      rowsBetween: source.rowsBetween
    }
  }

  /** Gives the reader its operators; before `run`. */
  wire(chain: Chain, branches: ReadonlyArray<TimedBranch>): void {
    this.#head = new Passage(chain.head)
    this.#time = new PartitionTime(branches)
    const counters = this.#o.restored?.counters
    const own = this.task.counters(this.#o.name)
    this.task.tie(
      `out of ${this.#o.name}`,
      () => own.forwarded,
      () => this.#head.rows
    )
    this.task.tieDead()
    if (counters !== undefined) this.task.restoreCounters(counters)
  }

  /** Opens the partition and runs until the attempt's scope closes. */
  readonly run: Effect.Effect<never, unknown, Scope.Scope> = Effect.gen({ self: this }, function* () {
    this.#clock = yield* Clock.Clock
    this.#opened = yield* Scope.fork(yield* Effect.scope)
    const { source, partition } = this.#o
    // A source that cannot go back goes on where it stands.
    const from = source.features.replayable ? Option.fromUndefinedOr(this.status.position) : Option.none()
    const cursor = yield* Scope.provide(source.open(partition, from), this.#opened)
    this.status.position ??= cursor.start
    if (this.#o.onlyAvailable !== undefined && source.features.endPosition)
      this.#available = Option.getOrUndefined(yield* cursor.end)
    this.#time.start(this.#clock)
    this.status.watermark = this.#time.watermark
    yield* this.task.flush
    if (source.features.endPosition) yield* Effect.forkScoped(watchEnd(cursor, this.status))
    const puller = yield* Effect.forkScoped(this.#puller.run(cursor, this.#clock))
    // A puller that fails must end the attempt, whatever this fiber waits for.
    puller.addObserver(() => this.inbox.wake())
    if (this.#hasReadAvailable()) yield* this.#complete(puller)
    for (;;) {
      const edge = this.inbox.ready()
      if (edge === undefined) {
        const exit = puller.pollUnsafe()
        if (exit !== undefined && Exit.isFailure(exit) && !this.#drained) return yield* Effect.failCause(exit.cause)
        yield* this.inbox.wait
        continue
      }
      const message = edge.poll() as Message<Sized>
      switch (message.tag) {
        case "data":
          if (!this.#budget.take((message as Data<Pulled>).payload.length)) this.#waitForBudget(message as Data<Pulled>)
          // One operation a chunk at least: it is where the scheduler can give others their turn.
          else yield* this.#process((message as Data<Pulled>).payload.chunk) ?? Effect.void
          if (this.#hasReadAvailable()) yield* this.#complete(puller)
          break
        case "end":
          yield* this.#o.onlyAvailable === undefined ? this.#ends() : this.#complete(puller)
          break
        case "barrier":
          yield* this.#barrier(message)
          if (this.#hasReadAvailable()) yield* this.#complete(puller)
          break
        case "drain":
          if (this.#completed) this.#time.settle()
          yield* this.#drain(puller)
          break
        case "tick":
          if (this.status.ended || this.#drained) break
          yield* this.#tick(cursor)
          // A partition that has no end to compare with, or was read past it, is read up to where nothing more waits.
          if (this.#o.onlyAvailable !== undefined && (yield* this.#hasCaughtUp(cursor))) yield* this.#complete(puller)
          break
        case "watermark":
          break
      }
    }
  })

  /** The chunk that the epoch has no room for; processed first in the next one. */
  #kept: Data<Pulled> | undefined

  #waitForBudget(message: Data<Pulled>): void {
    this.#kept = message
    this.#pulled.held = true
  }

  /** All that was available has been read: asks for no more, and says so. */
  #complete(puller: Fiber.Fiber<void, unknown>): Effect.Effect<void, unknown> {
    if (this.#completed) return Effect.void
    this.#completed = true
    // No longer waited for, but its watermark stays: what the next run reads is not late for that.
    this.#time.setIdle(true)
    // What was pulled beyond the end is read again by the next run.
    if (this.#o.source.features.replayable) {
      this.#kept = undefined
      while (this.#pulled.poll() !== undefined);
    }
    return Effect.andThen(this.#drain(puller), this.#o.onlyAvailable?.completed() ?? Effect.void)
  }

  /** Whether it stands at the end that was there at the start, or behind it: chunks do not stop where that was. */
  #hasReadAvailable(): boolean {
    const [at, end] = [this.status.position, this.#available]
    if (at === undefined || end === undefined) return false
    return at === end || (this.#o.source.rowsBetween?.(at, end) ?? 1) <= 0
  }

  #hasCaughtUp(cursor: PartitionCursor<unknown, unknown, unknown>): Effect.Effect<boolean, unknown> {
    const { askedAt } = this.#puller
    if (askedAt === undefined || this.#pulled.length > 0 || this.#kept !== undefined) return Effect.succeed(false)
    const { features } = this.#o.source
    // A source that cannot say where its end is: at the end of a bounded one it says so, others have to be quiet a while.
    if (!features.endPosition)
      return Effect.succeed(!features.bounded && monotonicNow(this.#clock) - askedAt >= Limits.availableQuietMs)
    return this.#atEnd(cursor)
  }

  /** Stops asking; what has been pulled is still processed, since not every source can give it again. */
  #drain(puller: Fiber.Fiber<void, unknown>): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function* () {
      this.#drained = true
      yield* this.#puller.stop(puller)
      // Nothing is pulled again. Left open, a cursor might go on taking what this query will never process.
      if (this.#opened !== undefined) yield* Effect.exit(Scope.close(this.#opened, Exit.void))
      const kept = this.#takeKept()
      if (kept !== undefined) yield* this.#process(kept.payload.chunk) ?? Effect.void
      for (;;) {
        const message = this.#pulled.poll()
        if (message?.tag === "data" && this.#completed && this.#o.source.features.replayable) continue
        if (message?.tag === "data") yield* this.#process((message as Data<Pulled>).payload.chunk) ?? Effect.void
        else if (message?.tag === "end" && this.#o.onlyAvailable !== undefined) continue
        else if (message?.tag === "end") yield* this.#ends()
        else if (puller.pollUnsafe() === undefined) yield* this.inbox.wait
        else return
      }
    })
  }

  /** One chunk through the operators; what is left to run, if anything. */
  #process(chunk: SourceChunk<unknown>): Effect.Effect<void, unknown> | undefined {
    const { dead, length } = chunk
    const counters = this.task.counters(this.#o.name)
    counters.in += length + (dead?.length ?? 0)
    if (dead === undefined || dead.length === 0) return this.#rowsOf(chunk, counters)
    return Effect.andThen(
      takeBadInput(this.task, this.#o.source, this.#o.partition, dead, counters),
      Effect.suspend(() => this.#rowsOf(chunk, counters) ?? Effect.void)
    )
  }

  #rowsOf(chunk: SourceChunk<unknown>, counters: Counters): Effect.Effect<void, unknown> | undefined {
    const first = this.#counted
    if (this.#time.needsIngestionTime) this.nowMs = this.#clock.currentTimeMillisUnsafe()
    this.task.placeOf = chunk.place === undefined ? undefined : (ordinal) => chunk.place?.(ordinal - first)
    counters.forwarded += chunk.length
    if (this.#o.refusesRows !== undefined && chunk.length > 0) return Effect.fail(this.#o.refusesRows())
    return this.task.step(
      () => {
        if (chunk.length > 0) this.#head.push(engineRows(this.task, this.#o, chunk, first, counters))
      },
      () => this.#processed(chunk)
    )
  }

  #processed(chunk: SourceChunk<unknown>): Effect.Effect<void> | undefined {
    this.#counted += chunk.length
    this.status.rows += chunk.length + (chunk.dead?.length ?? 0)
    this.status.position = chunk.next
    if (chunk.appendTimes !== undefined && chunk.length > 0) this.status.appendMs = chunk.appendTimes[chunk.length - 1]
    this.#o.active()
    this.#time.moved()
    this.#show()
    // Held before the flush, which may wait: others may let this reader go on meanwhile.
    if (this.#time.pauseIfAhead(() => this.#drained || this.#kept !== undefined || this.inbox.release(this.#pulled)))
      this.#pulled.held = true
    return this.task.flushNow()
  }

  #ends(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      this.status.ended = true
      this.#time.end()
      this.#o.active()
      yield* this.task.flush
      yield* this.task.broadcast({ tag: "end" })
    })
  }

  #barrier({ epoch, budget }: Barrier): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function* () {
      // C1: each edge carries its sender's watermark before the barrier.
      yield* this.task.flush
      const { name, partition, isPlaceholder } = this.#o
      const { value, pauseMs } = snapshotting(this.#clock, () => this.task.snapshotCounters())
      yield* this.#o.report({
        task: this.task.name,
        epoch,
        operators: this.task.balances(),
        edges: this.task.losses(),
        eventTime: this.#time.takeEventTimes(),
        ...(isPlaceholder ? {} : { reader: this.#record() }),
        state: { key: stateKeys.reader(name, partition), value },
        pauseMs
      })
      yield* this.task.broadcast({ tag: "barrier", epoch })
      if (budget !== undefined) this.#budget = budget
      yield* this.#goOn()
    })
  }

  #record(): ReaderRecord {
    const { name, partition, lane } = this.#o
    const { position } = this.status
    return { operator: name, partition, lane, position, rows: this.#counted, watermarks: this.#time.watermarks() }
  }

  #takeKept(): Data<Pulled> | undefined {
    const kept = this.#kept
    this.#kept = undefined
    return kept
  }

  /** After a barrier: the chunk that had to wait for the next epoch's budget. */
  #goOn(): Effect.Effect<void, unknown> {
    const kept = this.#takeKept()
    if (kept === undefined) return Effect.void
    if (!this.#budget.take(kept.payload.length)) {
      this.#kept = kept
      return Effect.void
    }
    // Processing may find that it is ahead of the others, and hold it again.
    this.inbox.release(this.#pulled)
    return this.#process(kept.payload.chunk) ?? Effect.void
  }

  /** Progress follows the partition's time. */
  #show(): void {
    this.status.idle = this.#time.idle
    this.status.watermark = this.#time.watermark
  }

  #tick(cursor: PartitionCursor<unknown, unknown, unknown>): Effect.Effect<void, unknown> {
    const view = {
      waitingSince: () => (this.#pulled.length > 0 || this.#pulled.held ? undefined : this.#puller.askedAt),
      atEnd: this.#atEnd(cursor)
    }
    return Effect.flatMap(this.#time.tick(view), (rose) => {
      if (rose) this.#o.active()
      this.#show()
      return this.task.flush
    })
  }

  #atEnd(cursor: PartitionCursor<unknown, unknown, unknown>): Effect.Effect<boolean, unknown> {
    if (!this.#o.source.features.endPosition) return Effect.succeed(true)
    return Effect.map(cursor.end, (end) => {
      const at = this.status.position
      return Option.isNone(end) || at === undefined || end.value === at
    })
  }
}
