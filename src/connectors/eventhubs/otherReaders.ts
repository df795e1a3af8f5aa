/**
 * Before a partition is read with an owner level: whether somebody of the group reads it already, since the owner level
 * will send him away.
 *
 * The protocol has no list of readers. What it tells is why it refuses one: a reader without an owner level is refused
 * where one with it is, by level, and where there are as many as there may be, by their names. So the partition is asked
 * for without one first. One to four readers without an owner level cannot be seen so.
 */
import * as Effect from "effect/Effect"
import type { ClientError, EventHubsClient } from "./EventHubsClient.ts"
import type { ReadingAt } from "./faults.ts"

/** What is to be read. */
export interface PartitionToRead extends ReadingAt {
  readonly client: EventHubsClient
  readonly partition: string
}

/** How long an answer is waited for, ms. */
const lookMs = 10_000
/** The fewest events that a client fetches: nobody reads them. */
const prefetchEvents = 3

/** What the refusal says of others; undefined when it is about something else, which the opening will say itself. */
const saidBy = ({ fault, message }: ClientError, ownerLevel: number): string | undefined => {
  if (fault === "too-many-readers") return `by as many readers as there may be, which are sent away now (${message})`
  if (fault !== "stolen") return undefined
  const level = /epoch of '(\d+)'/.exec(message)?.[1]
  if (level === undefined) return `by a reader with an owner level (${message})`
  const fate =
    Number(level) > ownerLevel ? `which is above ${ownerLevel}: this one is refused` : "which is sent away now"
  return `by a reader with the owner level ${level}, ${fate}`
}

/** Warns of the readers that an owner level is about to send away, as far as the service lets them be seen. */
export const warnOfOtherReaders = ({
  client,
  connector,
  consumerGroup,
  ownerLevel,
  partition
}: PartitionToRead): Effect.Effect<void> => {
  if (ownerLevel === undefined) return Effect.void
  const asking = { partition, consumerGroup, ownerLevel: undefined, from: { at: "earliest" }, prefetchEvents } as const
  const look = Effect.scoped(Effect.flatMap(client.receive(asking), ({ opened, ready }) => opened ?? ready))
  return Effect.matchEffect(Effect.timeoutOption(look, lookMs), {
    onSuccess: () => Effect.void,
    onFailure: (error) => {
      const said = saidBy(error, ownerLevel)
      return said === undefined
        ? Effect.void
        : Effect.logWarning(
            `${connector}, partition ${partition}: the consumer group ${consumerGroup} is read already, ${said}: unless that is this query itself, from before it was started again, give each query a consumer group of its own`
          )
    }
  })
}
