/** Laws of a history of an event hub: what is missing is what retention took, or what came before the start; it is said. */
import type { HistoryResult } from "../../src/testing/History.ts"
import type { World } from "../../src/testing/World.ts"
import type { HubCase } from "./hubHistory.ts"
import type { LiveRow } from "./liveHistory.ts"
import type { Held, HubPartition, SimulatedHub } from "./simulatedHub.ts"

/** A partition was opened where the options say, and held this before and after. */
export interface Opening {
  readonly partition: number
  readonly before: Held
  readonly after: Held
}

/** What the query said that retention took. */
export interface Told {
  readonly partition: number
  readonly text: string
}

/** All that is known of a history when it is over. */
export interface HubFacts {
  readonly c: HubCase
  readonly partitions: ReadonlyArray<HubPartition>
  readonly hub: SimulatedHub
  readonly openings: ReadonlyArray<Opening>
  /** By failures that ended a process. */
  readonly stopped: ReadonlyArray<Told>
  readonly world: World
  /** How often a row came out. */
  readonly times: (id: number) => number
  readonly result: HistoryResult
}

interface Range {
  readonly from: number
  readonly to: number
}

/** Sequence numbers that a text names: "the event 5 is gone", "the 7 events 5 to 11 are gone". */
const rangeOf = (text: string): Range | undefined => {
  const one = /the event (\d+) is gone/.exec(text)
  const many = /the (\d+) events (\d+) to (\d+) are gone/.exec(text)
  if (one !== null) return { from: Number(one[1]), to: Number(one[1]) }
  return many === null ? undefined : { from: Number(many[2]), to: Number(many[3]) }
}

interface Letter {
  readonly reason: string
  readonly detail: string
  readonly partition: string
  readonly place: string
}

const lettersIn = ({ objects }: World): ReadonlyArray<Letter> =>
  objects
    .names("dead/live/")
    .flatMap((name) => new TextDecoder().decode(objects.get(name)).split("\n"))
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Letter)

/** Which events of a partition have to be read, and which may be, by the starts that were made. */
const begins = (
  { startAt }: HubCase,
  { events }: HubPartition,
  openings: ReadonlyArray<Opening>
): { readonly due: number; readonly allowed: number } => {
  // What retention took before a start is nobody's loss; a process that came to nothing may have begun before.
  const oldest = Math.max(0, ...openings.map(({ after }) => after.from))
  if ("at" in startAt && startAt.at === "latest")
    return {
      due: Math.max(oldest, ...openings.map(({ after }) => after.to)),
      allowed: Math.min(events.length, ...openings.map(({ before }) => before.to))
    }
  const index = events.findIndex((event, i) => {
    if ("at" in startAt) return true
    if ("afterMs" in startAt) return Math.floor(event.atMs) > startAt.afterMs
    return i >= Math.min(startAt.event, events.length - 1) + (startAt.inclusive ? 0 : 1)
  })
  const first = index < 0 ? events.length : index
  return { due: Math.max(first, oldest), allowed: first }
}

/**
 * Behind this, no event goes without a word. Where a time is the start, which of the events that are there come after it only
 * reading tells: those that retention takes before that are not known to be missing.
 */
const toldFrom = ({ startAt }: HubCase, openings: ReadonlyArray<Opening>): number =>
  "afterMs" in startAt ? Math.max(0, ...openings.map(({ after }) => after.to)) : 0

/** What is against them. */
export const brokenHubLaws = (facts: HubFacts): ReadonlyArray<string> => {
  const { c, partitions, hub, stopped, world, times, result } = facts
  const problems: Array<string> = []
  const letters = lettersIn(world)
  const openingsOf = (p: number) => facts.openings.filter(({ partition }) => partition === p)
  const starts = partitions.map((of, p) => begins(c, of, openingsOf(p)))
  // Where one partition never came to its last row, windows are still open.
  const isClosed = partitions.every(({ events }, p) => starts[p].due < events.length)
  for (const [p, { events }] of partitions.entries()) {
    const gone = letters.flatMap((letter) => {
      if (letter.reason !== "expired" || Number(letter.partition) !== p) return []
      const range = rangeOf(letter.detail)
      if (range === undefined) problems.push(`a dead letter does not say what is gone: ${letter.detail}`)
      return range === undefined ? [] : [range]
    })
    const { from } = hub.held(p)
    const oldest = events[from]?.sequenceNumber ?? Infinity
    const silent = Math.min(from, toldFrom(c, openingsOf(p)))
    for (const [i, range] of gone.entries()) {
      const said = `partition ${p}: events ${range.from} to ${range.to} are said to be gone`
      if (range.to < range.from || range.to >= oldest) problems.push(`${said}, and the oldest there is ${oldest}`)
      if (gone.some((other, j) => j < i && other.from <= range.to && range.from <= other.to))
        problems.push(`${said}, twice`)
    }
    for (const [i, { sequenceNumber, body }] of events.entries()) {
      const isGone = gone.some((range) => range.from <= sequenceNumber && sequenceNumber <= range.to)
      const isLast = i === events.length - 1
      const came = body.startsWith("{")
        ? times((JSON.parse(body) as LiveRow).id)
        : letters.filter(
            (l) => l.reason === "malformed" && Number(l.partition) === p && l.place.endsWith(` ${sequenceNumber}`)
          ).length
      const what = `partition ${p}: event ${sequenceNumber} of ${body}`
      if (came > 0 && isGone) problems.push(`${what} came, and is said to be gone`)
      if (came > 0 && i < starts[p].allowed) problems.push(`${what} came, and is from before the start`)
      if (came > 1) problems.push(`${what} came ${came} times`)
      if (came === 0 && !isGone && !isLast && isClosed && i >= Math.max(silent, starts[p].due))
        problems.push(`${what} is lost`)
    }
  }
  for (const { partition, text } of stopped) {
    const range = rangeOf(text)
    if (range === undefined || hub.held(partition).from === 0) problems.push(`nothing was lost, but: ${text}`)
  }
  if (c.failOnDataLoss && stopped.length === 0 && letters.some(({ reason }) => reason === "expired"))
    problems.push("events are gone, and no process stopped for it")
  const dead = (result.summary?.ledger.operators ?? []).reduce((n, operator) => n + operator.dead, 0)
  if (dead !== letters.length)
    problems.push(`the ledger counts ${dead} dead rows, and ${letters.length} letters are kept`)
  return problems
}
