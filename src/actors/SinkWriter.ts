/**
 * The fiber round one writer of a sink: outputs, late rows and dead letters alike. It writes what its edges bring,
 * and at each barrier prepares the epoch; the coordinator commits (rules C2, C3).
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { DeadRow } from "../model/DeadLetter.ts"
import { QueryError } from "../model/Errors.ts"
import type { RowChunk } from "../model/RowChunk.ts"
import type { SinkWriter as Writer, WriterContext } from "../model/Sink.ts"
import { Alignment } from "./Alignment.ts"
import { CompleteTable } from "./CompleteTable.ts"
import { letterOfRow } from "./DeadLetterOf.ts"
import { edgeBalances, Inbox } from "./Edge.ts"
import type { Message, Sized } from "./Message.ts"
import { type Report, snapshotting, type Task } from "./Task.ts"
import { type SinkState, stateKeys } from "./TaskState.ts"
import type { SinkStage } from "./Topology.ts"

/** Live facts for progress. */
export interface SinkStatus {
  readonly name: string
  readonly role: SinkStage["role"]
  received: number
  written: number
  dead: number
}

/** The actor of one sink writer. */
export class SinkWriter {
  readonly task: Task
  readonly inbox = new Inbox()
  readonly stage: SinkStage
  readonly status: SinkStatus
  readonly #report: (report: Report) => Effect.Effect<void>
  readonly #tellEnded: () => Effect.Effect<void>
  readonly #alignment: Alignment
  readonly #table: CompleteTable | undefined
  readonly #context: Pick<WriterContext, "queryId" | "attempt" | "continues" | "begins">
  #watermark = -Infinity
  #nowMs = 0
  /** Rows that the sink was handed, and did not refuse, for the epoch of this number. */
  #handed = { epoch: -1, before: 0, now: 0 }

  constructor(
    task: Task,
    stage: SinkStage,
    context: Pick<WriterContext, "queryId" | "attempt" | "continues" | "begins">,
    report: (report: Report) => Effect.Effect<void>,
    ended: Effect.Effect<void>
  ) {
    this.task = task
    this.stage = stage
    this.#context = context
    this.status = { name: stage.name, role: stage.role, received: 0, written: 0, dead: 0 }
    this.#report = report
    this.#tellEnded = () => ended
    this.#alignment = new Alignment(this.inbox)
    this.#table = stage.mode === "complete" ? new CompleteTable(stage.identity, stage.keepMs ?? Infinity) : undefined
  }

  /** Goes on from a checkpoint; before `run`. */
  restore(state: SinkState): void {
    const { received, written, dead } = state
    Object.assign(this.status, { received, written, dead })
    this.#watermark = state.watermark
    this.task.restoreCounters(state.counters)
    this.#table?.restore(state.table)
  }

