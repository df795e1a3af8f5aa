/** Positions of an event hub as others read them: what a source of committed positions and a store of them agree on. */
import type * as Effect from "effect/Effect"

/** Whose positions they are. */
export interface PublishedGroup {
  /** `NAMESPACE.servicebus.windows.net`. */
  readonly fullyQualifiedNamespace: string
  readonly eventHub: string
  readonly consumerGroup: string
}

/** The last event of a partition that was read and committed. */
export interface HubPosition {
  readonly partitionId: string
  /** As the service gives it; it need not be a number. */
  readonly offset: string
  readonly sequenceNumber: number | bigint
}

/** Publishes positions of a consumer group, in place of those that were published before. */
export type PublishPositions = (
  group: PublishedGroup,
  positions: ReadonlyArray<HubPosition>
) => Effect.Effect<void, unknown>
