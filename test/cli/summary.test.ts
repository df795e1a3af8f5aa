/** What the progress line and the summary say of a query: numbers, names, ledger (L1 to L3), verdict. */
import { describe, expect, it } from "vitest"
import type { QueryProgress } from "../../src/actors/Progress.ts"
import type { OperatorBalance } from "../../src/model/Ledger.ts"
import { headOf } from "../../src/cli/head.ts"
import { makeRateWindow, progressLine } from "../../src/cli/progressLine.ts"
import { type Outcome, summaryJson, summaryLines } from "../../src/cli/summary.ts"

const balance = (operator: string, counts: Partial<OperatorBalance>): OperatorBalance => ({
  operator,
  in: 0,
  forwarded: 0,
  filtered: 0,
  contributed: 0,
  late: 0,
  outside: 0,
  dead: 0,
  duplicate: 0,
  quarantined: 0,
  dropped: {},
  partlyLate: 0,
  held: 0,
  settled: 0,
  ...counts
})

const now = Date.parse("2026-01-01T12:00:03Z")

const partition = (
  watermark: number | undefined,
  more: { readonly idle?: boolean; readonly ended?: boolean } = {}
) => ({
  source: "files in",
  operator: "source files in",
  partition: "0",
  rows: 0,
  watermark,
  idle: false,
  ended: false,
  lag: { rows: undefined, ms: undefined },
  ...more
})

const progress: QueryProgress = {
  name: "by-category",
  id: "a1",
  runId: "b2",
  phase: "running",
  attempt: 1,
  continued: undefined,
  guarantee: { delivery: "exactly-once", because: [] },
  lastFailure: undefined,
  checkpoint: { givenUp: 0, why: undefined, atMs: now },
  epoch: 31,
  restarts: 0,
  rowsIn: 48_391,
  plan: [
    { operator: "source files in", kind: "source" },
    { operator: "map-1", kind: "map" },
    { operator: "window-1", kind: "window" }
  ],
  partitions: [partition(now - 340), partition(now - 2_000)],
  catchUp: undefined,
  operators: [],
  outputs: [
    { name: "output", role: "output", received: 145, written: 145, dead: 0 },
    { name: "late-window-1", role: "late", received: 97, written: 97, dead: 0 },
    { name: "dead", role: "dead", received: 132, written: 132, dead: 0 }
  ],
  queues: [],
  ledger: {
    epoch: 31,
    operators: [
      balance("window-1", { in: 48_210, contributed: 48_113, late: 97, held: 1_111, settled: 47_002, partlyLate: 3 }),
      balance("map-1", { in: 48_210, forwarded: 48_210 }),
      balance("window-1.exchange", { in: 48_210, forwarded: 48_210 }),
      balance("source files in", { partition: "0", in: 40_000, forwarded: 39_891, dead: 109 }),
      balance("source files in", {
        partition: "1",
        in: 8_391,
        forwarded: 8_319,
        duplicate: 49,
        dropped: { ["__proto__"]: 23 }
      })
    ],
    edges: [{ edge: "a -> b", sent: 48_210, received: 48_210 }],
    sinks: [
      { sink: "output", received: 145, written: 145, dead: 0 },
      { sink: "late-window-1", received: 97, written: 97, dead: 0 },
      { sink: "dead", received: 132, written: 132, dead: 0 }
    ]
  }
}

const outcome: Outcome = {
  name: "by-category",
  ended: "exhausted",
  error: undefined,
  checkpoint: "./.tidemark",
  progress,
  elapsedMs: 2_300,
  dead: {
    place: "./.tidemark/dead/by-category",
    samples: [{ place: "in/a.jsonl:17", reason: "malformed", detail: "not\nJSON" }]
  }
}

