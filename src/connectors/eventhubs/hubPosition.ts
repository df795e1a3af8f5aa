/** Where a reader of a partition stands, as text in a checkpoint: behind which event. Pure. */
import type { OptionProblem } from "../../model/Errors.ts"
import type { HubPosition } from "../../model/HubPositions.ts"
import { type PartitionId, position, type Position } from "../../model/Position.ts"
import { type StartPosition, startsOf } from "./StartPosition.ts"

/** Behind an event; `offset` is unknown where no event was read yet. */
export interface Place {
  /** Of the event that was read last; -1: none was, from the very first on. */
  readonly after: number
  readonly offset: string | undefined
}

/** Nothing was read yet, and only the first event will tell where that is: after a time, behind an offset, or yet to come. */
export interface Before {
  readonly start: StartPosition
  /** The last event that is not waited for: there when this began, or before the start by its number. */
  readonly last: number
}

/** Of which hub a position is: when it was made, ms since the epoch, where that is known. */
export interface OfHub {
  readonly createdMs?: number | undefined
}

const isTime = (ms: unknown): ms is number | undefined => ms === undefined || Number.isFinite(ms)

/** As a position; equal ones give equal texts. */
export const positionBefore = ({ start, last }: Before, createdMs?: number): Position =>
  position(JSON.stringify({ start, last, createdMs }))

/** Reads what {@link positionBefore} wrote; undefined when it is something else. */
export const beforeOf = (stored: string): (Before & OfHub) | undefined => {
  try {
    const { start, last, createdMs } = (JSON.parse(stored) ?? {}) as { readonly [field: string]: unknown }
    if (typeof start !== "object" || start === null || typeof last !== "number" || !Number.isSafeInteger(last))
      return undefined
    const problems: Array<OptionProblem> = []
    const of = startsOf("start", start as StartPosition, problems).of("")
    return problems.length === 0 && isTime(createdMs) ? { start: of, last, createdMs } : undefined
  } catch {
    return undefined
  }
}

/** As a position; equal places give equal texts. */
export const positionAfter = ({ after, offset }: Place, createdMs?: number): Position =>
  position(JSON.stringify({ after, offset: after < 0 ? undefined : offset, createdMs }))

/**
 * Events from one position to another: the difference of their sequence numbers. More than there are where a hub lacks
 * some, having been compacted; undefined when one of them is no place.
 */
export const eventsBetween = (from: string, to: string): number | undefined => {
  const [a, b] = [placeOf(from), placeOf(to)]
  return a === undefined || b === undefined ? undefined : b.after - a.after
}

/** Reads what {@link positionAfter} wrote; undefined when it is something else. */
export const placeOf = (stored: string): (Place & OfHub) | undefined => {
  try {
    const { after, offset, createdMs } = (JSON.parse(stored) ?? {}) as { readonly [field: string]: unknown }
    if (typeof after !== "number" || !Number.isSafeInteger(after) || after < -1) return undefined
    if (!isTime(createdMs)) return undefined
    return offset === undefined || typeof offset === "string" ? { after, offset, createdMs } : undefined
  } catch {
    return undefined
  }
}

/** A position as it is published; none where no event was read yet, whose offset it would be. */
export const publishable = ([partitionId, at]: readonly [PartitionId, Position]): ReadonlyArray<HubPosition> => {
  const { after = -1, offset } = placeOf(at) ?? {}
  return offset === undefined ? [] : [{ partitionId, offset, sequenceNumber: after }]
}
