/**
 * What the flights job means, in plain code: lateness judged row by row, windows as sets of rows. Written from the rules
 * (T4, T5, T9), with nothing of tidemark in it: what `check:flights` and the tests compare the job with.
 */

/** A flight as a source gives it. */
export interface Flight {
  readonly date: unknown
  readonly delay: number
  readonly distance: number
  readonly origin: string
  readonly destination: string
}

/** The rows that each output must have, in any order. */
export interface Expected {
  readonly results: { readonly [question: string]: ReadonlyArray<object> }
  readonly late: { readonly [question: string]: ReadonlyArray<Flight> }
  /** Rows that were late for some of their sliding windows and counted in the others. */
  readonly partlyLate: number
}

const minute = 60_000
const hour = 60 * minute
const bound = 30 * minute
const gap = 20 * minute

/** A zoneless `2001/01/01 00:47` as UTC milliseconds, which a number is already. */
const instant = (date: unknown): number => {
  if (typeof date === "number") return date
  const [, year, month, day, hours, minutes] = /^(\d{4})\/(\d\d)\/(\d\d) (\d\d):(\d\d)$/.exec(String(date)) ?? []
  return Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hours), Number(minutes))
}

interface Timed {
  readonly flight: Flight
  readonly t: number
  /** The partition's watermark before the row: the highest time so far minus the bound. */
  readonly watermark: number
}

const timed = (partition: ReadonlyArray<Flight>): ReadonlyArray<Timed> => {
  let highest = Number.NEGATIVE_INFINITY
  return partition.map((flight) => {
    const t = instant(flight.date)
    const watermark = highest - bound
    highest = Math.max(highest, t)
    return { flight, t, watermark }
  })
}

const total = (flights: ReadonlyArray<Flight>, field: "delay" | "distance"): number =>
  flights.reduce((sum, flight) => sum + flight[field], 0)

const delays = (flights: ReadonlyArray<Flight>) => ({
  avg_delay: total(flights, "delay") / flights.length,
  max_delay: Math.max(...flights.map((flight) => flight.delay))
})

/** Windows of `size` that start every hour: [start, end). */
const timeWindows = (rows: ReadonlyArray<Timed>, size: number) => {
  const windows = new Map<string, Map<number, Array<Flight>>>()
  const late: Array<Flight> = []
  let partly = 0
  for (const { flight, t, watermark } of rows) {
    const last = Math.floor(t / hour) * hour
    let missed = 0
    let entered = 0
    for (let start = last; start > t - size; start -= hour) {
      if (start + size <= watermark) {
        missed++
        continue
      }
      entered++
      const ofOrigin = windows.get(flight.origin) ?? new Map<number, Array<Flight>>()
      windows.set(flight.origin, ofOrigin)
      ofOrigin.set(start, [...(ofOrigin.get(start) ?? []), flight])
    }
    if (entered === 0) late.push(flight)
    else if (missed > 0) partly++
  }
  const results = [...windows].flatMap(([origin, ofOrigin]) =>
    [...ofOrigin].map(([start, flights]) => ({
      origin,
      window_start: start,
      window_end: start + size,
      flights: flights.length,
      delay: total(flights, "delay"),
      ...delays(flights)
    }))
  )
  return { results, late, partly }
}

const sessions = (rows: ReadonlyArray<Timed>) => {
  const late: Array<Flight> = []
  const byOrigin = new Map<string, Array<Timed>>()
  for (const row of rows) {
    if (row.t < row.watermark) late.push(row.flight)
    else byOrigin.set(row.flight.origin, [...(byOrigin.get(row.flight.origin) ?? []), row])
  }
  const results: Array<object> = []
  for (const [origin, all] of byOrigin) {
    const inOrder = all.toSorted((a, b) => a.t - b.t)
    let burst: Array<Timed> = []
    inOrder.forEach((row, i) => {
      burst.push(row)
      const next = inOrder[i + 1]
      if (next !== undefined && next.t - row.t < gap) return
      const flights = burst.map((one) => one.flight)
      results.push({
        origin,
        window_start: burst[0].t,
        window_end: row.t + gap,
        flights: flights.length,
        destinations: new Set(flights.map((flight) => flight.destination)).size,
        miles: total(flights, "distance"),
        ...delays(flights)
      })
      burst = []
    })
  }
  return { results, late }
}

/** What the three outputs and the three late outputs must be, for partitions of flights in their order. */
export const expected = (partitions: ReadonlyArray<ReadonlyArray<Flight>>): Expected => {
  const rows = partitions.flatMap(timed)
  const hourly = timeWindows(rows, hour)
  const threeHours = timeWindows(rows, 3 * hour)
  const bursts = sessions(rows)
  return {
    results: { hourly: hourly.results, "three-hours": threeHours.results, bursts: bursts.results },
    late: { hourly: hourly.late, "three-hours": threeHours.late, bursts: bursts.late },
    partlyLate: threeHours.partly
  }
}

const line = (row: object): string => JSON.stringify(Object.entries(row).toSorted(([a], [b]) => (a < b ? -1 : 1)))

/** Rows of one multiset that the other lacks, both ways; empty when they are equal. */
export const differences = (got: ReadonlyArray<object>, wanted: ReadonlyArray<object>): ReadonlyArray<string> => {
  const balance = new Map<string, number>()
  for (const row of wanted) balance.set(line(row), (balance.get(line(row)) ?? 0) - 1)
  for (const row of got) balance.set(line(row), (balance.get(line(row)) ?? 0) + 1)
  const found: Array<string> = []
  for (const [row, n] of balance)
    for (let i = 0; i < Math.abs(n); i++) found.push(`${n > 0 ? "extra" : "missing"} ${row}`)
  return found
}
