/**
 * What a job must give, by definition: the rules of time, lateness, dedupe, windows and aggregates, read row by row
 * over the whole input. Slow, obvious, and its own code: nothing of the engine is imported.
 */
import type { Dedupe, Job, Outcome, Partition, Raise, Row, Step, Windows } from "./Job.ts"
import { foldKey, foldWindow, type Placed } from "./Fold.ts"

/** A row between operators: its values, its time, W_p before it, and its place in the total order (rule A1). */
interface Timed {
  readonly row: Row
  readonly t: number
  readonly w: number
  readonly lane: number
  readonly ordinal: number
  readonly sub: ReadonlyArray<number>
}

/** A partition's rows before they have a time. */
interface Raw {
  readonly row: Row
  readonly append: number | undefined
  readonly ordinal: number
  readonly sub: ReadonlyArray<number>
}

interface Tally {
  untimed: number
  quarantined: number
  filtered: number
  effectDead: number
  refused: number
  badId: number
  duplicate: number
  dedupeLate: number
  contributed: number
  late: number
  outside: number
  partlyLate: number
}

const emptyTally = (): Tally => ({
  untimed: 0,
  quarantined: 0,
  filtered: 0,
  effectDead: 0,
  refused: 0,
  badId: 0,
  duplicate: 0,
  dedupeLate: 0,
  contributed: 0,
  late: 0,
  outside: 0,
  partlyLate: 0
})

const idOf = (row: Row): number => row.id as number

/** The rows that a step makes of one row, with their output index. */
const stepped = (step: Step, row: Row, tally: Tally): ReadonlyArray<readonly [Row, number]> => {
  switch (step.kind) {
    case "keep":
      if (idOf(row) % step.modulo !== step.rest) return [[row, 0]]
      tally.filtered++
      return []
    case "plus":
      return [[{ ...row, v: (row.v as number) + step.by }, 0]]
    case "split":
      return Array.from({ length: idOf(row) % (step.copies + 1) }, (_, copy) => [{ ...row, copy }, copy] as const)
    case "effect":
      if (step.failRest === undefined || idOf(row) % 5 !== step.failRest) {
        return [[{ ...row, v: (row.v as number) * 2 }, 0]]
      }
      tally.effectDead++
      return []
  }
}

const run = <A extends { readonly row: Row; readonly sub: ReadonlyArray<number> }>(
  steps: ReadonlyArray<Step>,
  items: ReadonlyArray<A>,
  tally: Tally
): ReadonlyArray<A> =>
  steps.reduce<ReadonlyArray<A>>(
    (all, step) =>
      all.flatMap((item) =>
        stepped(step, item.row, tally).map(([row, index]) => ({ ...item, row, sub: [...item.sub, index] }))
      ),
    items
  )

/** T1: whole milliseconds (rounded down) that a `Date` can hold. */
const instant = (at: unknown): number | undefined =>
  typeof at === "number" && Math.abs(Math.floor(at)) <= 8.64e15 ? Math.floor(at) : undefined

/** T2, T8: times and watermarks of one partition, in its order; T7, T12: raised as the facts of the run say. */
const timePartition = (
  job: Pick<Job, "watermark" | "maxFutureSkew">,
  lane: number,
  raws: ReadonlyArray<Raw>,
  raises: ReadonlyArray<Raise>,
  tally: Tally
): { readonly timed: ReadonlyArray<Timed>; readonly watermark: number } => {
  const timed: Array<Timed> = []
  let watermark = -Infinity
  for (const { row, append, ordinal, sub } of raws) {
    for (const raise of raises) if (raise.before === ordinal) watermark = Math.max(watermark, raise.to)
    const t = instant(row.at)
    if (t === undefined) {
      tally.untimed++
      continue
    }
    if (job.maxFutureSkew !== undefined && append !== undefined && t - append > job.maxFutureSkew) {
      tally.quarantined++
      continue
    }
    timed.push({ row, t, w: watermark, lane, ordinal, sub })
    watermark = Math.max(watermark, job.watermark === "explicit" ? (row.mark as number) : t - job.watermark)
  }
  return { timed, watermark }
}

