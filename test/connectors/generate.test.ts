import { type Clock, Duration, Effect, Option, Schema } from "effect"
import { describe, expect, it } from "vitest"
import * as Generate from "../../src/connectors/generate/Generate.ts"
import type { Source } from "../../src/model/Source.ts"
import { sourceConformance } from "../conformance/source.ts"

const text = new TextDecoder("utf-8", { fatal: true })

const Transaction = Schema.Struct({
  transaction_id: Schema.String,
  customer_id: Schema.String,
  amount: Schema.Number,
  category: Schema.String,
  timestamp: Schema.DateTimeUtcFromString,
  location: Schema.String,
  payment_method: Schema.String
})
const IotEvent = Schema.Struct({
  eventId: Schema.String,
  complexData: Schema.Record(Schema.String, Schema.Number),
  value: Schema.Number,
  deviceId: Schema.String,
  deviceSequenceNumber: Schema.Number,
  type: Schema.Literals(["CO2", "TEMP"]),
  createdAt: Schema.DateTimeUtcFromString
})

/** What a decoder with a schema makes of lines: rows as JSON has them, and how many it refuses. */
const decoded = <A>(
  schema: Schema.Codec<unknown, unknown>,
  lines: Iterable<Uint8Array>
): { readonly rows: ReadonlyArray<A>; readonly dead: number } => {
  const rows: Array<A> = []
  let dead = 0
  const check = Schema.decodeUnknownSync(schema)
  for (const line of lines) {
    try {
      const value = JSON.parse(text.decode(line)) as A
      check(value)
      rows.push(value)
    } catch {
      dead++
    }
  }
  return { rows, dead }
}

const odd = {
  seed: 7,
  count: 120,
  partitions: 3,
  startAt: "2026-01-01",
  outOfOrderness: "2 seconds",
  duplicates: "10%",
  late: 0.1,
  poison: 0.15,
  futureDated: 0.05
} as const
const bounded = { bounded: true, appendTime: true, endPosition: true, replayable: true, dynamicPartitions: false }
const three = [0, 1, 2]

sourceConformance(
  "generated transactions, bounded, with every oddity",
  bounded,
  Effect.sync(() => ({
    source: Generate.transactions(odd),
    contents: new Map(
      three.map((p) => [String(p), decoded<Generate.Transaction>(Transaction, Generate.transactionsLines(odd, p))])
    )
  }))
)
sourceConformance(
  "generated IoT events, bounded, with every oddity",
  bounded,
  Effect.sync(() => ({
    source: Generate.iot(odd),
    contents: new Map(three.map((p) => [String(p), decoded<Generate.IotEvent>(IotEvent, Generate.iotLines(odd, p))]))
  }))
)
sourceConformance(
  "generated lines",
  bounded,
  Effect.sync(() => ({
    source: Generate.lines("transactions", odd),
    contents: new Map(three.map((p) => [String(p), { rows: [...Generate.transactionsLines(odd, p)] }]))
  }))
)

/** The real clock, set to another time, and moved on by a test. Sleeps look at it every millisecond. */
const movable = (start: number): { readonly clock: Clock.Clock; readonly advance: (ms: number) => void } => {
  let offset = start - Date.now()
  const now = (): number => Date.now() + offset
  const tick = Effect.callback<void>((resume) => void setTimeout(() => resume(Effect.void), 1))
  const sleep: Clock.Clock["sleep"] = (duration) =>
    Effect.suspend(() => {
      const until = now() + Duration.toMillis(duration)
      const wait: Effect.Effect<void> = Effect.suspend(() =>
        now() >= until ? Effect.void : Effect.andThen(tick, wait)
      )
      return wait
    })
  const nanos = (): bigint => BigInt(now()) * 1_000_000n
  const clock: Clock.Clock = {
    currentTimeMillisUnsafe: now,
    currentTimeMillis: Effect.sync(now),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: nanos,
    monotonicTimeNanos: Effect.sync(nanos),
    sleep
  }
  return { clock, advance: (ms) => void (offset += ms) }
}

const from2026 = Date.UTC(2026, 0, 1)

sourceConformance(
  "generated transactions, paced and without end",
  { ...bounded, bounded: false },
  Effect.sync(() => {
    // An event an hour; 60 have arrived when the clock stands 59.5 hours in.
    const options = { rate: 1 / 3600, partitions: 1, startAt: from2026 } as const
    const { clock, advance } = movable(from2026 + 59.5 * 3_600_000)
    const rows = (n: number): ReadonlyArray<Generate.Transaction> =>
      decoded<Generate.Transaction>(Transaction, Generate.transactionsLines({ ...options, count: n }, 0)).rows
    return {
      source: Generate.transactions(options),
      clock,
      contents: new Map([["0", { rows: rows(60) }]]),
      more: () =>
        Effect.sync(() => {
          advance(4 * 3_600_000)
          return rows(64).slice(60)
        })
    }
  })
)

const demand = { rows: 1000, bytes: 1 << 20 }
const pullOnce = <A>(
  source: Source<A, Generate.GeneratedMeta, unknown>,
  partition = "0"
): Promise<{ readonly rows: ReadonlyArray<A>; readonly arrived: ReadonlyArray<number> }> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const chunk = yield* (yield* source.open(partition, Option.none())).pull(demand)
        return { rows: chunk.rows ?? [], arrived: [...(chunk.appendTimes ?? [])] }
      })
    )
  )

