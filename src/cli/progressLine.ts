/** What the progress of a query reads like: one line, from two looks at it some time apart. */
import type { QueryProgress } from "../actors/Progress.ts"
import type { Ledger } from "../model/Ledger.ts"
import { count, instant, many, span } from "./words.ts"

/** What has been read at which instant: what a rate is computed from. */
export interface RateWindow {
  /** Notes a look; gives rows a second. */
  readonly add: (ms: number, rows: number) => number
}

const rateWindowMs = 3_000

/** Rows a second over the last seconds, so that the number can be read. At the start nothing was read. */
export const makeRateWindow = (startedMs: number): RateWindow => {
  let looks: Array<{ readonly ms: number; readonly rows: number }> = [{ ms: startedMs, rows: 0 }]
  return {
    add: (ms, rows) => {
      // A restart begins to count anew.
      if (looks.length > 0 && looks[looks.length - 1].rows > rows) looks = []
      looks.push({ ms, rows })
      while (looks.length > 2 && ms - looks[1].ms >= rateWindowMs) looks.shift()
      const { ms: since, rows: before } = looks[0]
      return ms > since ? ((rows - before) * 1000) / (ms - since) : 0
    }
  }
}

const lateIn = ({ operators }: Ledger): number => operators.reduce((sum, o) => sum + o.late, 0)

/** Rows that came too late in this run, as of its last epoch; once for each operator that they came too late for. */
export const lateRows = ({ ledger, continued }: QueryProgress): number =>
  lateIn(ledger) - (continued === undefined ? 0 : lateIn(continued.ledger))

/** Rows kept as dead letters in this run. */
export const deadRows = ({ outputs, continued }: QueryProgress): number => {
  const before = new Map(continued?.ledger.sinks.map(({ sink, received }) => [sink, received]))
  const own = outputs.map(({ name, role, received }) => (role === "dead" ? received - (before.get(name) ?? 0) : 0))
  return Math.max(
    0,
    own.reduce((sum, rows) => sum + rows, 0)
  )
}

const liveMs = 24 * 3_600_000

/** Where event time stands: the lowest watermark of the partitions being read, by the clock when it is near. */
const watermarkOf = (progress: QueryProgress, nowMs: number): string => {
  const reading = progress.partitions.filter((p) => !p.ended && !p.idle)
  if (progress.partitions.length > 0 && progress.partitions.every((p) => p.ended)) return "input read"
  if (!progress.partitions.some((p) => p.watermark !== undefined)) return ""
  const known = reading.map((p) => p.watermark).filter((w) => w !== undefined)
  if (reading.length === 0) return "input quiet"
  if (known.length < reading.length) return "watermark none yet"
  const watermark = Math.min(...known)
  if (!Number.isFinite(watermark)) return ""
  const behind = nowMs - watermark
  return `watermark ${behind >= 0 && behind < liveMs ? `${span(behind)} behind` : instant(watermark)}`
}

const phases: { readonly [phase: string]: string } = {
  starting: "starting",
  standby: "standing by: another process runs it",
  restarting: "restarting"
}

/** What waits, and until when; nothing while the query keeps up, or nobody knows. */
const waitingOf = ({ catchUp }: QueryProgress): string => {
  if (catchUp === undefined || catchUp.ms === 0) return ""
  const { rows, ms } = catchUp
  return `${many(rows, "row")} behind, ${ms === "never" ? "never caught up at this rate" : `caught up in ${span(ms)}`}`
}

/** One line for one query. `width`: of the longest name. */
export const progressLine = (progress: QueryProgress, rate: number, nowMs: number, width: number): string => {
  const late = lateRows(progress)
  const dead = deadRows(progress)
  const parts = [
    progress.name.padEnd(width),
    many(progress.rowsIn, "row"),
    `${count(Math.round(rate))} rows/s`,
    `epoch ${count(progress.epoch)}`,
    watermarkOf(progress, nowMs),
    waitingOf(progress),
    Object.hasOwn(phases, progress.phase) ? phases[progress.phase] : "",
    late > 0 ? `late ${count(late)}` : "",
    dead > 0 ? `dead ${count(dead)}` : "",
    progress.restarts > 0 ? many(progress.restarts, "restart") : "",
    progress.checkpoint.givenUp > 0 ? `checkpoints given up ${count(progress.checkpoint.givenUp)}` : ""
  ]
  return parts.filter((part) => part !== "").join("  ")
}
