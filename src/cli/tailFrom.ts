/** Where `tidemark tail` begins, as people write it on the command line. */
import { type StartPosition, startsOf } from "../connectors/eventhubs/StartPosition.ts"
import { eventTimeMs } from "../model/EventTime.ts"
import type { OptionProblem } from "../model/Errors.ts"
import { parseSpan } from "./durationFlag.ts"

/** A place in each partition, or so long ago. */
export type From = StartPosition | { readonly agoMs: number }

/**
 * `earliest`, `latest`, a sequence number, an instant, a time span (so long ago), or the JSON of Spark's connector;
 * undefined: it is none.
 */
export const parseFrom = (text: string): From | undefined => {
  if (/^[0-9]+$/.test(text))
    return Number.isSafeInteger(Number(text)) ? { sequenceNumber: Number(text), inclusive: true } : undefined
  const agoMs = parseSpan(text)
  if (agoMs !== undefined) return { agoMs }
  const enqueuedTime = eventTimeMs(text)
  if (!Number.isNaN(enqueuedTime)) return { enqueuedTime }
  const problems: Array<OptionProblem> = []
  const start = startsOf("from", text, problems).of("")
  return problems.length === 0 ? start : undefined
}

/** The place of a start, at this time of the clock. */
export const startAt = (from: From, nowMs: number): StartPosition =>
  "agoMs" in from ? { enqueuedTime: nowMs - from.agoMs } : from
