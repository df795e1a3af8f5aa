/**
 * The input of the crash checks: some days of the flights of `examples/flights`, in four files of JSON lines, each out of
 * order within half an hour, with late flights, copies and broken lines among them. Same seed, same bytes.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Seeded } from "../../src/testing/seeded.ts"

/** A flight as the job reads it. */
export interface Flight {
  readonly id: string
  readonly date: number
  readonly delay: number
  readonly distance: number
  readonly origin: string
  readonly destination: string
}

/** Files that the flights are dealt to. */
export const lanes = 4
const minuteMs = 60_000
const recorded = new URL("../../node_modules/vega-datasets/data/flights-20k.json", import.meta.url)

/** 1 in this many flights comes late, comes twice, or has a broken line after it. */
const lateOneIn = 30
const twiceOneIn = 40
const brokenOneIn = 60

/** A line that is no flight: cut off, of another type, or a number that nobody could have meant. */
const broken = (kind: number, id: string): string => {
  if (kind === 0) return `{"id":"${id}","date":98137`
  if (kind === 1) return `{"id":"${id}","date":"tomorrow","delay":1,"distance":2,"origin":"ABQ","destination":"SLC"}`
  return `{"id":"${id}","date":981370000000,"delay":1e999,"distance":2,"origin":"ABQ","destination":"SLC"}`
}

/** Writes `lane-0.jsonl` to `lane-3.jsonl` into a folder; returns how many lines there are. */
export const writeFlights = (folder: string, flights: number, seed: number): number => {
  const random = new Seeded(seed)
  const all = JSON.parse(readFileSync(recorded, "utf8")) as ReadonlyArray<
    Omit<Flight, "id" | "date"> & { date: string }
  >
  const first = all
    .map((flight) => ({ ...flight, date: Date.parse(`${flight.date.replaceAll("/", "-").replace(" ", "T")}:00Z`) }))
    .toSorted((a, b) => a.date - b.date)
    .slice(0, flights)
  const files: ReadonlyArray<Array<{ readonly at: number; readonly line: string }>> = Array.from(
    { length: lanes },
    () => []
  )
  const deal = (at: number, line: string): void => void files[random.below(lanes)].push({ at, line })
  for (const [i, { date, delay, distance, origin, destination }] of first.entries()) {
    const flight: Flight = { id: `f-${i}`, date, delay, distance, origin, destination }
    const line = JSON.stringify(flight)
    const soon = (): number => date + random.below(29 * minuteMs)
    const late = random.below(lateOneIn) === 0
    deal(late ? date + (1 + random.below(12 * 60)) * 30 * minuteMs : soon(), line)
    if (random.below(twiceOneIn) === 0) deal(soon(), line)
    if (random.below(brokenOneIn) === 0) deal(soon(), broken(random.below(3), `b-${i}`))
  }
  mkdirSync(folder, { recursive: true })
  let lines = 0
  for (const [lane, rows] of files.entries()) {
    const sorted = rows.toSorted((a, b) => a.at - b.at)
    writeFileSync(join(folder, `lane-${lane}.jsonl`), sorted.map(({ line }) => `${line}\n`).join(""))
    lines += sorted.length
  }
  return lines
}
