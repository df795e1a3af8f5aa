/**
 * How far a reader is behind its source, in rows and in time: what can be known of it, and nothing that cannot.
 *
 * Positions are opaque, so the distance between two of them is the connector's to say. A partition that ended, or that
 * stands at the end its source named, is 0 behind. Otherwise rows are known where the source counts them, as of the last
 * look at the end, and time where it has append times: the age of the last row read. What is not known is absent, never 0.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Position } from "../model/Position.ts"
import type { PartitionCursor, Source } from "../model/Source.ts"

/** What a reader knows; it fills these in at its ticks, a few times a second. */
export interface LagFacts {
  readonly ended: boolean
  /** Where it stands: the row read next. */
  readonly position: Position | undefined
  /** The position after the last row that exists, as of the last look at `cursor.end`. */
  end?: Position | undefined
  /** Counts the rows between both; absent when the source cannot. */
  readonly rowsBetween?: Source<unknown>["rowsBetween"] | undefined
  /** The source's append time of the last row read, ms since the epoch. */
  appendMs?: number | undefined
}

/** Pace at which the end of a partition is looked up. */
const lookMs = 1_000

/** Notes where a partition ends, once a second, until it has been read to its end. A look that fails says nothing. */
export const watchEnd = (
  cursor: Pick<PartitionCursor<unknown, unknown, unknown>, "end">,
  facts: { readonly ended: boolean; end?: Position | undefined }
): Effect.Effect<void> =>
  Effect.gen(function* () {
    while (!facts.ended) {
      facts.end = Option.getOrUndefined(Option.flatten(yield* Effect.option(cursor.end)))
      yield* Effect.sleep(Duration.millis(lookMs))
    }
  })

/** Rows and milliseconds behind; each absent when it cannot be known. */
export interface Lag {
  readonly rows: number | undefined
  readonly ms: number | undefined
}

/** Rows that wait in one partition, as of the last look at its end. */
export const rowsBehind = ({ ended, position, end, rowsBetween }: LagFacts): number | undefined => {
  if (ended || (end !== undefined && end === position)) return 0
  if (position === undefined || end === undefined) return undefined
  const rows = rowsBetween?.(position, end)
  // Read beyond the end of the last look: at that end, nothing waits any more.
  return rows === undefined || !Number.isFinite(rows) ? undefined : Math.max(0, rows)
}

/** The lag of one partition at an instant. */
export const lagOf = (facts: LagFacts, nowMs: number): Lag => {
  const rows = rowsBehind(facts)
  if (rows === 0) return { rows: 0, ms: 0 }
  const age = facts.appendMs === undefined ? Number.NaN : nowMs - facts.appendMs
  return { rows, ms: Number.isFinite(age) ? Math.max(0, age) : undefined }
}
