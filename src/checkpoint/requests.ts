/** What a checkpoint asks of its store (rule C5b), in requests. */

/** Requests that one data epoch makes at most, heartbeats apart. */
export const requestsPerEpochMax = 14

/** Of these, the manifest, its copy, and a look after each. */
export const requestsToPublish = 4
