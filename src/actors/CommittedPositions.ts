/**
 * Tells a source where its partitions stand in the last committed epoch, for others to see (`Source.committed`).
 *
 * Beside the query, which neither waits for it nor fails with it: while one telling is under way, newer epochs are put
 * together into the next; one that failed is tried again, with what is newest then. What failures cost is the copy that
 * others see, never a result.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"
import type { ReaderRecord } from "../checkpoint/Manifest.ts"
import { StoreError } from "../model/Errors.ts"
import { Limits } from "../model/Limits.ts"
import type { PartitionId, Position } from "../model/Position.ts"
import { textOf } from "../model/Text.ts"
import type { ReadySource } from "./Topology.ts"

type Positions = ReadonlyMap<PartitionId, Position>

/** What one source of a query is told; for one attempt. */
export class CommittedPositions {
  readonly #operator: string
  readonly #tell: Effect.Effect<boolean>
  readonly #newest = new Map<PartitionId, Position>()
  readonly #told = new Map<PartitionId, Position>()
  readonly #news = Latch.makeUnsafe(false)
  #failures = 0

  constructor(operator: string, tell: NonNullable<ReadySource["committed"]>) {
    this.#operator = operator
    const step = Effect.suspend(() => {
      const changed = new Map([...this.#newest].filter(([partition, at]) => this.#told.get(partition) !== at))
      if (changed.size === 0) return Effect.succeed(true)
      const telling = Effect.timeout(
        Effect.suspend(() => tell(changed)),
        Limits.publishTimeoutMs
      )
      return Effect.flatMap(Effect.exit(telling), (exit) => this.#ended(changed, exit))
    })
    this.#tell = Semaphore.withPermit(Semaphore.makeUnsafe(1), step)
  }

  /** An epoch has been committed in which the readers of the query stood so. */
  note(readers: ReadonlyArray<ReaderRecord>): void {
    for (const { operator, partition, position } of readers) {
      if (operator === this.#operator && position !== undefined) this.#newest.set(partition, position as Position)
    }
    this.#news.openUnsafe()
  }

  /** Tells whatever is noted, until the attempt ends. */
  readonly run: Effect.Effect<never> = Effect.suspend(() =>
    Effect.forever(
      Effect.gen({ self: this }, function* () {
        yield* this.#news.await
        this.#news.closeUnsafe()
        if (yield* this.#tell) return
        yield* Effect.sleep(Limits.publishRetryMs)
        this.#news.openUnsafe()
      })
    )
  )

  /** Until the last ones are out, or could not be told, for a bounded time. */
  readonly settled: Effect.Effect<void> = Effect.suspend(() =>
    Effect.flatMap(Effect.timeoutOption(this.#tell, Limits.publishDrainMs), (told) =>
      Option.isSome(told)
        ? Effect.void
        : Effect.logWarning(
            `${this.#operator}: the last committed positions were not published within ${Limits.publishDrainMs} ms`
          )
    )
  )

  #ended(positions: Positions, exit: Exit.Exit<void, unknown>): Effect.Effect<boolean> {
    const before = this.#failures
    if (Exit.isSuccess(exit)) {
      for (const [partition, at] of positions) this.#told.set(partition, at)
      this.#failures = 0
      const again = `${this.#operator}: committed positions are published again, after ${before} failures`
      return Effect.as(before === 0 ? Effect.void : Effect.logInfo(again), true)
    }
    this.#failures++
    const error = Cause.squash(exit.cause)
    // Its message names the object already.
    const why = error instanceof StoreError ? error.message : textOf(error)
    const message = `${this.#operator}: committed positions are not published: ${why}; the query goes on, and it is tried again`
    return Effect.as(before > 0 ? Effect.void : Effect.logWarning(message), false)
  }
}
