/** What a hub may do to its readers, as data: generated, shrunk and replayed. Partitions are counted round and round. */
import { ClientError, type ClientFault } from "../../src/connectors/eventhubs/EventHubsClient.ts"

/** One thing that it does. Events are counted within their partition, whenever they come. */
export type HubFault =
  /** Before an event, the link ends, or all links do; what came before stays with the reader. */
  | {
      readonly kind: "drop"
      readonly partition: number
      readonly event: number
      readonly fault: "unavailable" | "busy" | "too-many-readers"
      readonly all: boolean
    }
  /** Before an event, a reader with a higher owner level takes the partition, and turns so many others away. */
  | { readonly kind: "steal"; readonly partition: number; readonly event: number; readonly calls: number }
  /** From when an event comes on, links are lost and nothing is answered: for the partition, or for all of the hub. */
  | {
      readonly kind: "away"
      readonly partition: number
      readonly event: number
      readonly ms: number
      readonly all: boolean
    }
  /** Requests of a kind fail, counted over all processes. */
  | {
      readonly kind: "refuse"
      readonly of: "partitions" | "info" | "receive"
      readonly fault: "unavailable" | "busy" | "too-many-readers"
      readonly atCall: number
      readonly calls: number
    }
  /** Before an event, or to who begins with it, those before it are given again. */
  | { readonly kind: "again"; readonly partition: number; readonly event: number; readonly back: number }
  /** When an event comes, retention takes what is further back. */
  | { readonly kind: "trim"; readonly partition: number; readonly event: number; readonly back: number }
  /** Sequence numbers leave some out before an event, which was never there: the hub was compacted. */
  | { readonly kind: "jump"; readonly partition: number; readonly event: number; readonly by: number }
  /** The body of an event is not what it should be. */
  | { readonly kind: "poison"; readonly partition: number; readonly event: number }

/** A request, or a link, that failed. */
export const failure = (fault: ClientFault, message: string): ClientError => new ClientError({ fault, message })
