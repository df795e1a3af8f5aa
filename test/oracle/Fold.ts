/** Aggregates by definition (rule A1), over all rows of a group at once. The oracle's own code. */
import type { Row } from "./Job.ts"

/** A row with its place in the total order, after its event time. */
export interface Placed {
  readonly row: Row
  readonly t: number
  /** Number of the slice: where rows kept for a reducer are folded first. */
  readonly slice: number
  readonly place: ReadonlyArray<string | number>
}

const compare = (a: ReadonlyArray<string | number>, b: ReadonlyArray<string | number>): number => {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const [x, y] = [a[i] ?? 0, b[i] ?? 0]
    if (x !== y) return x < y ? -1 : 1
  }
  return 0
}

const exactSum = (values: ReadonlyArray<unknown>): number | bigint => {
  const total = values.reduce<bigint>((sum, v) => sum + BigInt(v as number | bigint), 0n)
  return values.some((v) => typeof v === "bigint") ? total : Number(total)
}

const least = (values: ReadonlyArray<unknown>): unknown => {
  const order = values as ReadonlyArray<number>
  return order.reduce((m, v) => (v < m ? v : m))
}

const greatest = (values: ReadonlyArray<unknown>): unknown => {
  const order = values as ReadonlyArray<number>
  return order.reduce((m, v) => (v > m ? v : m))
}

/** The aggregates that every job computes; `test/engine/run.ts` asks the engine for the same. */
export const foldKey = (rows: ReadonlyArray<Placed>, few = false): Record<string, unknown> => {
  const values = rows.map((r) => r.row.v)
  const byTime = rows.toSorted((a, b) => a.t - b.t || compare(a.place, b.place))
  const [first, last] = [byTime[0].row.id ?? null, byTime[byTime.length - 1].row.id ?? null]
  if (few) return { n: rows.length, total: exactSum(values), first, last }
  const bySlice = rows.toSorted((a, b) => a.slice - b.slice || compare(a.place, b.place) || a.t - b.t)
  return {
    n: rows.length,
    total: exactSum(values),
    low: least(values),
    high: greatest(values),
    first,
    last,
    newest: byTime[byTime.length - 1].row.v,
    ids: new Set(rows.map((r) => r.row.id)).size,
    merged: rows.reduce((sum, r) => sum + (Number(r.row.v) % 1000), 0),
    folded: bySlice
      .map((r) => `${String(r.row.id)}@${String(r.row.at)}.${r.row.copy ?? ""}=${String(r.row.v)}`)
      .join(" ")
  }
}

/** T10: a tumbling window, all keys together, over results whose event time is end - 1; ties by key, then start. */
export const foldWindow = (
  size: number,
  keyed: boolean,
  results: ReadonlyArray<Record<string, unknown>>
): ReadonlyArray<unknown> => {
  const windows = new Map<number, Array<Record<string, unknown>>>()
  for (const r of results) {
    const start = Math.floor(((r["window_end"] as number) - 1) / size) * size
    windows.set(start, [...(windows.get(start) ?? []), r])
  }
  return [...windows].map(([start, rows]) => {
    const place = (r: Record<string, unknown>): ReadonlyArray<string | number> => [
      r["window_end"] as number,
      keyed ? (r["key"] as string) : "",
      r["window_start"] as number
    ]
    const sorted = rows.toSorted((a, b) => compare(place(a), place(b)))
    return {
      window_start: start,
      window_end: start + size,
      panes: rows.length,
      rows: rows.reduce((sum, r) => sum + (r["n"] as number), 0),
      firstEnd: sorted[0]["window_end"],
      firstKey: keyed ? sorted[0]["key"] : null,
      lastStart: sorted[sorted.length - 1]["window_start"]
    }
  })
}
