/** Laws of the seeded generators and of Replay: same seed, same events; shares and disorder within their bounds. */
import { Cause, Effect, Option } from "effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Generate from "../src/connectors/generate/Generate.ts"
import { eventHash } from "../src/connectors/generate/hash.ts"
import { type GeneratorOptions, readSettings } from "../src/connectors/generate/options.ts"
import * as Replay from "../src/connectors/generate/Replay.ts"
import { makeHeap } from "../src/connectors/generate/ReleaseHeap.ts"
import {
  arrivalMs,
  arrived,
  kindOf,
  originOf,
  timeMs,
  type Timeline,
  timeline
} from "../src/connectors/generate/timeline.ts"
import * as Memory from "../src/connectors/memory/Memory.ts"
import type { OptionProblem } from "../src/model/Errors.ts"
import type { Source, SourceChunk } from "../src/model/Source.ts"

const startAt = Date.UTC(2026, 0, 1)
const text = new TextDecoder()

const timelineOf = (options: GeneratorOptions, partition: number): Timeline => {
  const problems: Array<OptionProblem> = []
  const settings = readSettings("test", { startAt, ...options }, 100, problems)
  expect(problems).toEqual([])
  return timeline(settings, partition, startAt)
}

const linesOf = (options: GeneratorOptions, partition: number): ReadonlyArray<string> =>
  Array.from(Generate.transactionsLines({ startAt, ...options }, partition), (line) => text.decode(line))

const share = fc.double({ min: 0, max: 0.25, noNaN: true })
const generatorOptions = fc.record({
  seed: fc.integer(),
  rate: fc.double({ min: 0.1, max: 5000, noNaN: true }),
  count: fc.integer({ min: 0, max: 300 }),
  partitions: fc.integer({ min: 1, max: 5 }),
  outOfOrderness: fc.integer({ min: 0, max: 100_000 }),
  duplicates: share,
  late: share,
  poison: share,
  futureDated: share
})

/** That `k` of `n` is what a share of `p` gives, within five standard deviations. */
const expectShare = (k: number, n: number, p: number): void =>
  expect(Math.abs(k - n * p)).toBeLessThanOrEqual(5 * Math.sqrt(n * p * (1 - p)) + 1)

describe("generators", () => {
  it("law: same seed and start, same events; another seed, others", () => {
    fc.assert(
      fc.property(generatorOptions, (options) => {
        for (let p = 0; p < options.partitions; p++) {
          const once = linesOf(options, p)
          expect(linesOf(options, p)).toEqual(once)
          // Few events, or broken ones that all look alike, may be equal by chance.
          const telling = once.length > 3 && options.poison + options.duplicates < 0.3
          const same = linesOf({ ...options, seed: options.seed + 1 }, p).join("\n") === once.join("\n")
          expect(telling && same).toBe(false)
        }
      }),
      { numRuns: 40 }
    )
  })
  it("law: any event can be made without those before it", () => {
    fc.assert(
      fc.property(generatorOptions, fc.nat(), (options, from) => {
        const all = linesOf(options, 0)
        const at = all.length === 0 ? 0 : from % all.length
        expect(Array.from(Generate.transactionsLines({ startAt, ...options }, 0, at), (l) => text.decode(l))).toEqual(
          all.slice(at)
        )
      }),
      { numRuns: 40 }
    )
  })
  it("law: the partitions hold `count` events together, and what has arrived agrees with the times of arrival", () => {
    fc.assert(
      fc.property(generatorOptions, fc.nat({ max: 400 }), (options, index) => {
        let total = 0
        for (let p = 0; p < options.partitions; p++) {
          const t = timelineOf(options, p)
          total += t.count
          const i = Math.min(index, t.count - 1)
          if (i < 0) continue
          expect(arrived(t, arrivalMs(t, i))).toBeGreaterThan(i)
          expect(arrived(t, arrivalMs(t, i) - 1)).toBeLessThanOrEqual(i)
        }
        expect(total).toBe(options.count)
      }),
      { numRuns: 100 }
    )
  })
  it("shares are what they were asked to be", () => {
    const options = {
      seed: 11,
      count: 20_000,
      partitions: 1,
      duplicates: "2%",
      late: 0.05,
      poison: "0.5%",
      futureDated: 0.01
    } as const
    const t = timelineOf(options, 0)
    const kinds = new Map<string, number>()
    for (let i = 0; i < t.count; i++) {
      const kind = kindOf(t, i, eventHash(t.seed, i))
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
    }
    expectShare(kinds.get("duplicate") ?? 0, t.count, 0.02)
    expectShare(kinds.get("late") ?? 0, t.count, 0.05)
    expectShare(kinds.get("poison") ?? 0, t.count, 0.005)
    expectShare(kinds.get("future") ?? 0, t.count, 0.01)
  })
  it("law: events are disordered within `outOfOrderness`, and late ones are behind the watermark it gives", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 60_000 }), share, (seed, outOfOrderness, late) => {
        const t = timelineOf(
          { seed, outOfOrderness, late, count: 400, partitions: 2, rate: 100, lateBy: "10 seconds" },
          1
        )
        let newest = Number.NEGATIVE_INFINITY
        const wrong: Array<string> = []
        for (let i = 0; i < t.count; i++) {
          const event = eventHash(t.seed, i)
          const kind = kindOf(t, i, event)
          const ms = timeMs(t, i, event, kind)
          const behind = newest - ms > outOfOrderness
          if (ms > arrivalMs(t, i)) wrong.push(`${i} happens after it arrives`)
          if (kind !== "late" && behind) wrong.push(`${i} is late`)
          if (kind === "late" && !behind && newest > Number.NEGATIVE_INFINITY) wrong.push(`${i} is not late`)
          if (kind !== "late") newest = Math.max(newest, ms)
        }
        expect(wrong).toEqual([])
      }),
      { numRuns: 60 }
    )
  })
  it("law: a duplicate repeats an earlier event of its partition exactly; ids are unique otherwise", () => {
    fc.assert(
      fc.property(fc.integer(), fc.double({ min: 0, max: 1, noNaN: true }), (seed, duplicates) => {
        const options = { seed, duplicates, count: 200, partitions: 2, startAt }
        const ids: Array<string> = []
        for (const p of [0, 1]) {
          const t = timelineOf(options, p)
          const lines = Array.from(Generate.iotLines(options, p), (l) => text.decode(l))
          const origins = lines.map((_, i) => originOf(t, i))
          const firsts = lines.filter((_, i) => origins[i] === i)
          ids.push(...firsts.map((line) => (JSON.parse(line) as Generate.IotEvent).eventId))
          expect(origins.every((origin, i) => origin <= i)).toBe(true)
          expect(lines).toEqual(origins.map((origin) => lines[origin]))
        }
        expect(new Set(ids).size).toBe(ids.length)
      }),
      { numRuns: 30 }
    )
  })
  it("a device's sequence numbers count up from 0, whatever the numbers of devices and partitions", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 4, max: 40 }),
        fc.integer(),
        (partitions, keys, seed) => {
          const options = { partitions, keys, seed, count: 300, startAt, moreData: 0 }
          const last = new Map<string, number>()
          for (let p = 0; p < partitions; p++) {
            for (const line of Generate.iotLines(options, p)) {
              const { deviceId, deviceSequenceNumber } = JSON.parse(text.decode(line)) as Generate.IotEvent
              expect(deviceSequenceNumber).toBe((last.get(deviceId) ?? -1) + 1)
              last.set(deviceId, deviceSequenceNumber)
            }
          }
          expect(last.size).toBe(Math.min(keys, 300))
        }
      ),
      { numRuns: 30 }
    )
  })
})

