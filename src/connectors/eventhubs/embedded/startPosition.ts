/** Where a receiver begins, by the filter of its link: after an offset, a sequence number or a time; at either end. */
import type { PartitionLog } from "./PartitionLog.ts"

/** A filter that is not understood, or names what has never been. The message is for the client. */
export class BadPosition extends Error {
  override readonly name = "BadPosition"
}

const filterPattern =
  /^\s*amqp\.annotation\.x-opt-(offset|sequence-number|enqueued-time)(?:-utc)?\s*(>=?)\s*'?([^']*?)'?\s*$/

/** How offsets are written: as the service's numbers, or so that nobody can calculate with them. */
export interface OffsetForm {
  readonly write: (sequence: number, offset: number) => string
  /** The number in an offset; NaN when it is none of ours. */
  readonly read: (text: string) => number
}

const decimal = /^[0-9]{1,15}$/

/** `1840`: what hubs without geo-replication give. */
export const plainOffsets: OffsetForm = {
  write: (_sequence, offset) => String(offset),
  read: (text) => (decimal.test(text) ? Number(text) : Number.NaN)
}

/** `0:1840:12`: as of geo-replicated hubs. Plain numbers are refused. */
export const opaqueOffsets: OffsetForm = {
  write: (sequence, offset) => `0:${offset}:${sequence}`,
  read: (text) => {
    const parts = text.split(":")
    return parts.length === 3 && parts.every((part) => decimal.test(part)) ? Number(parts[1]) : Number.NaN
  }
}

const afterOffset = (log: PartitionLog, text: string, inclusive: boolean, form: OffsetForm): number => {
  if (text === "-1" || text === "") return log.firstSequence
  const offset = form.read(text)
  if (Number.isNaN(offset)) throw new BadPosition(`The supplied offset '${text}' is invalid.`)
  const last = log.endSequence - 1
  if (offset > log.lastOffset) {
    const shown = last < 0 ? "-1" : form.write(last, log.lastOffset)
    throw new BadPosition(`The supplied offset '${text}' is invalid. The last offset in the system is '${shown}'`)
  }
  return log.find((sequence) => (inclusive ? log.offsetOf(sequence) >= offset : log.offsetOf(sequence) > offset))
}

const afterSequence = (log: PartitionLog, text: string, inclusive: boolean): number => {
  const sequence = /^-?[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN
  const next = inclusive ? sequence : sequence + 1
  if (Number.isNaN(sequence)) throw new BadPosition(`The supplied sequence number '${text}' is invalid.`)
  if (next > log.endSequence) {
    throw new BadPosition(
      `The supplied sequence number '${text}' is invalid. The last sequence number in the system is '${log.endSequence - 1}'`
    )
  }
  return Math.max(log.firstSequence, next)
}

/**
 * The sequence number that a receiver with this filter begins with; without a filter, the first retained. A position
 * that has expired is the first retained too, as in Event Hubs. Throws `BadPosition`.
 */
export const startPosition = (log: PartitionLog, filter: string | undefined, form: OffsetForm): number => {
  if (filter === undefined) return log.firstSequence
  const match = filterPattern.exec(filter)
  if (match === null) throw new BadPosition(`The filter '${filter}' is not supported.`)
  const [, what, operator, text] = match
  const inclusive = operator === ">="
  if (text === "@latest") return log.endSequence
  if (what === "offset") return afterOffset(log, text, inclusive, form)
  if (what === "sequence-number") return afterSequence(log, text, inclusive)
  const ms = Number(text)
  if (Number.isNaN(ms)) throw new BadPosition(`The supplied time '${text}' is invalid.`)
  return log.find((sequence) => (inclusive ? log.enqueuedMsOf(sequence) >= ms : log.enqueuedMsOf(sequence) > ms))
}
