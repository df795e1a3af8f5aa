/** The table of `tidemark queries list`. */
import { describe, expect, it } from "vitest"
import { tableOf } from "../../src/cli/queries.ts"
import type { FoundQuery } from "../../src/monitor/ControlClient.ts"

const query = (name: string, more: Partial<FoundQuery> = {}): FoundQuery => ({
  name,
  id: null,
  runId: "5ad1",
  pid: 4_242,
  status: { message: "Processing new data", isDataAvailable: true, isTriggerActive: false, phase: "running" },
  startedMs: 0,
  epoch: 31,
  rows: 48_391,
  restarts: 0,
  inputRowsPerSecond: 1_004.4,
  socket: "x.sock",
  ...more
})

describe("tidemark queries list", () => {
  it("is a table: numbers to the right, what is not known a dash", () => {
    expect(tableOf([query("by-category"), query("a", { inputRowsPerSecond: null, epoch: 0, rows: 0 })])).toEqual([
      "QUERY        PHASE    EPOCH    ROWS  ROWS/S  RESTARTS   PID  RUN   STATUS",
      "by-category  running     31  48,391   1,004         0  4242  5ad1  Processing new data",
      "a            running      0       0       -         0  4242  5ad1  Processing new data"
    ])
  })

  it("cannot act on the terminal, nor break its lines, by what a process says of itself", () => {
    const status = { ...query("a").status, message: `${"x".repeat(200)}` }
    const lines = tableOf([query("a\n\u001b[2Jb", { status, runId: "r\r" })])
    expect(lines[1]).toContain("a \\x1b[2Jb")
    expect(lines.join("")).not.toMatch(/[\u0000-\u001f]/)
    expect(lines[1].length).toBeLessThan(160)
  })
})
