/**
 * The pulling side of a partition reader: a fiber that asks the cursor for chunks, ahead of the one in hand, and checks
 * that they keep the contract.
 */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { SourceError } from "../model/Errors.ts"
import { Limits } from "../model/Limits.ts"
import type { PartitionCursor, SourceChunk } from "../model/Source.ts"
import type { Edge } from "./Edge.ts"
import { pullThrew } from "./Guard.ts"
import { Data, type Sized } from "./Message.ts"
import { monotonicNow } from "../model/monotonic.ts"
import type { ReadySource } from "./Topology.ts"

/** Turns of the scheduler that a drain gives a pull before it takes it to be waiting. */
const drainTurns = 16

/** A chunk as it was pulled; its dead rows count too. */
export class Pulled implements Sized {
  readonly chunk: SourceChunk<unknown>
  readonly length: number
  readonly bytes: number
  constructor(chunk: SourceChunk<unknown>) {
    this.chunk = chunk
    this.length = chunk.length + (chunk.dead?.length ?? 0)
    this.bytes = chunk.bytes
  }
}

/** Pulls one cursor into an edge. */
export class Puller {
  readonly pulled: Edge
  /** When the pull that is waiting now began, in monotonic ms; undefined while no pull waits. */
  askedAt: number | undefined
  readonly #source: ReadySource
  readonly #partition: string
  readonly #rows: number
  #isStopped = false

  /** `rows`: how many to ask for at a time. */
  constructor(source: ReadySource, partition: string, rows: number, pulled: Edge) {
    this.#source = source
    this.#partition = partition
    this.#rows = rows
    this.pulled = pulled
  }

  /** Pulls until the end, which it sends on as one, or until stopped. */
  run(cursor: PartitionCursor<unknown, unknown, unknown>, clock: Clock.Clock): Effect.Effect<void, unknown> {
    const demand = { rows: this.#rows, bytes: Limits.chunkBytesTarget }
    const pulling = Effect.gen({ self: this }, function* () {
      while (!this.#isStopped) {
        this.askedAt = monotonicNow(clock)
        const chunk = yield* cursor.pull(demand)
        this.askedAt = undefined
        const wrong = wrongChunk(chunk)
        if (wrong !== undefined) return yield* Effect.fail(this.#broken(wrong))
        const data = new Data(new Pulled(chunk))
        if (!this.pulled.tryOffer(data)) yield* this.pulled.offer(data)
      }
    })
    const guarded = Effect.catchDefect(pulling, pullThrew(this.#source, this.#partition))
    return Effect.catchCause(guarded, (cause) => {
      this.askedAt = undefined
      return isDone(cause) ? this.pulled.offer({ tag: "end" }) : Effect.failCause(cause)
    })
  }

  /** Stops asking. What a pull has in hand it still hands on; one that waits is interrupted. */
  stop(fiber: Fiber.Fiber<void, unknown>): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      this.#isStopped = true
      this.pulled.held = false
      // A pull that has its rows, and was only made to yield, gets to hand them on: interrupted, it would lose them.
      for (let turns = 0; turns < drainTurns && this.askedAt !== undefined; turns++) yield* Effect.yieldNow
      if (this.askedAt !== undefined) yield* Fiber.interrupt(fiber)
    })
  }

  #broken(what: string): SourceError {
    const message = `${what}: mend the connector`
    return new SourceError({ connector: this.#source.name, partition: this.#partition, retryable: false, message })
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
