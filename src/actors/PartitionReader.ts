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
import type * as Scope from "effect/Scope"
import type { DeadLetter, DeadRow } from "../model/DeadLetter.ts"
import { SourceError } from "../model/Errors.ts"
import { Limits } from "../model/Limits.ts"
import type { Position } from "../model/Position.ts"
import { RowChunk } from "../model/RowChunk.ts"
import type { PartitionCursor, SourceChunk } from "../model/Source.ts"
import type { SourceNode } from "../streams/Plan.ts"
import { OperatorFailure } from "../streams/Stateless.ts"
import type { Chain } from "./Chain.ts"
import { Inbox, type Edge } from "./Edge.ts"
import type { Lanes } from "./Lanes.ts"
import { Data, type Message, type Sized } from "./Message.ts"
import { pushInto, type Report, type Task } from "./Task.ts"
import type { ReadySource } from "./Topology.ts"

/** A timed branch of a reader: its generator and its lane among the readers of the same stream. */
export interface TimedBranch {
  readonly generator: Chain["generators"][number]["generator"]
  readonly lanes: Lanes
  readonly lane: number
  readonly idleAfterMs: number
  /** The bound to stay behind the clock when all are quiet; undefined: hold. */
  readonly followClockBehindMs: number | undefined
}

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
  constructor(chunk: SourceChunk<unknown>, length: number) {
    this.chunk = chunk
    this.length = length
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
  #branches: ReadonlyArray<TimedBranch> = []
  #counted = 0
  /** When the pull that is waiting now began; undefined while no pull waits. */
  #askedAt: number | undefined
  #drained = false

  constructor(task: Task, options: ReaderOptions) {
    this.task = task
    this.#o = options
    this.control = this.inbox.add("control")
    this.#pulled = this.inbox.add("pulled", 1)
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
    this.#branches = branches
  }

  /** Opens the partition and runs until the attempt's scope closes. */
  readonly run: Effect.Effect<never, unknown, Scope.Scope> = Effect.gen({ self: this }, function* () {
    const cursor = yield* this.#o.source.open(this.#o.partition, Option.none())
    for (const b of this.#branches) {
      if (b.generator.raise(b.lanes.watermarkOf(b.lane))) this.status.watermark = b.generator.watermark
    }
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
          yield* this.#process((message as Data<Pulled>).payload.chunk)
          break
        case "end":
          yield* this.#end
          break
        case "barrier":
          yield* this.#barrier(message.epoch)
          break
        case "drain":
          yield* this.#drain(puller)
          break
        case "tick":
          yield* this.#tick(cursor)
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
      for (;;) {
        const message = this.#pulled.poll()
        if (message?.tag === "data") yield* this.#process((message as Data<Pulled>).payload.chunk)
        else if (message?.tag === "end") yield* this.#end
        else if (puller.pollUnsafe() === undefined) yield* this.inbox.wait
        else return
      }
    })
  }

  #pull(cursor: PartitionCursor<unknown, unknown, unknown>): Effect.Effect<void, unknown> {
    const demand = { rows: Math.min(this.#o.chunkRows, Limits.chunkRowsMax), bytes: Limits.chunkBytesTarget }
    const self = this
    return Effect.gen(function* () {
      for (;;) {
        self.#askedAt = yield* Clock.currentTimeMillis
        // A drain that came while the clock was read saw no pull to interrupt.
        if (self.#drained) return
        const exit = yield* Effect.exit(cursor.pull(demand))
        self.#askedAt = undefined
        if (Exit.isFailure(exit)) {
          if (!Cause.hasFails(exit.cause) || !isDone(exit.cause)) return yield* Effect.failCause(exit.cause)
          yield* self.#pulled.offer({ tag: "end" })
          return
        }
        const chunk = exit.value
        const length = chunk.length + (chunk.dead?.length ?? 0)
        if (chunk.length > Limits.chunkRowsMax) return yield* Effect.fail(self.#tooMany(chunk.length))
        const payload = new Pulled(chunk, length)
        yield* self.#pulled.offer(new Data(payload))
        if (self.#drained) return
      }
    })
  }

  #tooMany(rows: number): SourceError {
    return new SourceError({
      connector: this.status.source,
      partition: this.status.partition,
      retryable: false,
      message: `a pull returned ${rows} rows where at most ${this.#o.chunkRows} were asked for: mend the connector`
    })
  }

  readonly #process = (chunk: SourceChunk<unknown>): Effect.Effect<void, unknown> =>
    Effect.gen({ self: this }, function* () {
      if (this.#branches.some((b) => b.generator.needsIngestionTime)) this.nowMs = yield* Clock.currentTimeMillis
      const dead = chunk.dead ?? []
      const counters = this.task.counters(this.#o.name)
      counters.in += chunk.length + dead.length
      if (dead.length > 0) yield* this.#refuse(dead, counters)
      counters.forwarded += chunk.length
      if (chunk.length > 0) {
        yield* pushInto(this.task, (this.#chain as Chain).head, () => this.#rows(chunk))
        this.#counted += chunk.length
        if (this.task.pending.length > 0) yield* this.task.runPending
      }
      this.status.rows += chunk.length + dead.length
      this.status.position = chunk.next
      this.#o.active()
      this.#setIdle(false)
      this.#report()
      yield* this.task.flush
      this.#align()
    })

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

  /** Bad input: kept, or the first one fails the query, or dropped by the name the user chose. */
  #refuse(dead: ReadonlyArray<DeadRow>, counters: ReturnType<Task["counters"]>): Effect.Effect<void, SourceError> {
    const policy = this.#o.source.onBadInput ?? "deadLetter"
    if (policy === "fail") {
      return Effect.fail(
        new SourceError({
          connector: this.status.source,
          partition: this.status.partition,
          position: dead[0].place,
          retryable: false,
          message: `bad input at ${dead[0].place}: ${dead[0].detail}. Mend the input, or let onBadInput be "deadLetter"`
        })
      )
    }
    if (policy !== "deadLetter") {
      counters.drop(policy.dropAs, dead.length)
      return Effect.void
    }
    counters.dead += dead.length
    this.task.bury(dead.map((row) => this.#letter(row)))
    return Effect.void
  }

  #letter(row: DeadRow): DeadLetter {
    return {
      query: this.task.query,
      operator: "decode",
      source: this.status.source,
      partition: this.status.partition,
      place: row.place,
      reason: row.reason,
      detail: row.detail,
      ...textOf(row.bytes),
      truncated: row.truncated
    }
  }

  readonly #end = Effect.gen({ self: this }, function* () {
    this.status.ended = true
    for (const b of this.#branches) b.lanes.end(b.lane)
    this.#o.active()
    yield* this.task.flush
    yield* this.task.broadcast({ tag: "end" })
  })

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

  #report(): void {
    for (const b of this.#branches) {
      b.lanes.report(b.lane, b.generator.watermark)
      this.status.watermark = b.generator.watermark
    }
  }

  #setIdle(idle: boolean): void {
    this.status.idle = idle
    for (const b of this.#branches) b.lanes.setIdle(b.lane, idle)
  }

  /**
   * T14: stops reading while ahead of the slowest; barriers and watermarks still go out. A reader of several timed
   * streams stops when it is ahead in all of them: the slowest of each is then never stopped, so some reader goes on.
   */
  #align(): void {
    const branches = this.#branches
    if (branches.length === 0 || !branches.every((b) => b.lanes.isAhead(b.lane))) return
    this.#pulled.held = true
    for (const b of branches) {
      b.lanes.pause(b.lane, () => {
        if (!this.#drained) this.inbox.release(this.#pulled)
      })
    }
  }

  /** T7: silent while asked for `idleAfter`, and, where the end is known, confirmed to be at it. */
  #tick(cursor: PartitionCursor<unknown, unknown, unknown>): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function* () {
      if (this.status.ended || this.#drained || this.#branches.length === 0) return
      const asked = this.#askedAt
      if (asked === undefined || this.#pulled.length > 0 || this.#pulled.held) return
      const now = yield* Clock.currentTimeMillis
      const silent = now - asked
      for (const b of this.#branches) {
        if (silent < b.idleAfterMs) continue
        const wasIdle = this.status.idle
        // Rows that came while the end was looked up are not late for that.
        if (!wasIdle && !((yield* this.#atEnd(cursor)) && this.#askedAt === asked)) return
        this.status.idle = true
        b.lanes.setIdle(b.lane, true)
        const others = b.lanes.activeMinimum()
        const raised =
          others ?? (b.followClockBehindMs === undefined ? -Infinity : now - b.followClockBehindMs)
        if (raised <= b.generator.watermark) continue
        // At the end some time ago is not at the end now: what has come since may not have reached us.
        if (wasIdle && !((yield* this.#atEnd(cursor)) && this.#askedAt === asked)) {
          this.#setIdle(false)
          break
        }
        if (b.generator.raise(raised)) this.#o.active()
      }
      this.#report()
      yield* this.task.flush
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

const isDone = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.some((reason) => Cause.isFailReason(reason) && Cause.isDone(reason.error))

const utf8 = new TextDecoder("utf-8", { fatal: true })

const textOf = (bytes: Uint8Array): { readonly text: string } | { readonly base64: string } => {
  try {
    return { text: utf8.decode(bytes) }
  } catch {
    return { base64: Buffer.from(bytes).toString("base64") }
  }
}