describe("the summary", () => {
  it("shows the balance of each operator over its partitions, in the order of the plan (L1, L2)", () => {
    expect(summaryLines(outcome, false)).toEqual([
      "by-category  all input read: 48,391 rows in 2.3 s (21,040 rows/s), epoch 31",
      "  source files in  in 48,391 = forwarded 48,210 + duplicate 49 + dead 109 + dropped as __proto__ 23",
      "  window-1         in 48,210 = settled 47,002 + held 1,111 + late 97 (3 of them late for some of their windows)",
      "  output           in 145 = written 145",
      "  late rows        in 97 = written 97  (late-window-1)",
      "  dead letters     in 132 = written 132  (kept in ./.tidemark/dead/by-category)",
      "    in/a.jsonl:17  malformed: not JSON",
      "  ledger balanced: every row is accounted for (4 operators, 1 edge, 3 sinks)"
    ])
  })

  it("shows operators that pass everything on when everything is asked for", () => {
    const labels = summaryLines(outcome, true).map((line) => /^ {2}(\S+(?: \S+)*) {2,}in /.exec(line)?.[1])
    expect(labels.filter((label) => label !== undefined)).toEqual([
      "source files in",
      "map-1",
      "window-1.exchange",
      "window-1",
      "output",
      "late rows",
      "dead letters"
    ])
  })

  it("names the equation that does not hold (L3)", () => {
    const ledger = { ...progress.ledger, edges: [{ edge: "a -> b", sent: 1_000, received: 999 }] }
    const lines = summaryLines({ ...outcome, progress: { ...progress, ledger } }, false)
    expect(lines.at(-1)).toBe(
      "  ledger NOT balanced, a defect in tidemark: a -> b: sent = received does not hold (1,000, 999)"
    )
    expect(JSON.parse(summaryJson({ ...outcome, progress: { ...progress, ledger } }))).toMatchObject({
      balanced: false
    })
  })

  it.each([
    ["drained", "The next run goes on from epoch 31. 1,111 rows are in state that is kept."],
    ["failed", "What came after epoch 31 is not in the results yet: the next run goes on from there."]
  ] as const)("%s: says what is not in the results", (ended, remark) => {
    expect(summaryLines({ ...outcome, ended }, false).at(-1)).toBe(`  ${remark}`)
  })
})

const begun = { epoch: 12, readers: [], ledger: { epoch: 12, operators: [], edges: [], sinks: [] } }

describe("the closing remark", () => {
  const remark = (more: Partial<Outcome>, facts: Partial<QueryProgress>): string | undefined =>
    summaryLines({ ...outcome, ...more, progress: { ...progress, ...facts } }, false)
      .at(-1)
      ?.trim()
  const none = { epoch: 0, operators: [], edges: [], sinks: [] }

  it.each(["drained", "failed", "timeout"] as const)(
    "%s without ever owning the query: it changed nothing",
    (ended) => {
      const owned = ended === "failed" ? "owned" : undefined
      expect(remark({ ended, owned }, { attempt: 0, epoch: 0, ledger: none })).toBe("This run changed nothing.")
    }
  )

  it("taken over by another process: nothing is known of the next run", () => {
    expect(remark({ ended: "failed", owned: "fenced" }, {})).toMatch(/^ledger balanced/)
  })

  it.each([
    ["drained", "Nothing was read: the next run begins anew."],
    ["failed", "No epoch was finished: there are no results."]
  ] as const)("%s before the first epoch", (ended, says) => {
    expect(remark({ ended }, { epoch: 0, ledger: none })).toBe(says)
  })

  it("all read before: says since when, and how to begin anew", () => {
    const facts = { continued: begun, rowsIn: 0, epoch: 12 }
    expect(remark({}, facts)).toBe(
      "Nothing new to read since epoch 12; `tidemark reset by-category --yes` begins anew."
    )
    expect(remark({ checkpoint: "/my data" }, facts)).toContain(
      "`tidemark reset by-category --checkpoint '/my data' --yes`"
    )
    expect(remark({ ended: "drained" }, facts)).toBe(
      "Nothing new to read since epoch 12. The next run goes on from epoch 12. 1,111 rows are in state that is kept."
    )
    expect(remark({}, { continued: begun })).toMatch(/^ledger balanced/)
  })

  it("the ledger of a run that went on is said to be that of all runs", () => {
    const second = { ...outcome, progress: { ...progress, continued: begun } }
    expect(summaryLines(second, false)[1]).toBe("  ledger since the first run:")
    expect(summaryLines(outcome, false).join("\n")).not.toContain("first run")
  })
})

