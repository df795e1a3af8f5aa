/** Progress of an epoch: Spark's fields, filled from our facts; lag and event times. */
import { describe, expect, it } from "vitest"
import { epochProgressOf, stateFactsOf } from "../../src/actors/EpochProgress.ts"
import { lagOf } from "../../src/actors/Lag.ts"
import { progressOf, recentProgressOf } from "../../src/actors/Progress.ts"
import { position } from "../../src/model/Position.ts"
import { EventTimeStats, mergeRanges } from "../../src/streams/EventTimeStats.ts"
import { atMs, epoch, reader, stateOf } from "./support.ts"

/** Spark 4.3.0, StreamingQueryProgress. */
const sparkFields = [
  ...["id", "runId", "name", "timestamp", "batchId", "batchDuration", "numInputRows", "inputRowsPerSecond"],
  ...["processedRowsPerSecond", "durationMs", "eventTime", "stateOperators", "sources", "sink"]
]
const sparkStateFields = [
  ...["operatorName", "numRowsTotal", "numRowsUpdated", "allUpdatesTimeMs", "numRowsRemoved", "allRemovalsTimeMs"],
  ...["commitTimeMs", "memoryUsedBytes", "numRowsDroppedByWatermark", "numShufflePartitions"],
  ...["numStateStoreInstances", "customMetrics"]
]
const sparkDurations = [
  ...["addBatch", "commitOffsets", "getBatch", "latestOffset", "queryPlanning", "triggerExecution", "walCommit"]
]
const sparkSourceFields = [
  ...["description", "startOffset", "endOffset", "latestOffset", "numInputRows", "inputRowsPerSecond"],
  "processedRowsPerSecond"
]

describe("M1: progress of an epoch", () => {
  const [, last] = recentProgressOf(stateOf("by-category"), 100, atMs)

  it("has every field that Spark's has, by the same names", () => {
    expect(Object.keys(last)).toEqual(expect.arrayContaining(sparkFields))
    expect(Object.keys(last.durationMs).toSorted()).toEqual(sparkDurations)
    expect(Object.keys(last.stateOperators[0])).toEqual(expect.arrayContaining(sparkStateFields))
    expect(Object.keys(last.sources[0])).toEqual(expect.arrayContaining(sparkSourceFields))
    expect(Object.keys(last.sink)).toEqual(["description", "numOutputRows"])
    expect(Object.keys(last.eventTime).toSorted()).toEqual(["avg", "max", "min", "watermark"])
  })

  it("says who, when, how many and how fast", () => {
    expect(last).toMatchObject({
      id: "id-of-by-category",
      runId: "run-of-by-category",
      name: "by-category",
      timestamp: "2026-01-01T12:00:20.000Z",
      batchId: 2,
      batchDuration: 10_000,
      numInputRows: 50,
      inputRowsPerSecond: 5,
      processedRowsPerSecond: 5,
      stateBytes: 4_096
    })
    expect(last.durationMs).toEqual({
      addBatch: 5,
      commitOffsets: 45,
      getBatch: 0,
      latestOffset: 0,
      queryPlanning: 0,
      triggerExecution: 100,
      walCommit: 50
    })
    expect(last.eventTime).toEqual({
      avg: "2026-01-01T11:59:56.000Z",
      max: "2026-01-01T12:00:00.000Z",
      min: "2026-01-01T11:59:51.000Z",
      watermark: "2026-01-01T12:00:19.000Z"
    })
  })

  it("counts what happened to state in this epoch, not since the start", () => {
    expect(last.stateOperators).toEqual([
      expect.objectContaining({
        operatorName: "window-1",
        numRowsTotal: 12,
        numRowsUpdated: 48,
        numRowsRemoved: 47,
        numRowsDroppedByWatermark: 1,
        commitTimeMs: 2,
        memoryUsedBytes: 2_048,
        numShufflePartitions: 3,
        customMetrics: { rowsHeld: 42, duplicates: 0, keys: 12 }
      })
    ])
  })

  it("does not take the counts of earlier runs for its own", () => {
    const state = stateOf("q")
    const told = epochProgressOf(state, epoch(7))
    expect(told.stateOperators[0].numRowsUpdated).toBe(48)
    const none = { epoch: 0, operators: [], edges: [], sinks: [] }
    const all = epochProgressOf(state, epoch(7, { before: none }))
    expect(all.stateOperators[0].numRowsUpdated).toBe(7 * 48)
  })

  it("says where each source stood, and the end only for the last epoch", () => {
    const [first, second] = recentProgressOf(stateOf("q"), 100, atMs)
    expect(first.sources[0]).toMatchObject({ startOffset: {}, endOffset: { "0": "50" }, latestOffset: null })
    expect(second.sources).toEqual([
      {
        description: "orders",
        startOffset: { "0": "50" },
        endOffset: { "0": "100" },
        latestOffset: { "0": "2100" },
        numInputRows: 50,
        inputRowsPerSecond: 5,
        processedRowsPerSecond: 5
      }
    ])
  })

  it("says what waits now, and when it will have been read, with the last epoch alone", () => {
    const [first, second] = recentProgressOf(stateOf("q"), 100, atMs)
    expect([first.lag, first.catchUp]).toEqual([null, null])
    expect(second.lag).toEqual([{ source: "orders", partition: "0", rows: 2_000, ms: 3_000 }])
    expect(second.catchUp).toEqual({ rows: 3_400, readPerSecond: 30, comingPerSecond: 10, ms: 170_000 })
    const state = stateOf("q")
    if (state.status !== undefined) Object.assign(state.status, { readers: [reader({ end: undefined })], looks: [] })
    const [unknown] = recentProgressOf(state, 1, atMs)
    expect([unknown.lag?.[0].rows, unknown.catchUp]).toEqual([null, null])
  })

  it("counts rows by output, and is plain JSON", () => {
    expect(last.sink).toEqual({ description: "terminal", numOutputRows: 7 })
    expect(last.sinks.map(({ name, role, numOutputRows }) => [name, role, numOutputRows])).toEqual([
      ["output", "output", 7],
      ["dead", "dead", 1]
    ])
    expect(JSON.parse(JSON.stringify(last))).toEqual(last)
  })

  it("has no watermark before every partition has one, and none of rows without event time", () => {
    const silent = { operator: "source orders", partition: "1", lane: 1, position: undefined, rows: 0, watermarks: {} }
    const facts = epoch(1, { to: [...epoch(1).to, silent], eventTime: undefined })
    expect(epochProgressOf(stateOf("q"), facts).eventTime).toEqual({})
    const ended = epoch(1, { to: [{ ...silent, watermarks: { "withEventTime-1": Infinity } }], eventTime: undefined })
    expect(epochProgressOf(stateOf("q"), ended).eventTime).toEqual({})
  })

  it("keeps partitions with hostile names", () => {
    const to = [{ ...epoch(1).to[0], partition: "__proto__" }]
    const facts = epoch(1, { to, rowsInOf: { "source orders/__proto__": 3 } })
    const [source] = epochProgressOf(stateOf("q"), facts).sources
    expect(Object.entries(source.endOffset)).toEqual([["__proto__", "50"]])
    expect(source.numInputRows).toBe(3)
  })

  it("shows at most as many epochs as asked for, the last ones", () => {
    const state = stateOf("q", { epochs: [epoch(1), epoch(2), epoch(3)] })
    expect(recentProgressOf(state, 2, atMs).map(({ batchId }) => batchId)).toEqual([2, 3])
    expect(recentProgressOf(stateOf("q", { epochs: [] }), 100, atMs)).toEqual([])
  })
})