const rawsOf = ({ rows, appendTimes }: Partition): ReadonlyArray<Raw> =>
  rows.map((row, ordinal) => ({ row, append: appendTimes?.[ordinal], ordinal, sub: [] }))

const isKey = (value: unknown): boolean =>
  typeof value === "string" ||
  typeof value === "boolean" ||
  typeof value === "bigint" ||
  (typeof value === "number" && !Number.isNaN(value))

const isNumber = (value: unknown): boolean =>
  typeof value === "bigint" || (typeof value === "number" && Number.isFinite(value))

/** A3: lateness first; then one of the copies of (id, event time). */
const dedupe = (o: Dedupe, rows: ReadonlyArray<Timed>, tally: Tally, late: Array<Row>): ReadonlyArray<Timed> => {
  const seen = new Map<unknown, Set<number>>()
  return rows.filter(({ row, t, w }) => {
    if (!isKey(row.id)) {
      tally.badId++
      return false
    }
    if (t < w - o.lateness) {
      if (o.late === "forward") return true
      tally.dedupeLate++
      if (o.late === "output") late.push(row)
      return false
    }
    const times = seen.get(row.id) ?? new Set()
    seen.set(row.id, times)
    if (times.has(t)) {
      tally.duplicate++
      return false
    }
    times.add(t)
    return true
  })
}

/** Starts of all windows that cover a time, by walking the grid. */
export const windowsOver = (w: Extract<Windows, { kind: "time" }>, t: number): ReadonlyArray<number> => {
  const starts: Array<number> = []
  const near = Math.round((t - w.offset) / w.slide)
  const reach = Math.ceil(w.size / w.slide) + 1
  for (let k = near - reach; k <= near + reach; k++) {
    const start = w.offset + k * w.slide
    if (start <= t && t < start + w.size) starts.push(start)
  }
  return starts
}

/** Rows of one key that are less than the gap apart, as sessions (T9). */
const sessionsOf = (gap: number, rows: ReadonlyArray<Timed>): ReadonlyArray<ReadonlyArray<Timed>> => {
  const sorted = rows.toSorted((a, b) => a.t - b.t)
  const sessions: Array<Array<Timed>> = []
  for (const row of sorted) {
    const open = sessions.at(-1)
    if (open !== undefined && row.t - (open.at(-1) as Timed).t < gap) open.push(row)
    else sessions.push([row])
  }
  return sessions
}

interface Pane {
  readonly key: unknown
  readonly start: number
  readonly end: number
  readonly rows: ReadonlyArray<Timed>
}

const groupBy = <A, K>(items: ReadonlyArray<A>, keyOf: (item: A) => K): ReadonlyMap<K, ReadonlyArray<A>> => {
  const groups = new Map<K, Array<A>>()
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item])
  return groups
}