describe("the head of a run", () => {
  const record = (partition: string, position: string | undefined, rows: number) => ({
    operator: "source files in",
    partition,
    lane: 0,
    position,
    rows,
    watermarks: {}
  })
  const readers = [record("0", "17", 17), record("1", undefined, 0), record("2", "4\n2", 1_042)]

  const ledger = { ...begun.ledger, operators: [balance("source files in", { partition: "2", in: 10, dead: 7 })] }

  it("says what a query guarantees", () => {
    expect(headOf(progress)).toBe("by-category: exactly once")
    const because = [{ connector: "terminal", why: "may show rows again after a crash" }]
    expect(headOf({ ...progress, guarantee: { delivery: "at-least-once", because } })).toBe(
      "by-category: at least once: terminal may show rows again after a crash"
    )
  })

  it("says from where a query goes on that was started again", () => {
    expect(headOf({ ...progress, continued: { epoch: 1_012, readers, ledger } })).toBe(
      "by-category goes on from epoch 1,012, source files in: 0 at 17, 2 at 4 2 (7 dead); exactly once"
    )
    const outcome31 = { ...outcome, progress: { ...progress, continued: { epoch: 12, readers, ledger } } }
    expect(summaryLines(outcome31, false)[0]).toContain("epoch 31 (went on from 12)")
    expect(JSON.parse(summaryJson(outcome31))).toMatchObject({ continuedFrom: 12, guarantee: "exactly-once" })
  })

  it("of many partitions says the first, and how many more there are", () => {
    const many = Array.from({ length: 20 }, (_, i) => record(String(i), "x".repeat(100), i))
    const said = headOf({ ...progress, continued: { epoch: 1, readers: many, ledger } })
    expect(said).toContain(" and 16 more partitions; exactly once")
    expect(said.length).toBeLessThan(500)
  })
})

describe("the progress line", () => {
  const line = (more: Partial<QueryProgress>): string => progressLine({ ...progress, ...more }, 1_004.4, now, 13)

  it("shows rows, pace, epoch, how far the watermark is behind, late and dead rows", () => {
    expect(line({})).toBe(
      "by-category    48,391 rows  1,004 rows/s  epoch 31  watermark 2.0 s behind  late 97  dead 132"
    )
  })

  it("L1: counts late and dead rows of this run, as it does rows", () => {
    const ledger = {
      ...progress.ledger,
      operators: [balance("window-1", { late: 90 })],
      sinks: [{ sink: "dead", received: 130, written: 130, dead: 0 }]
    }
    expect(line({ continued: { epoch: 12, readers: [], ledger } })).toMatch(/ {2}late 7 {2}dead 2$/)
    expect(line({ continued: { epoch: 31, readers: [], ledger: progress.ledger } })).toMatch(/behind$/)
  })

  it.each([
    ["old event times as they are", [partition(Date.parse("2001-01-05T13:20:00Z"))], "watermark 2001-01-05 13:20:00"],
    ["event times in the future as they are", [partition(now + 60_000)], "watermark 2026-01-01 12:01:03"],
    [
      "the lowest of those being read",
      [partition(now - 9_000, { idle: true }), partition(now - 8_000, { ended: true }), partition(now - 100)],
      "watermark 100 ms behind"
    ],
    ["that a partition has none", [partition(now), partition(undefined)], "watermark none yet"],
    ["that all are quiet", [partition(now - 100, { idle: true })], "input quiet"],
    ["that all was read", [partition(now, { ended: true })], "input read"]
  ])("shows %s", (_, partitions, says) => {
    expect(line({ partitions })).toContain(`epoch 31  ${says}  late`)
  })

  it.each([
    [130_400, "watermark 2.0 s behind  12,000 rows behind, caught up in 2 min 10 s  late"],
    ["never" as const, "watermark 2.0 s behind  12,000 rows behind, never caught up at this rate  late"],
    [0, "watermark 2.0 s behind  late"]
  ])("says when it will have caught up: %s", (ms, says) => {
    const catchUp = { rows: 12_000, readPerSecond: 500, comingPerSecond: 400, ms }
    expect(line({ catchUp })).toContain(says)
  })

  it("says when a query stands by, restarts, or gives up checkpoints", () => {
    expect(line({ phase: "standby" })).toContain("  standing by: another process runs it  ")
    expect(line({ phase: "restarting", restarts: 2 })).toContain("  restarting  late 97  dead 132  2 restarts")
    expect(line({ checkpoint: { givenUp: 2, why: "full", atMs: undefined } })).toMatch(/ {2}checkpoints given up 2$/)
  })

  it("says nothing of event time where there is none", () => {
    expect(line({ partitions: [partition(undefined)] })).toContain("epoch 31  late")
  })

  it("counts rows a second over the last seconds, from the start, and anew after a restart", () => {
    const window = makeRateWindow(1_000)
    expect(window.add(1_500, 500)).toBe(1_000)
    expect(window.add(2_000, 2_000)).toBe(2_000)
    for (let ms = 2_500; ms <= 6_000; ms += 500) window.add(ms, 2_000)
    expect(window.add(6_500, 2_000)).toBe(0)
    expect(window.add(7_000, 100)).toBe(0)
    expect(window.add(7_500, 200)).toBe(200)
  })
})
