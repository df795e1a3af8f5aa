/** The checkpoint of a history as another process finds it on disk: how far it is, and whose. */
import type { Seen } from "./parts.ts"

/** The newest checkpoint. */
export interface ChainFacts {
  /** The last data epoch that is durable. */
  readonly epoch: number
  readonly ended: string | undefined
  /** Number of the takeover it was written under. */
  readonly attempt: number
  /** Highest epoch in the name of a part file that can be seen. */
  readonly newestPart: (seen: Seen) => number
}

/** Reads it; none before the first. */
export const chainOf = async (_folder: string): Promise<ChainFacts | undefined> => undefined
