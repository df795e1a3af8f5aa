/**
 * Reads one partition: a fiber that pulls chunks by demand, and a fiber that runs the fused operators on them and
 * answers barriers, ticks and drains. Together they are one actor with one inbox.
 *
 * Backpressure: at most one chunk is pulled ahead; while an edge downstream is full nothing is asked of the source.
 * Idleness (T7), alignment (T14) and the start of a late partition (T12) are decided here.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { SourceError } from "../model/Errors.ts"
import { Limits } from "../model/Limits.ts"
import type { Position } from "../model/Position.ts"
import { RowChunk } from "../model/RowChunk.ts"
import type { PartitionCursor, SourceChunk } from "../model/Source.ts"
import type { Counters } from "../streams/Counters.ts"
import type { SourceNode } from "../streams/Plan.ts"
import { OperatorFailure } from "../streams/Stateless.ts"
import { takeBadInput } from "./BadInput.ts"
import type { Chain } from "./Chain.ts"
import { Inbox, type Edge } from "./Edge.ts"
import { pullThrew } from "./Guard.ts"
import { PartitionTime, type TimedBranch } from "./PartitionTime.ts"
import { Data, type Message, type Sized } from "./Message.ts"
import type { Report, Task } from "./Task.ts"
import type { ReadySource } from "./Topology.ts"

/** What one reader is given. */
export interface ReaderOptions {
  readonly node: SourceNode
  readonly source: ReadySource
  /** Operator name in the ledger. */
  readonly name: string
  readonly partition: string
  /** Number of the partition in the query: its place in the total order. */
  readonly lane: number
  readonly chunkRows: number
  readonly report: (report: Report) => Effect.Effect<void>
  /** Called after each chunk, so that epochs come only when something happened. */
  readonly active: () => void
}

/** Live facts for progress. */
export interface ReaderStatus {
  readonly source: string
  readonly partition: string
  rows: number
  watermark: number
  idle: boolean
  ended: boolean
  position: Position | undefined
}

/** Turns of the scheduler that a drain gives a pull before it takes it to be waiting. */
const drainTurns = 16