/** T4, T5, T6: which rows count in which windows. */
const panesOf = (job: Job, rows: ReadonlyArray<Timed>, tally: Tally, late: Array<Row>): ReadonlyArray<Pane> => {
  const windows = job.windows as Windows
  const keyOf = (r: Timed): unknown => (job.keyed ? r.row.key : "all")
  const tooLate = (row: Timed): void => {
    tally.late++
    if (job.late === "output") late.push(row.row)
  }
  if (windows.kind === "global") {
    tally.contributed += rows.length
    return [...groupBy(rows, keyOf)].map(([key, of]) => ({ key, start: -8.64e15, end: 8.64e15, rows: of }))
  }
  if (windows.kind === "session") {
    const onTime = rows.filter((row) => row.t >= row.w)
    for (const row of rows) if (row.t < row.w) tooLate(row)
    tally.contributed += onTime.length
    return [...groupBy(onTime, keyOf)].flatMap(([key, of]) =>
      sessionsOf(windows.gap, of).map((session) => ({
        key,
        start: session[0].t,
        end: (session.at(-1) as Timed).t + windows.gap,
        rows: session
      }))
    )
  }
  const entries: Array<{ readonly row: Timed; readonly start: number }> = []
  for (const row of rows) {
    const all = windowsOver(windows, row.t)
    const open = all.filter((start) => start + windows.size + job.lateness > row.w)
    if (all.length === 0) tally.outside++
    else if (open.length === 0) tooLate(row)
    else {
      tally.contributed++
      if (open.length < all.length) tally.partlyLate++
      for (const start of open) entries.push({ row, start })
    }
  }
  return [...groupBy(entries, (e) => e.start)].flatMap(([start, of]) =>
    [...groupBy(of, (e) => keyOf(e.row))].map(([key, mine]) => ({
      key,
      start,
      end: start + windows.size,
      rows: mine.map((e) => e.row)
    }))
  )
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b))

/** Where rows stand for `first`, `last` and reducers (A1): dedupe replaces the partition by the id. */
const placed = (job: Job, r: Timed): Placed => {
  const w = job.windows
  const slice = w?.kind === "time" ? Math.floor((r.t - w.offset) / gcd(w.size, w.slide)) : 0
  const place = job.dedupe === undefined ? [r.lane, r.ordinal, ...r.sub] : [r.row.id as string | number]
  return { row: r.row, t: r.t, slice, place }
}

/** Evaluates a job. */
export const evaluate = (job: Job): Outcome => {
  const tally = emptyTally()
  const late: Array<Row> = []
  const dedupeLate: Array<Row> = []
  const partitions = job.sources.flat()
  const times = partitions.map((partition, lane) => {
    const raws = run(job.before, rawsOf(partition), tally)
    const time = (watermark: Job["watermark"]) =>
      timePartition({ ...job, watermark }, lane, raws, partition.raises ?? [], tally)
    const first = time(job.watermark)
    if (job.again === undefined) return first
    const both = [first, time(job.again)]
    return {
      timed: both.flatMap((of, branch) => of.timed.map((r) => ({ ...r, sub: [...r.sub, branch] }))),
      watermark: Math.min(...both.map((of) => of.watermark))
    }
  })
  let timed = run(
    job.after,
    times.flatMap((of) => of.timed),
    tally
  )
  if (job.branches !== undefined) {
    timed = job.branches.flatMap((steps, branch) =>
      run(steps, timed, tally).map((r) => ({ ...r, sub: [...r.sub, branch] }))
    )
  }
  if (job.dedupe !== undefined) timed = dedupe(job.dedupe, timed, tally, dedupeLate)
  const fit = timed.filter(({ row }) => isNumber(row.v) && (!job.keyed || isKey(row.key)))
  tally.refused += timed.length - fit.length
  const column = (key: unknown): object => (job.keyed ? { key } : {})
  let results: ReadonlyArray<unknown>
  if (job.windows === undefined) {
    tally.contributed += fit.length
    const groups = groupBy(fit, (r) => (job.keyed ? r.row.key : "all"))
    results = [...groups].map(([key, rows]) => ({
      ...column(key),
      ...foldKey(
        rows.map((r) => placed(job, r)),
        job.few
      )
    }))
  } else {
    const panes = panesOf(job, fit, tally, late)
    const rows = panes.map(({ key, start, end, rows: of }) => ({
      ...column(key),
      window_start: start,
      window_end: end,
      ...foldKey(
        of.map((r) => placed(job, r)),
        job.few
      )
    }))
    results = job.chained === undefined ? rows : foldWindow(job.chained, job.keyed, rows)
  }
  return { results, late, dedupeLate, counts: tally, watermark: Math.max(...times.map((of) => of.watermark)) }
}