interface Row {
  readonly n: number
  readonly at: number
}

const rowsOf = (chunks: ReadonlyArray<SourceChunk<Row>>): ReadonlyArray<Row> =>
  chunks.flatMap(
    (c) =>
      c.rows ??
      Array.from({ length: c.length }, (_, i) => ({ n: Number(c.columns?.n[i]), at: Number(c.columns?.at[i]) }))
  )

const readAll = (source: Source<Row, unknown, unknown>, partition: string, size = 1000): ReadonlyArray<Row> =>
  Effect.runSync(
    Effect.scoped(
      Effect.gen(function* () {
        const cursor = yield* source.open(partition, Option.none())
        const chunks: Array<SourceChunk<Row>> = []
        for (;;) {
          const pulled = yield* Effect.result(cursor.pull({ rows: size, bytes: 1 << 20 }))
          if (pulled._tag === "Success") chunks.push(pulled.success)
          else if (Cause.isDone(pulled.failure)) return rowsOf(chunks)
          else return yield* Effect.die(pulled.failure)
        }
      })
    )
  )

const dealt = (source: Source<Row, unknown, unknown>, partitions: number): ReadonlyArray<ReadonlyArray<Row>> =>
  Array.from({ length: partitions }, (_, p) => readAll(source, String(p)))

const byNumber = (rows: ReadonlyArray<ReadonlyArray<Row>>): ReadonlyArray<Row> => rows.flat().sort((a, b) => a.n - b.n)

const steps = fc.array(fc.nat({ max: 5000 }), { maxLength: 300 })
const sorted = (gaps: ReadonlyArray<number>): ReadonlyArray<Row> => {
  let at = startAt
  return gaps.map((gap, n) => ({ n, at: (at += gap) }))
}

