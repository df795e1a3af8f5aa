/** Events that retention took before they were read: a dead row, or the end of the query. Pure. */
import type { DeadRow } from "../../model/DeadLetter.ts"
import { SourceError } from "../../model/Errors.ts"
import type { ReadingAt } from "./faults.ts"

/** Their sequence numbers, both included. */
export interface Gap {
  readonly from: number
  readonly to: number
}

const gapText = ({ from, to }: Gap): string =>
  from === to ? `the event ${from} is` : `the ${to - from + 1} events ${from} to ${to} are`

/** One dead row for all of them. */
export const gapRow = (gap: Gap): DeadRow => ({
  before: 0,
  reason: "expired",
  detail: `${gapText(gap)} gone: retention took them before they were read`,
  place: `sequence number ${gap.from}`,
  bytes: new Uint8Array(0),
  truncated: false
})

/** The failure of a query that is to have every event. */
export const dataLoss = (o: ReadingAt & { readonly partition: string }, gap: Gap): SourceError =>
  new SourceError({
    connector: o.connector,
    partition: o.partition,
    position: String(gap.from),
    retryable: false,
    message: `${o.connector}, partition ${o.partition}: ${gapText(gap)} gone: retention took them before they were read: set failOnDataLoss: false to go on without them`
  })