describe("Generate", () => {
  it("makes transactions with the fields of the tutorial's producer", async () => {
    const { rows } = await pullOnce(
      Generate.transactions({ count: 4, startAt: "2026-01-01T12:00:00Z", rate: 1, partitions: 1 })
    )
    expect(Object.keys(rows[0])).toEqual([
      "transaction_id",
      "customer_id",
      "amount",
      "category",
      "timestamp",
      "location",
      "payment_method"
    ])
    expect(rows.map((r) => r.transaction_id)).toEqual(["T000001", "T000002", "T000003", "T000004"])
    for (const r of rows) {
      expect(r.customer_id).toMatch(/^C(0[0-9]{2}|100)$/)
      expect(r.amount).toBeGreaterThanOrEqual(10)
      expect(r.amount).toBeLessThanOrEqual(500)
      expect(r.timestamp).toMatch(/^2026-01-01T12:00:0[0-3]\.[0-9]{6}$/)
    }
  })
  it("makes IoT events with the fields of the load test, devices in rounds", async () => {
    const { rows } = await pullOnce(
      Generate.iot({ count: 30, startAt: "2026-01-01", partitions: 1, keys: 10, moreData: 3 })
    )
    expect(Object.keys(rows[0])).toEqual([
      "eventId",
      "complexData",
      "value",
      "deviceId",
      "deviceSequenceNumber",
      "type",
      "createdAt"
    ])
    expect(Object.keys(rows[0].complexData)).toEqual(["moreData0", "moreData1", "moreData2"])
    expect(rows[0].eventId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(rows[0].createdAt).toMatch(/^2026-01-01T00:00:00\.[0-9]{6}Z$/)
    for (const round of [0, 1, 2]) {
      const devices = rows.slice(round * 10, round * 10 + 10)
      expect(new Set(devices.map((r) => r.deviceId)).size).toBe(10)
      expect(devices.every((r) => r.deviceSequenceNumber === round)).toBe(true)
    }
    expect(rows[0].deviceId).toMatch(/^contoso-device-id-00000[0-9]$/)
  })
  it("T8: with a count, events end at now; without, they begin now", async () => {
    const before = Date.now()
    const { arrived } = await pullOnce(Generate.transactions({ count: 100, rate: 10, partitions: 1 }))
    const now = Date.now()
    expect(arrived.length).toBe(100)
    expect(arrived[99]).toBeGreaterThanOrEqual(before - 1)
    expect(arrived[99]).toBeLessThanOrEqual(now)
    expect(arrived[99] - arrived[0]).toBe(9900)
    const live = await pullOnce(Generate.transactions({ rate: 100, partitions: 1 }))
    expect(live.arrived[0]).toBeGreaterThanOrEqual(now)
  })
  it("T8: future-dated events are ahead of their append time, by `futureBy`, others are not", async () => {
    const options = {
      count: 400,
      partitions: 1,
      startAt: from2026,
      futureDated: "25%",
      futureBy: "2 hours",
      outOfOrderness: "1 second"
    } as const
    const { rows, arrived } = await pullOnce(Generate.iot(options))
    const ahead = rows.map((r, i) => Date.parse(r.createdAt) - arrived[i])
    expect(ahead.filter((ms) => ms > 0).every((ms) => ms > 7_199_000 && ms <= 7_200_000)).toBe(true)
    expect(ahead.filter((ms) => ms > 0).length).toBeGreaterThan(60)
  })
  it("a position carries the start, so that another process goes on with the same events", async () => {
    const options = { count: 50, partitions: 1 } as const
    const [first, rest] = await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const chunk = yield* (yield* Generate.iot(options).open("0", Option.none())).pull({ rows: 20, bytes: 1e6 })
          yield* Effect.sleep(5)
          const elsewhere = yield* Generate.iot(options).open("0", Option.some(chunk.next))
          return [chunk, yield* elsewhere.pull(demand)] as const
        })
      )
    )
    const start = first.appendTimes?.[0]
    const all = [...Generate.iotLines({ ...options, startAt: start }, 0)].map(
      (line) => JSON.parse(text.decode(line)) as Generate.IotEvent
    )
    expect([...(first.rows ?? []), ...(rest.rows ?? [])]).toEqual(all)
  })
  it("unpaced, it hands out events before their time, as fast as they are asked for", async () => {
    const { rows } = await pullOnce(Generate.transactions({ rate: 1, paced: false }))
    expect(rows.length).toBe(1000)
  })
  it("names wrong options: which, the value, and the fix", () => {
    const wrong = {
      rate: 0,
      count: -1,
      partitions: 0,
      keys: 1.5,
      outOfOrderness: "10 minuts",
      duplicates: 2,
      late: "5" as "5%",
      startAt: "yesterday"
    } as const
    const { problems } = Generate.transactions(wrong as unknown as Generate.GeneratorOptions)
    expect(problems?.map((p) => p.option.replace("Generate.transactions.", "")).sort()).toEqual(
      ["count", "duplicates", "keys", "late", "outOfOrderness", "partitions", "rate", "startAt"].sort()
    )
    expect(problems?.find((p) => p.option.endsWith("outOfOrderness"))?.fix).toContain('try "10 minutes"')
    expect(Generate.iot({ keys: 3 }).problems?.[0].option).toBe("Generate.iot.keys")
    expect(Generate.iot({ late: 0.6, poison: 0.6 }).problems?.length).toBe(1)
    expect(() => [...Generate.iotLines({ startAt: 0, rate: -1 }, 0)]).toThrow(/Generate\.iot\.rate: -1/)
  })
})