class Pulled implements Sized {
  readonly chunk: SourceChunk<unknown>
  readonly length: number
  readonly bytes: number
  constructor(chunk: SourceChunk<unknown>) {
    this.chunk = chunk
    this.length = chunk.length + (chunk.dead?.length ?? 0)
    this.bytes = chunk.bytes
  }
}

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
  #chain: Chain | undefined
  #time = new PartitionTime([])
  #counted = 0
  /** When the pull that is waiting now began; undefined while no pull waits. */
  #askedAt: number | undefined
  #drained = false
  /** The cursor's scope. */
  #opened: Scope.Closeable | undefined
  #clock: Clock.Clock = Clock.Clock.defaultValue()

  constructor(task: Task, options: ReaderOptions) {
    this.task = task
    this.#o = options
    this.control = this.inbox.add("control")
    this.#pulled = this.inbox.add("pulled", Limits.chunksPulledAhead)
    const source = options.source.name
    this.status = {
      source,
      partition: options.partition,
      rows: 0,
      watermark: -Infinity,
      idle: false,
      ended: false,
      position: undefined
    }
  }

  /** Gives the reader its operators; before `run`. */
  wire(chain: Chain, branches: ReadonlyArray<TimedBranch>): void {
    this.#chain = chain
    this.#time = new PartitionTime(branches)
  }

  /** Opens the partition and runs until the attempt's scope closes. */
  readonly run: Effect.Effect<never, unknown, Scope.Scope> = Effect.gen({ self: this }, function* () {
    this.#clock = yield* Clock.Clock
    this.#opened = yield* Scope.fork(yield* Effect.scope)
    const cursor = yield* Scope.provide(this.#o.source.open(this.#o.partition, Option.none()), this.#opened)
    this.#time.start()
    this.status.watermark = this.#time.watermark
    yield* this.task.flush
    const puller = yield* Effect.forkScoped(this.#pull(cursor))
    // A puller that fails must end the attempt, whatever this fiber waits for.
    puller.addObserver(() => this.inbox.wake())
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
          // One operation a chunk at least: it is where the scheduler can give others their turn.
          yield* this.#process((message as Data<Pulled>).payload.chunk) ?? Effect.void
          break
        case "end":
          yield* this.#ends()
          break
        case "barrier":
          yield* this.#barrier(message.epoch)
          break
        case "drain":
          yield* this.#drain(puller)
          break
        case "tick":
          if (!this.status.ended && !this.#drained) yield* this.#tick(cursor)
          break
        case "watermark":
          break
      }
    }
  })

  /** Stops asking; what has been pulled is still processed, since not every source can give it again. */
  #drain(puller: Fiber.Fiber<void, unknown>): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function* () {
      this.#drained = true
      this.#pulled.held = false
      // A pull that has its rows, and was only made to yield, gets to hand them on: interrupted, it would lose them.
      for (let turns = 0; turns < drainTurns && this.#askedAt !== undefined; turns++) yield* Effect.yieldNow
      if (this.#askedAt !== undefined) yield* Fiber.interrupt(puller)
      // Nothing is pulled again. Left open, a cursor might go on taking what this query will never process.
      if (this.#opened !== undefined) yield* Effect.exit(Scope.close(this.#opened, Exit.void))
      for (;;) {
        const message = this.#pulled.poll()
        if (message?.tag === "data") yield* this.#process((message as Data<Pulled>).payload.chunk) ?? Effect.void
        else if (message?.tag === "end") yield* this.#ends()
        else if (puller.pollUnsafe() === undefined) yield* this.inbox.wait
        else return
      }
    })
  }

  #pull(cursor: PartitionCursor<unknown, unknown, unknown>): Effect.Effect<void, unknown> {
    const demand = { rows: Math.min(this.#o.chunkRows, Limits.chunkRowsMax), bytes: Limits.chunkBytesTarget }
    const pulling = Effect.gen({ self: this }, function* () {
      while (!this.#drained) {
        this.#askedAt = this.#clock.currentTimeMillisUnsafe()
        const chunk = yield* cursor.pull(demand)
        this.#askedAt = undefined
        const wrong = wrongChunk(chunk)
        if (wrong !== undefined) return yield* Effect.fail(this.#broken(wrong))
        const data = new Data(new Pulled(chunk))
        if (!this.#pulled.tryOffer(data)) yield* this.#pulled.offer(data)
      }
    })
    const guarded = Effect.catchDefect(pulling, pullThrew(this.#o.source, this.#o.partition))
    return Effect.catchCause(guarded, (cause) => {
      this.#askedAt = undefined
      return isDone(cause) ? this.#pulled.offer({ tag: "end" }) : Effect.failCause(cause)
    })
  }

  #broken(what: string): SourceError {
    const { source, partition } = this.status
    return new SourceError({ connector: source, partition, retryable: false, message: `${what}: mend the connector` })
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
    return this.task.step(
      () => {
        if (chunk.length > 0) (this.#chain as Chain).head.push(this.#rows(chunk))
      },
      () => this.#processed(chunk)
    )
  }

  #processed(chunk: SourceChunk<unknown>): Effect.Effect<void> | undefined {
    this.#counted += chunk.length
    this.status.rows += chunk.length + (chunk.dead?.length ?? 0)
    this.status.position = chunk.next
    this.#o.active()
    this.#time.moved()
    this.#show()
    // Held before the flush, which may wait: others may let this reader go on meanwhile.
    if (this.#time.pauseIfAhead(() => this.#drained || this.inbox.release(this.#pulled))) this.#pulled.held = true
    return this.task.flushNow()
  }

  /** The source's chunk as the engine's, with the user's `select` of row and metadata applied. */
  #rows(chunk: SourceChunk<unknown>): RowChunk {
    const order = { lane: this.#o.lane, first: this.#counted }
    const select = this.#o.node.select
    const plain = new RowChunk(
      chunk.length,
      chunk.rows,
      chunk.columns,
      order,
      chunk.bytes,
      undefined,
      undefined,
      chunk.appendTimes
    )
    if (select === undefined) return plain
    const rows = plain.rows
    const out = new Array<unknown>(chunk.length)
    let i = 0
    try {
      for (; i < out.length; i++) out[i] = select(rows[i], chunk.meta?.(i))
    } catch (cause) {
      throw new OperatorFailure(this.#o.name, plain, i, cause)
    }
    return plain.withRows(out)
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

  #barrier(epoch: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      // C1: each edge carries its sender's watermark before the barrier.
      yield* this.task.flush
      const { source, partition, position } = this.status
      yield* this.#o.report({
        task: this.task.name,
        epoch,
        operators: this.task.balances(),
        edges: [],
        position: { source, partition, next: position }
      })
      yield* this.task.broadcast({ tag: "barrier", epoch })
    })
  }

  /** Progress follows the partition's time. */
  #show(): void {
    this.status.idle = this.#time.idle
    this.status.watermark = this.#time.watermark
  }

  #tick(cursor: PartitionCursor<unknown, unknown, unknown>): Effect.Effect<void, unknown> {
    const view = {
      waitingSince: () => (this.#pulled.length > 0 || this.#pulled.held ? undefined : this.#askedAt),
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

/** How a chunk breaks the contract, if it does. */
const wrongChunk = (chunk: SourceChunk<unknown>): string | undefined => {
  const { length, rows, columns } = chunk
  if (!Number.isSafeInteger(length) || length < 0) return `a pull returned a chunk of length ${String(length)}`
  if (length > Limits.chunkRowsMax) return `a pull returned ${length} rows, of at most ${Limits.chunkRowsMax}`
  if (rows === undefined && columns === undefined && length > 0) return "a pull returned neither rows nor columns"
  if (rows !== undefined && rows.length !== length) return `a pull returned ${rows.length} rows and said ${length}`
  return undefined
}

const isDone = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.some((reason) => Cause.isFailReason(reason) && Cause.isDone(reason.error))