describe("Replay.outOfOrder", () => {
  it("law: each row comes out in exactly one partition, at most `within` out of order", () => {
    fc.assert(
      fc.property(
        steps,
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 0, max: 20_000 }),
        fc.integer(),
        (gaps, partitions, within, seed) => {
          const rows = sorted(gaps)
          const out = dealt(
            Replay.outOfOrder(Memory.source(rows), { partitions, within, seed, time: "at" }),
            partitions
          )
          expect(byNumber(out)).toEqual(rows)
          for (const partition of out) {
            let newest = Number.NEGATIVE_INFINITY
            for (const row of partition) {
              expect(newest - row.at).toBeLessThanOrEqual(within)
              newest = Math.max(newest, row.at)
            }
          }
        }
      ),
      { numRuns: 60 }
    )
  })
  it("A4: how the rows come in does not matter: chunks, columns, rows, a field or a function", () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 3 }), fc.integer(), (gaps, partitions, seed) => {
        const rows = sorted(gaps)
        const options = { partitions, within: 9000, seed, late: { fraction: 0.1, by: 5000 }, duplicates: 0.1 }
        const expected = dealt(Replay.outOfOrder(Memory.source(rows), { ...options, time: "at" }), partitions)
        for (const [chunkRows, columns] of [
          [1, false],
          [7, true],
          [1000, true]
        ] as const) {
          const inner = Memory.source(rows, { chunkRows, columns })
          expect(dealt(Replay.outOfOrder(inner, { ...options, time: "at" }), partitions)).toEqual(expected)
          expect(dealt(Replay.outOfOrder(inner, { ...options, time: (row) => new Date(row.at) }), partitions)).toEqual(
            expected
          )
        }
        const parts = { a: rows.slice(0, gaps.length >> 1), b: rows.slice(gaps.length >> 1) }
        expect(
          dealt(Replay.outOfOrder(Memory.source({ partitions: parts }), { ...options, time: "at" }), partitions)
        ).toEqual(expected)
        expected.forEach((whole, p) => {
          const source = Replay.outOfOrder(Memory.source(rows), { ...options, time: "at" })
          for (const size of [1, 5]) expect(readAll(source, String(p), size)).toEqual(whole)
        })
      }),
      { numRuns: 25 }
    )
  })
  it("law: rows that are not sorted, or have no time, come out all the same", () => {
    const time = fc.oneof(fc.integer({ min: -1e12, max: 1e12 }), fc.constant(Number.NaN))
    fc.assert(
      fc.property(fc.array(time, { maxLength: 200 }), fc.integer(), (times, seed) => {
        const rows = times.map((at, n) => ({ n, at }))
        expect(
          byNumber(
            dealt(Replay.outOfOrder(Memory.source(rows), { partitions: 2, within: "1 hour", seed, time: "at" }), 2)
          )
        ).toEqual(rows)
      }),
      { numRuns: 60 }
    )
  })
  it("rows are spread evenly and do get out of order; late and double ones are as many as asked for", () => {
    const rows = sorted(Array.from({ length: 20_000 }, () => 100))
    const options = {
      partitions: 4,
      within: "10 seconds",
      time: "at",
      late: { fraction: "2%", by: "1 minute" },
      duplicates: 0.05
    } as const
    const out = dealt(Replay.outOfOrder(Memory.source(rows), options), 4)
    const copies = byNumber(out).length - rows.length
    expectShare(copies, rows.length, 0.05)
    const end = rows[rows.length - 1].at
    let late = 0
    let disordered = 0
    let leastLate = Number.POSITIVE_INFINITY
    for (const partition of out) {
      expectShare(partition.length, rows.length + copies, 0.25)
      let newest = Number.NEGATIVE_INFINITY
      for (const row of partition) {
        const behind = newest - row.at
        if (behind > 10_000) late++
        else if (behind > 0) disordered++
        // Near the end of the recording there is nothing newer to be behind.
        if (behind > 10_000 && row.at < end - 120_000) leastLate = Math.min(leastLate, behind)
        newest = Math.max(newest, row.at)
      }
    }
    expect(late).toBeLessThanOrEqual(rows.length * 0.02 + 5 * Math.sqrt(rows.length * 0.02))
    expect(late).toBeGreaterThan(rows.length * 0.02 - 5 * Math.sqrt(rows.length * 0.02) - 20)
    // A late row is behind the watermark by `by` at least, give or take the distance between rows.
    expect(leastLate).toBeGreaterThan(10_000 + 60_000 - 2000)
    expect(disordered).toBeGreaterThan(rows.length / 2)
  })
})

describe("the heap of releases", () => {
  it("law: gives what was pushed in order of (release, number), also with pops in between", () => {
    fc.assert(
      fc.property(
        fc.array(fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined }), { maxLength: 2000, size: "max" }),
        (ops) => {
          const heap = makeHeap()
          let model: Array<readonly [number, number]> = []
          const popped: Array<readonly [number, number]> = []
          const expected: Array<readonly [number, number]> = []
          ops.forEach((release, i) => {
            if (release !== undefined) {
              heap.push(release, i, i)
              model = [...model, [release, i] as const].toSorted((a, b) => a[0] - b[0] || a[1] - b[1])
            } else if (model.length > 0) {
              popped.push([heap.least(), heap.pop()])
              expected.push(model[0])
              model = model.slice(1)
            }
          })
          expect(popped).toEqual(expected)
          expect(heap.size()).toBe(model.length)
          expect(model.map(() => heap.pop())).toEqual(model.map((m) => m[1]))
          expect(heap.least()).toBe(Number.POSITIVE_INFINITY)
        }
      ),
      { numRuns: 30 }
    )
  })
})