  /** Opens the writer and runs until the attempt's scope closes. */
  readonly run: Effect.Effect<never, unknown, Scope.Scope> = Effect.gen({ self: this }, function* () {
    const { sink, name, mode, identity } = this.stage
    const clock = yield* Clock.Clock
    const { query } = this.task
    const writer = yield* sink.writer({ query, writer: name, mode, identity, ...this.#context })
    const marker = Option.getOrElse(yield* sink.committed(query, name), () => 0)
    if (marker > this.#context.continues) return yield* Effect.fail(this.#isAhead(marker))
    for (;;) {
      const edge = this.inbox.ready()
      if (edge === undefined) {
        yield* this.inbox.wait
        continue
      }
      const message = edge.poll() as Message<Sized>
      switch (message.tag) {
        case "data":
          yield* this.#write(writer, message.payload as RowChunk)
          if (message.watermark !== undefined) this.#rise(this.#alignment.watermark(edge, message.watermark))
          break
        case "watermark":
          this.#rise(this.#alignment.watermark(edge, message.watermark))
          break
        case "barrier":
          if (this.#alignment.barrier(edge)) yield* this.#barrier(writer, message.epoch, clock)
          break
        case "end":
          if (this.#alignment.end(edge)) {
            yield* this.#tellEnded()
            yield* this.task.broadcast({ tag: "end" })
          }
          break
        default:
          break
      }
    }
  })

  /** It never goes back, also while the edges have not all spoken after a restart (T2). */
  #rise(watermark: number): void {
    if (watermark > this.#watermark) this.#watermark = watermark
  }

  #write(writer: Writer<unknown, unknown>, chunk: RowChunk): Effect.Effect<void, unknown> {
    this.status.received += chunk.length
    if (this.#table !== undefined) {
      const table = this.#table
      this.status.written += chunk.length
      return Effect.map(Clock.currentTimeMillis, (now) => {
        this.#nowMs = now
        table.upsert(chunk, now)
      })
    }
    return Effect.flatMap(writer.write({ rows: chunk.rows }), (dead) => {
      this.#handed.now += chunk.length - dead.length
      this.status.written += chunk.length - dead.length
      this.status.dead += dead.length
      return dead.length === 0 ? Effect.void : this.#refused(chunk, dead)
    })
  }

  /** Rows that the sink refuses become dead letters; dead letters that it refuses stop the query: they have nowhere to go. */
  #refused(
    chunk: { readonly rows: ReadonlyArray<unknown> },
    dead: ReadonlyArray<DeadRow>
  ): Effect.Effect<void, QueryError> {
    if (this.stage.role === "dead") {
      return Effect.fail(
        new QueryError({
          reason: "DeadLetterRefused",
          query: this.task.query,
          message: `${this.stage.sink.name} refused a dead letter: ${dead[0].detail}. Give the query a dead-letter sink that takes everything`
        })
      )
    }
    const from = { query: this.task.query, operator: this.stage.name, source: "several", partition: "several" }
    this.task.bury(
      dead.map(({ before, place, reason, detail }) =>
        letterOfRow({ ...from, place, reason, detail }, chunk.rows[before])
      )
    )
    return this.task.flush
  }

  /** Epochs that the sink has and the checkpoint does not would be taken for repetitions, and dropped. */
  #isAhead(marker: number): QueryError {
    const { query } = this.task
    const { continues, begins } = this.#context
    const from =
      begins === "anew"
        ? "begins anew"
        : begins === "savepoint"
          ? "begins with a savepoint"
          : `goes on from epoch ${continues}`
    const message = `query ${query} ${from}, but ${this.stage.sink.name} already holds its epochs up to ${marker}: start it with the checkpoint that wrote them, or give it an output of its own`
    return new QueryError({ reason: "Checkpoint", query, message })
  }

  /** Rows that the sink was handed and does not count among those it keeps (L3). */
  #swallowed(epoch: number, kept: number | undefined): number {
    // The same number again covers what it covered when its checkpoint was given up (C9).
    const before = this.#handed.epoch === epoch ? this.#handed.before : 0
    const handed = before + this.#handed.now
    this.#handed = { epoch, before: handed, now: 0 }
    return typeof kept === "number" ? handed - kept : 0
  }

  #barrier(writer: Writer<unknown, unknown>, epoch: number, clock: Clock.Clock): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function* () {
      const rows = this.#table?.take(this.#watermark, this.#nowMs)
      if (rows !== undefined) {
        const dead = yield* writer.write({ rows })
        // The whole table, instead of what was there before.
        this.#handed = { epoch: -1, before: 0, now: rows.length - dead.length }
        if (dead.length > 0) {
          // They counted as written when the table took them.
          this.status.written -= dead.length
          this.status.dead += dead.length
          this.#table?.refuse(new Set(dead.map((row) => rows[row.before])))
          yield* this.#refused({ rows }, dead)
        }
      }
      const { rows: kept, ...prepared } = yield* writer.prepare(epoch)
      const swallowed = this.#swallowed(epoch, kept)
      const { received, written, dead } = this.status
      const { value, pauseMs } = snapshotting(clock, () => ({
        watermark: this.#watermark,
        counters: this.task.snapshotCounters(),
        received,
        written,
        dead,
        table: this.#table?.snapshot() ?? null
      }))
      yield* this.#report({
        task: this.task.name,
        epoch,
        operators: [],
        edges: edgeBalances(this.inbox),
        sink: { sink: this.stage.name, received, written: written - swallowed, dead },
        prepared,
        state: { key: stateKeys.sink(this.stage.name), value },
        pauseMs
      })
      yield* this.task.broadcast({ tag: "barrier", epoch })
      this.#alignment.release()
    })
  }
}
