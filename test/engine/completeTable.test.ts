import { describe, expect, it } from "vitest"
import { CompleteTable } from "../../src/actors/CompleteTable.ts"
import { RowChunk } from "../../src/model/RowChunk.ts"

const nowMs = 1_700_000_000_000
const keepMs = 60_000

/** Rows with these event times; none: rows without. */
const chunk = (keys: ReadonlyArray<string>, times?: ReadonlyArray<number>): RowChunk => {
  const rows = keys.map((k) => ({ k }))
  const order = { lane: 0, first: 0 }
  const timed = times === undefined ? undefined : Float64Array.from(times)
  return new RowChunk(
    keys.length,
    rows,
    undefined,
    order,
    0,
    timed,
    timed?.map(() => -Infinity)
  )
}
const keysOf = (rows: ReadonlyArray<unknown> | undefined) => rows?.map((row) => (row as { readonly k: string }).k)

describe("A4: a complete table keeps rows by their event time, or by the clock where they have none", () => {
  it("before the first watermark, nothing is behind it, however old", () => {
    const table = new CompleteTable(["k"], keepMs)
    table.upsert(chunk(["a", "b"], [5, 70_000]), nowMs)
    expect(keysOf(table.take(-Infinity, nowMs))).toEqual(["a", "b"])
    table.upsert(chunk(["c"], [80_000]), nowMs)
    expect(keysOf(table.take(-Infinity, nowMs + 1e9))).toEqual(["a", "b", "c"])
    expect(keysOf(table.take(65_000, nowMs))).toEqual(["b", "c"])
  })

  it("rows without event time leave by the clock, whatever the watermark", () => {
    const table = new CompleteTable(["k"], keepMs)
    table.upsert(chunk(["a"]), nowMs)
    expect(keysOf(table.take(-Infinity, nowMs + keepMs))).toEqual(["a"])
    expect(keysOf(table.take(-Infinity, nowMs + keepMs + 1))).toEqual([])
  })
})