describe("a moment of a query", () => {
  it("has its place in time, its lag and its guarantee", () => {
    const progress = progressOf(stateOf("q"), atMs)
    expect(progress).toMatchObject({ id: "id-of-q", runId: "run-of-q", phase: "running", attempt: 1, epoch: 2 })
    expect(progress.partitions[0]).toMatchObject({ operator: "source orders", lag: { rows: 2_000, ms: 3_000 } })
    expect(progress.guarantee.delivery).toBe("at-least-once")
    expect(progress.operators).toEqual([{ operator: "window-1", keys: 12, watermark: atMs - 7_000 }])
  })

  it("adds up the state of an operator's instances", () => {
    expect(stateFactsOf(stateOf("q").status)).toEqual([{ operator: "window-1", keys: 12, bytes: 2_048, instances: 2 }])
    expect(stateFactsOf(undefined)).toEqual([])
  })
})

describe("lag: what is not known is absent", () => {
  it.each([
    ["ended", reader({ ended: true }), { rows: 0, ms: 0 }],
    ["at the end its source names", reader({ end: position("100") }), { rows: 0, ms: 0 }],
    ["read beyond the end of the last look", reader({ position: position("2107") }), { rows: 0, ms: 0 }],
    ["nothing waits, in other words", reader({ position: position("2100.0") }), { rows: 0, ms: 0 }],
    ["where it stands is not known yet", reader({ position: undefined }), { rows: undefined, ms: 3_000 }],
    ["positions that do not tell", reader({ end: position("unknown") }), { rows: undefined, ms: 3_000 }],
    ["behind by rows and time", reader(), { rows: 2_000, ms: 3_000 }],
    ["no append times", reader({ appendMs: undefined }), { rows: 2_000, ms: undefined }],
    ["a source that cannot count", reader({ rowsBetween: undefined }), { rows: undefined, ms: 3_000 }],
    ["append times from the future", reader({ appendMs: atMs + 9 }), { rows: 2_000, ms: 0 }],
    ["nothing known", reader({ end: undefined, appendMs: undefined }), { rows: undefined, ms: undefined }]
  ])("%s", (_, facts, lag) => {
    expect(lagOf(facts, atMs)).toEqual(lag)
  })
})

describe("event times of an epoch", () => {
  it("are those of the rows since the last look, however they were cut into chunks", () => {
    const times = Array.from({ length: 1_001 }, (_, i) => atMs + ((i * 7_919) % 1_001) * 1_000)
    const avg = times.reduce((sum, t) => sum + (t - atMs), 0) / times.length + atMs
    for (const size of [1, 2, 3, 1_001]) {
      const stats = new EventTimeStats()
      for (let i = 0; i < times.length; i += size) stats.add(Float64Array.from(times.slice(i, i + size)))
      expect(stats.take()).toEqual({ count: 1_001, min: atMs, max: atMs + 1_000_000, avg })
      expect(stats.take()).toBeUndefined()
    }
  })

  it("of several partitions are weighed by their rows", () => {
    const a = { count: 1, min: 10, max: 10, avg: 10 }
    const b = { count: 3, min: 20, max: 40, avg: 30 }
    expect(mergeRanges([undefined, a, undefined, b])).toEqual({ count: 4, min: 10, max: 40, avg: 25 })
    expect(mergeRanges([undefined])).toBeUndefined()
  })
})
