/** A partition that several readers share, and readers that do what they like: for the laws of shared.test.ts. */
import { Effect, Exit, Fiber, Option, Scope } from "effect"
import { afterAll, beforeAll, expect } from "vitest"
import * as Memory from "../src/connectors/memory/Memory.ts"
import { PartitionHub } from "../src/actors/shared/PartitionHub.ts"
import { SharedPartition } from "../src/actors/shared/SharedPartition.ts"
import type { ReadySource } from "../src/actors/Topology.ts"
import { SourceError } from "../src/model/Errors.ts"
import type { Position } from "../src/model/Position.ts"
import type { PartitionCursor, SourceChunk } from "../src/model/Source.ts"
import type { Random } from "../test/engine/random.ts"

type Cursor = PartitionCursor<unknown, unknown, unknown>

/** A partition of items, of which some are dead, and what was asked of it. */
export interface World {
  readonly channel: Memory.Channel<number>
  readonly partition: SharedPartition
  readonly expected: ReadonlyArray<string>
  readonly bounds: Bounds
  /** How often it was opened, and what it gave. */
  readonly asked: Asked
}
export type Asked = { opens: number; items: number }
export type Bounds = {
  readonly chunks: number
  readonly history: number
  readonly recent: number
  readonly bytes: number
}

// What a source gives is counted where it arrives: a step around its pull could lose a chunk to an interruption.
let counting: Asked | undefined
const honest = Reflect.get(PartitionHub.prototype, "push")
/** Counts what arrives while the tests of a file run. */
export const countArrivals = (): void => {
  beforeAll(() => {
    Reflect.set(PartitionHub.prototype, "push", function (this: PartitionHub, ...args: Parameters<typeof honest>) {
      if (counting !== undefined) counting.items += itemsOf(args[0]).length
      honest.apply(this, args)
    })
  })
  afterAll(() => void Reflect.set(PartitionHub.prototype, "push", honest))
}

export interface Setup {
  readonly items: number
  readonly deadEvery?: number
  readonly bounded: boolean
  readonly bounds: Bounds
  readonly readers: number
  readonly replayable?: boolean
}

export const worldOf = ({ items, deadEvery = 0, bounded, bounds, readers, replayable = true }: Setup): World => {
  const channel = Memory.channel<number>({ bounded, replayable })
  const asked = { opens: 0, items: 0 }
  counting = asked
  const inner = channel.source as ReadySource
  const source: ReadySource = {
    ...inner,
    open: (id, from) => Effect.tap(inner.open(id, from), () => Effect.sync(() => asked.opens++))
  }
  return {
    channel,
    partition: new SharedPartition(source, "0", {
      bounds,
      readers: Array.from({ length: readers }, (_, reader) => `q${reader}`),
      gone: new Set(),
      hubs: 0
    }),
    expected: Array.from({ length: items }, (_, n) => (isDead(n, deadEvery) ? `dead ${n}` : `${n}`)),
    bounds,
    asked
  }
}

const isDead = (n: number, every: number): boolean => every > 0 && n % every === every - 1

/** Rows and dead rows of a chunk, in order. */
export const itemsOf = (chunk: SourceChunk<unknown>): ReadonlyArray<string> => {
  const items: Array<string> = []
  let at = 0
  for (let i = 0; i <= chunk.length; i++) {
    for (; at < (chunk.dead?.length ?? 0) && chunk.dead?.[at].before === i; at++)
      items.push(`dead ${chunk.dead[at].place}`)
    if (i < chunk.length) items.push(`${String(chunk.rows?.[i])}`)
  }
  return items
}

export const checkBounds = ({ partition, bounds, channel }: World): void => {
  const { replayable } = channel.source.features
  let bytes = 0
  for (const hub of partition.hubs) {
    expect(hub.held.chunks).toBeLessThanOrEqual(bounds.chunks)
    if (hub.held.chunks > 1 && replayable) bytes += hub.held.bytes
  }
  // A hub gives back its part of the bytes at its next chunk after others came.
  expect(bytes).toBeLessThanOrEqual(bounds.bytes * Math.max(1, partition.hubs.size))
}

