/** What makes a history of an event hub simpler: what makes one of a live source so, and a hub that does less. */
import type { HubCase } from "./hubHistory.ts"
import { type Pass, without } from "./minimise.ts"
import { simplerLive } from "./smallerLive.ts"

const fewerHubFaults =
  (size: number): Pass<HubCase> =>
  (c) =>
    size > 1 && c.hub.length <= size ? [] : without(c.hub, size).map((hub) => () => ({ ...c, hub: hub() }))

const isPlainStart = ({ startAt }: HubCase): boolean => "at" in startAt && startAt.at === "earliest"

const plainer: Pass<HubCase> = (c) => [
  ...(isPlainStart(c) ? [] : [() => ({ ...c, startAt: { at: "earliest" } as const })]),
  ...(c.firstSequence === 0 ? [] : [() => ({ ...c, firstSequence: 0 })]),
  ...(c.failOnDataLoss ? [] : [() => ({ ...c, failOnDataLoss: true })]),
  ...(c.ownerLevel === "none" ? [] : [() => ({ ...c, ownerLevel: "none" as const })]),
  ...(c.prefetchEvents === 3_000 ? [] : [() => ({ ...c, prefetchEvents: 3_000 })])
]

/** From the coarse to the fine; passes of a live source keep what a hub has beside it. */
export const simplerHub: ReadonlyArray<Pass<HubCase>> = [
  fewerHubFaults(2),
  fewerHubFaults(1),
  ...(simplerLive as unknown as ReadonlyArray<Pass<HubCase>>),
  fewerHubFaults(1),
  plainer
]
