/**
 * What publishers may send, by throughput units: each is 1 MB or 1000 events a second, of all hubs together.
 *
 * A budget that fills up evenly, to a second's worth at most. A send is let in while there is any left, and may then
 * overdraw it, since a batch can be larger than a second's worth; the debt is paid before the next is let in.
 */

/** Per throughput unit and second. */
const unitBytes = 1_000_000
const unitEvents = 1_000

/** Says of each send whether it may come in, and counts it when it may. */
export type Throughput = (events: number, bytes: number, nowMs: number) => boolean

/** The budget of so many units; undefined: as much as comes. */
export const makeThroughput = (units: number | undefined): Throughput => {
  if (units === undefined) return () => true
  const bytesMax = units * unitBytes
  const eventsMax = units * unitEvents
  let bytesLeft = bytesMax
  let eventsLeft = eventsMax
  let filledMs = Number.NEGATIVE_INFINITY
  return (events, bytes, nowMs) => {
    const seconds = Math.max(0, nowMs - filledMs) / 1_000
    filledMs = Math.max(filledMs, nowMs)
    bytesLeft = Math.min(bytesMax, bytesLeft + seconds * bytesMax)
    eventsLeft = Math.min(eventsMax, eventsLeft + seconds * eventsMax)
    if (bytesLeft <= 0 || eventsLeft <= 0) return false
    bytesLeft -= bytes
    eventsLeft -= events
    return true
  }
}