export const turns = (n: number): Effect.Effect<void> => Effect.repeat(Effect.yieldNow, { times: n })

/** Pushes everything in parts, with failures between them, then ends a bounded partition. */
export const feed = (
  w: World,
  random: Random,
  deadEvery: number,
  failures: number,
  bounded: boolean
): Effect.Effect<void> =>
  Effect.gen(function* () {
    let left = failures
    for (let n = 0; n < w.expected.length;) {
      const many = Math.min(w.expected.length, n + 1 + random(7))
      for (; n < many; n++) {
        yield* isDead(n, deadEvery)
          ? w.channel.pushDead("0", {
              reason: "malformed",
              detail: "bad",
              place: String(n),
              bytes: new Uint8Array(1),
              truncated: false
            })
          : w.channel.push("0", [n])
      }
      if (left > 0 && random(3) === 0) {
        left--
        yield* w.channel.fail("0", new SourceError({ connector: "c", retryable: true, message: "lost" }))
      }
      if (random(2) === 0) yield* turns(random(9))
    }
    if (bounded) yield* w.channel.end("0")
  })

export interface Reader {
  readonly id: number
  scope: Scope.Closeable | undefined
  cursor: Cursor | undefined
  chunks: Array<SourceChunk<unknown>>
}

export const readersOf = (n: number): ReadonlyArray<Reader> =>
  Array.from({ length: n }, (_, id) => ({ id, scope: undefined, cursor: undefined, chunks: [] }))

export const got = (reader: Reader): ReadonlyArray<string> => reader.chunks.flatMap(itemsOf)
export const positionOf = (reader: Reader): Option.Option<Position> =>
  Option.fromUndefinedOr(reader.chunks.at(-1)?.next)

export const close = (reader: Reader): Effect.Effect<void> =>
  Effect.suspend(() => {
    const scope = reader.scope
    reader.scope = undefined
    reader.cursor = undefined
    return scope === undefined ? Effect.void : Scope.close(scope, Exit.void)
  })

export const cursorOf = (w: World, reader: Reader): Effect.Effect<Cursor, unknown> =>
  Effect.suspend(() => {
    if (reader.cursor !== undefined) return Effect.succeed(reader.cursor)
    reader.scope = Scope.makeUnsafe()
    return Effect.tap(Scope.provide(w.partition.open(positionOf(reader), reader.id), reader.scope), (cursor) =>
      Effect.sync(() => {
        reader.cursor = cursor
      })
    )
  })

/** Reads everything: at its own pace, with interruptions, other demands, and restarts at places where it has been. */
export const read = (
  w: World,
  reader: Reader,
  random: Random,
  rows: () => number,
  restarts: number
): Effect.Effect<void> =>
  Effect.gen(function* () {
    let left = restarts
    while (got(reader).length < w.expected.length) {
      if (random(3) === 0) yield* turns(random(20))
      if (left > 0 && random(6) === 0) {
        left--
        yield* close(reader)
        reader.chunks = reader.chunks.slice(0, random(reader.chunks.length + 1))
      }
      const opened = yield* Effect.exit(cursorOf(w, reader))
      if (Exit.isFailure(opened)) {
        yield* close(reader)
        continue
      }
      const most = rows()
      let pull = opened.value.pull({ rows: most, bytes: 1 << 20 })
      for (let k = random(4); k > 0; k--) pull = Effect.andThen(Effect.void, pull)
      const pulling = yield* Effect.forkChild(pull)
      if (random(3) === 0) {
        yield* turns(random(5))
        yield* Fiber.interrupt(pulling)
      }
      const exit = yield* Fiber.await(pulling)
      checkBounds(w)
      if (Exit.isSuccess(exit)) {
        expect(exit.value.length).toBeLessThanOrEqual(most)
        reader.chunks.push(exit.value)
      } else if (exit.cause.reasons.some((r) => r._tag === "Fail")) yield* close(reader)
    }
  })

export const within = <A>(effect: Effect.Effect<A, unknown>): Promise<A> =>
  Effect.runPromise(Effect.timeout(effect, "5 seconds"))
