/** What a simulation says: of a failure, everything that it takes to understand it and to see it again; of success, counts. */
import type { Fault } from "./Fault.ts"
import { type FaultName, faultNameOf } from "./faultNames.ts"
import { textOf } from "./textOf.ts"
import type { Breach } from "./checkHistories.ts"
import type { Outcome } from "./Outcome.ts"
import type { Case, Tested } from "./userHistory.ts"

/** What many histories came to. */
export interface SimulationReport {
  /** Histories that were run, each once: what laws compare them with, and what shrinking tries, does not count. */
  readonly histories: number
  /** The middle of how many rows histories were fed. */
  readonly eventsMedian: number
  /** Processes that were killed, by whatever. */
  readonly crashes: number
  /** How often faults struck, by name; `power-loss` is also what `torn-write` asks for. */
  readonly faults: { readonly [name in FaultName]?: number }
  /** On the clock, to a tenth. */
  readonly seconds: number
  /** Histories a second. */
  readonly perSecond: number
}

/** Sums over histories. */
export class Counts {
  histories = 0
  crashes = 0
  readonly #events: Array<number> = []
  readonly #faults = new Map<FaultName, number>()

  /** Counts one history. */
  add({ rows, crashes, faults }: Outcome): void {
    this.histories++
    this.#events.push(rows.length)
    this.crashes += crashes
    for (const [name, times] of faults) this.#faults.set(name, (this.#faults.get(name) ?? 0) + times)
  }

  /** The report, after so many milliseconds. */
  report(ms: number): SimulationReport {
    const events = this.#events.toSorted((a, b) => a - b)
    return {
      histories: this.histories,
      eventsMedian: events[Math.floor(events.length / 2)] ?? 0,
      crashes: this.crashes,
      faults: Object.fromEntries(this.#faults),
      seconds: Math.round(ms / 100) / 10,
      perSecond: ms > 0 ? Math.round((this.histories * 1000) / ms) : 0
    }
  }
}

/** A fault in a line. */
export const describeFault = (fault: Fault): string => {
  const name = faultNameOf(fault.kind)
  if ("at" in fault) {
    const { at } = fault
    return `${name} ${"steps" in at ? `after ${at.steps} steps` : `${at.when} ${at.failpoint}${at.passage > 1 ? `, passage ${at.passage}` : ""}`}`
  }
  if ("atCall" in fault)
    return `${name} at call ${fault.atCall}${fault.calls > 1 ? ` and ${fault.calls - 1} more` : ""}`
  return `${name} of partition ${fault.partition}${"row" in fault ? ` before row ${fault.row}` : ""}`
}

const counted = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`

const rowsShownMax = 30
const timelineMax = 30

const feedLines = (tested: Tested, c: Case): ReadonlyArray<string> =>
  tested.feeds.flatMap(({ source }, i) =>
    c.feeds[i].flatMap(({ rows, poison }, partition) => {
      const lines = rows
        .slice(0, rowsShownMax)
        .map((row, at) => `    ${poison.includes(at) ? "does not decode" : textOf(row)}`)
      const more = rows.length > rowsShownMax ? [`    and ${rows.length - rowsShownMax} more`] : []
      return [`  ${source.name}, partition p${partition}:${rows.length === 0 ? " no rows" : ""}`, ...lines, ...more]
    })
  )

const shortened = (timeline: ReadonlyArray<string>): ReadonlyArray<string> => {
  if (timeline.length <= timelineMax) return timeline
  const half = timelineMax / 2
  const left = timeline.length - timelineMax
  return [...timeline.slice(0, half), `... ${left} more ...`, ...timeline.slice(-half)]
}

/** What explains a failure that is none of the user's code. */
const timingNote =
  "  note: process comes after another operator by key here, so its results may depend on timing: ask with Law.model or Law.make what must hold all the same"

/** What explains one that comes to something else each time. */
const outsideNote =
  "  note: run again, this history comes to something else, so it depends on what no seed decides: a variable that outlives the processes (let Simulation.check be given a function that makes the topology), Date.now, Math.random"

/** What came of a history, and how it is seen again. */
export interface Told {
  /** Undefined: every law holds. */
  readonly breach: Breach | undefined
  /** Those that were asked. */
  readonly laws: ReadonlyArray<string>
  /** How often it was made smaller; undefined: it is a replay, and nobody knows. */
  readonly shrinks: number | undefined
  /** Run again, it came to something else. */
  readonly differs: boolean
  readonly timeline: ReadonlyArray<string>
  /** The line that shows it again. */
  readonly replay: string
}

/** All of a history in words: the message of a failure. */
export const describeHistory = (tested: Tested, c: Case, told: Told): string => {
  const { breach, laws, shrinks, differs, timeline, replay } = told
  const rows = c.feeds.flat().reduce((n, partition) => n + partition.rows.length, 0)
  const runs = c.lives.map(({ parallelism, chunkRows }) => `parallelism ${parallelism} in chunks of ${chunkRows}`)
  return [
    breach === undefined
      ? `no law of ${laws.join(", ")} is broken for ${tested.name}`
      : `${breach.law} does not hold for ${tested.name}:`,
    ...(breach?.problems ?? []).map((problem) => `  ${problem}`),
    `with ${counted(rows, "row")} and ${counted(c.faults.length, "fault")}${shrinks === undefined ? "" : `, after ${counted(shrinks, "shrink")}`}:`,
    ...feedLines(tested, c),
    ...c.faults.map((fault) => `  fault: ${describeFault(fault)}`),
    `  checkpoints in ${c.store === "files" ? "files" : "a remote store"}; ${runs.join(", then ")}`,
    ...(tested.seesInstances ? [timingNote] : []),
    ...(differs ? [outsideNote] : []),
    "what happened:",
    ...shortened(timeline).map((line) => `  ${line}`),
    `replay: ${replay}`
  ].join("\n")
}
