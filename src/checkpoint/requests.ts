/** What a checkpoint asks of its store (rule C5b), in requests. Pure. */
import type { ObjectStore } from "../model/ObjectStore.ts"
import { Limits } from "../model/Limits.ts"

/** Requests that one data epoch makes at most, heartbeats apart. */
export const requestsPerEpochMax = 14

/** Of these, the manifest, its copy, and a look after each. */
export const requestsToPublish = 4

/** Copies of the state of an epoch: one where the store keeps copies of its own (rule C6). */
export const stateCopies = (objects: ObjectStore): number => (objects.replicated === true ? 1 : 2)

/**
 * Requests that a query makes in an hour at this pace of epochs, heartbeats included: for a line at its start. An epoch
 * writes and later deletes its state, publishes, and puts two tombstones.
 */
export const requestsPerHour = (objects: ObjectStore, epochMs: number): number => {
  const perEpoch = 2 * stateCopies(objects) + requestsToPublish + 2
  const hourMs = 3_600_000
  return Math.ceil((hourMs / Math.max(1, epochMs)) * perEpoch + hourMs / (objects.heartbeatMs ?? Limits.heartbeatMs))
}
