import { Effect, Option } from "effect"
import { describe, expect, it } from "vitest"
import * as Memory from "../../src/connectors/memory/Memory.ts"
import * as Replay from "../../src/connectors/generate/Replay.ts"
import { SourceError } from "../../src/model/Errors.ts"
import { type Contents, sourceConformance } from "../conformance/source.ts"
import { readAll } from "../conformance/reading.ts"

interface Flight {
  readonly date: string
  readonly delay: number
}

const flights: ReadonlyArray<Flight> = Array.from({ length: 60 }, (_, n) => ({
  date: new Date(Date.UTC(2001, 0, 1) + n * 60_000).toISOString(),
  delay: n
}))
const features = { bounded: true, appendTime: false, endPosition: false, replayable: true, dynamicPartitions: false }
const options = {
  partitions: 2,
  within: "10 minutes",
  time: "date",
  late: { fraction: 0.05 },
  duplicates: 0.05
} as const

/** What the partitions hold, read once in large chunks: that it is right is for the laws; here, that it stays the same. */
const contentsOf = (
  inner: ReturnType<typeof Memory.source<Flight>>
): Effect.Effect<ReadonlyMap<string, Contents<Flight>>, unknown> =>
  Effect.gen(function* () {
    const contents = new Map<string, Contents<Flight>>()
    for (const p of ["0", "1"]) {
      const cursor = Effect.flatMap(Replay.outOfOrder(inner, options).open(p, Option.none()), (c) =>
        readAll(features, c, 1000)
      )
      const { rows, dead } = yield* Effect.scoped(cursor)
      contents.set(p, { rows, dead: dead.length })
    }
    return contents
  })

for (const columns of [false, true]) {
  sourceConformance(
    `replay out of order, of ${columns ? "columns" : "rows"} in two partitions`,
    features,
    Effect.gen(function* () {
      const inner = Memory.source<Flight>(
        { partitions: { b: flights.slice(30), a: flights.slice(0, 30) } },
        { columns, chunkRows: 8 }
      )
      return { source: Replay.outOfOrder(inner, options), contents: yield* contentsOf(inner) }
    })
  )
}
sourceConformance(
  "replay out of order, with dead rows",
  features,
  Effect.gen(function* () {
    const channel = Memory.channel<Flight>({ bounded: true })
    for (let n = 0; n < flights.length; n++) {
      if (n % 5 === 0)
        yield* channel.pushDead("0", {
          reason: "malformed",
          detail: "not JSON",
          place: `line ${n}`,
          bytes: new Uint8Array(1),
          truncated: false
        })
      yield* channel.push("0", [flights[n]])
    }
    yield* channel.end("0")
    const contents = yield* contentsOf(channel.source)
    const dead = [...contents.values()].reduce((n, c) => n + (c.dead ?? 0), 0)
    if (dead !== 12) return yield* Effect.die(new Error(`${dead} dead rows of 12`))
    return { source: Replay.outOfOrder(channel.source, options), contents, held: channel.cursors }
  })
)

describe("Replay.outOfOrder", () => {
  const demand = { rows: 1000, bytes: 1 << 20 }
  it("hands on the rows themselves, with their meta; columns stay columns", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const byRows = yield* Replay.outOfOrder(Memory.source(flights), options).open("0", Option.none())
          const chunk = yield* byRows.pull(demand)
          expect(flights).toContain(chunk.rows?.[0])
          expect(flights[chunk.meta?.(0).index ?? -1]).toBe(chunk.rows?.[0])
          const byColumns = yield* Replay.outOfOrder(Memory.source(flights, { columns: true }), options).open(
            "0",
            Option.none()
          )
          const columnar = yield* byColumns.pull(demand)
          expect(columnar.rows).toBeUndefined()
          expect(columnar.columns?.delay).toBeInstanceOf(Float64Array)
          expect([...(columnar.columns?.date ?? [])]).toEqual(chunk.rows?.map((r) => r.date))
        })
      )
    ))
  it("rows of different shapes in one chunk come as rows", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const mixed = [
            { at: 1, a: 1 },
            { at: 2, b: 2 },
            { at: 3, a: 3 },
            JSON.parse('{"at":4,"__proto__":5}') as { at: number }
          ]
          const inner = Memory.source<{ at: number }>(mixed, { columns: true, chunkRows: 1 })
          const cursor = yield* Replay.outOfOrder(inner, { partitions: 1, within: 0, time: "at" }).open(
            "0",
            Option.none()
          )
          const got: Array<unknown> = []
          while (got.length < mixed.length) {
            const chunk = yield* cursor.pull(demand)
            const { columns } = chunk
            got.push(
              ...(chunk.rows ??
                Array.from({ length: chunk.length }, (_, i) =>
                  Object.fromEntries(Object.entries(columns ?? {}).map(([n, c]) => [n, c[i]]))
                ))
            )
          }
          expect(got).toEqual(mixed)
        })
      )
    ))
  it("closes each inner partition before it opens the next", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const channel = Memory.channel<Flight>({ bounded: true, partitions: ["a", "b"] })
          for (const p of ["a", "b"]) {
            yield* channel.push(p, flights)
            yield* channel.end(p)
          }
          const cursor = yield* Replay.outOfOrder(channel.source, options).open("0", Option.none())
          const { rows } = yield* readAll(features, cursor, 1000)
          expect(rows.length).toBeGreaterThan(40)
          expect(yield* channel.cursors).toBe(0)
        })
      )
    ))
  it("fails as the inner source fails", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const channel = Memory.channel<Flight>({ bounded: true })
          yield* channel.fail("0", new SourceError({ connector: "disk", retryable: true, message: "gone" }))
          const cursor = yield* Replay.outOfOrder(channel.source, options).open("0", Option.none())
          expect(yield* Effect.flip(cursor.pull(demand))).toMatchObject({ connector: "disk", message: "gone" })
        })
      )
    ))
  it("names wrong options, and refuses what does not end", () => {
    const wrong = Replay.outOfOrder(Memory.channel<Flight>().source, {
      partitions: 0,
      within: "soon" as "1 second",
      time: "date",
      duplicates: -1
    })
    expect(wrong.problems?.map((p) => p.option.replace("Replay.outOfOrder.", ""))).toEqual([
      "partitions",
      "within",
      "duplicates",
      "source"
    ])
  })
})
