/**
 * Where the reading of a partition begins when no checkpoint says so, as users write it: words, a place, one for each
 * partition, or the JSON of Spark's connector. A checkpoint always wins.
 */
import type { OptionProblem } from "../../model/Errors.ts"
import { has, show } from "../../model/Options.ts"
import type { PartitionInfo } from "./EventHubsClient.ts"

/** A place in a partition. */
export type StartPosition =
  /** The first event that is retained. */
  | { readonly at: "earliest" }
  /** Only what comes after the query began. */
  | { readonly at: "latest" }
  /** An event by its offset, with it or after it (default). */
  | { readonly offset: string; readonly inclusive?: boolean }
  /** An event by its sequence number, with it or after it (default). */
  | { readonly sequenceNumber: number; readonly inclusive?: boolean }
  /** The first event that the service took after this: ms since the epoch, a date, or ISO text. */
  | { readonly enqueuedTime: number | Date | string }

/** A start as an option: a place, `"earliest"`, `"latest"`, or the JSON text of Spark's connector. */
export type StartAt = StartPosition | string

/** One for all partitions, or by partition, with one for all others. */
export type StartOption =
  | StartAt
  | { readonly partitions: { readonly [partition: string]: StartAt }; readonly others?: StartAt }

/** The starts of a source. */
export interface Starts {
  readonly of: (partition: string) => StartPosition
}

const earliest: StartPosition = { at: "earliest" }

/** `{"offset":"-1","seqNo":-1,"enqueuedTime":null,"isInclusive":true}`: the first of its fields that says something counts. */
const ofSpark = (value: object): StartPosition | undefined => {
  const { offset, seqNo, enqueuedTime, isInclusive } = value as { readonly [field: string]: unknown }
  const inclusive = isInclusive === true
  if (typeof offset === "string" && offset !== "") {
    if (offset === "-1") return earliest
    return offset === "@latest" ? { at: "latest" } : { offset, inclusive }
  }
  if (typeof seqNo === "number" && Number.isSafeInteger(seqNo) && seqNo >= 0)
    return { sequenceNumber: seqNo, inclusive }
  return typeof enqueuedTime === "string" ? ofTime(enqueuedTime) : undefined
}

const ofTime = (time: unknown): StartPosition | undefined => {
  const ms = time instanceof Date ? time.getTime() : typeof time === "string" ? Date.parse(time) : time
  return typeof ms === "number" && Number.isFinite(ms) ? { enqueuedTime: ms } : undefined
}

const ofText = (text: string): StartPosition | undefined => {
  if (text === "earliest" || text === "latest") return { at: text }
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? ofSpark(value) : undefined
  } catch {
    return undefined
  }
}

const ofValue = (value: unknown): StartPosition | undefined => {
  if (typeof value === "string") return ofText(value)
  if (typeof value !== "object" || value === null) return undefined
  const { at, offset, sequenceNumber, enqueuedTime, inclusive = false } = value as { readonly [field: string]: unknown }
  if (typeof inclusive !== "boolean") return undefined
  if ("seqNo" in value || "isInclusive" in value) return ofSpark(value)
  if (at === "earliest" || at === "latest") return { at }
  if (typeof offset === "string" && offset !== "") return { offset, inclusive }
  if (typeof sequenceNumber === "number" && Number.isSafeInteger(sequenceNumber) && sequenceNumber >= 0)
    return { sequenceNumber, inclusive }
  return ofTime(enqueuedTime)
}

/** Reads the option; what is wrong becomes a problem, and `earliest`. */
export const startsOf = (option: string, value: StartOption, problems: Array<OptionProblem>): Starts => {
  const one = (name: string, start: unknown): StartPosition => {
    const read = ofValue(start)
    if (read !== undefined) return read
    const fix =
      'must be "earliest", "latest", { offset }, { sequenceNumber }, { enqueuedTime }, or JSON such as {"offset":"-1","seqNo":-1,"enqueuedTime":null,"isInclusive":true}'
    problems.push({ option: name, value: show(start), fix })
    return earliest
  }
  if (!has(value, "partitions")) {
    const start = one(option, value)
    return { of: () => start }
  }
  const { partitions, others } = value as Extract<StartOption, { readonly partitions: unknown }>
  const rest = others === undefined ? earliest : one(`${option}.others`, others)
  const entries = has(partitions) ? Object.entries(partitions) : []
  if (entries.length === 0)
    problems.push({
      option: `${option}.partitions`,
      value: show(partitions),
      fix: 'must name partitions: { "0": "latest" }'
    })
  const byPartition = new Map(entries.map(([id, start]) => [id, one(`${option}.partitions.${id}`, start)]))
  return { of: (partition) => byPartition.get(partition) ?? rest }
}

/** Whether reading from there to the end brings nothing. */
export const isNothing = (from: StartPosition, info: PartitionInfo): boolean => {
  if (info.lastSequenceNumber < info.beginSequenceNumber) return true
  if ("at" in from) return from.at === "latest"
  if ("sequenceNumber" in from) return from.sequenceNumber > info.lastSequenceNumber - (from.inclusive === true ? 0 : 1)
  if ("enqueuedTime" in from) return Number(from.enqueuedTime) >= info.lastEnqueuedMs
  return from.offset === info.lastOffset && from.inclusive !== true
}
