/** What a checkpoint asks of its store (rule C5b), in requests. */
import { Limits } from "../model/Limits.ts"
import type { ObjectStore } from "../model/ObjectStore.ts"

/** Requests that one data epoch makes at most, heartbeats apart. */
export const requestsPerEpochMax = 14

/** Of these, the manifest, its copy, and a look after each. */
export const requestsToPublish = 4

/** What becomes of an older epoch meanwhile: two tombstones. */
const requestsToBury = 2

const hourMs = 3_600_000

/** Requests in an hour of a query that has an epoch at each interval, and how many of them are heartbeats. */
export const requestsPerHour = (
  objects: ObjectStore,
  epochIntervalMs: number
): { readonly all: number; readonly heartbeats: number } => {
  // State is written, and deleted, once or twice.
  const perEpoch = requestsToPublish + requestsToBury + 2 * (objects.replicated === true ? 1 : 2)
  const heartbeats = Math.ceil(hourMs / (objects.heartbeatMs ?? Limits.heartbeatMs))
  return { all: Math.ceil(hourMs / epochIntervalMs) * perEpoch + heartbeats, heartbeats }
}
