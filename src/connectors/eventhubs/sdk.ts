/** What is used of `@azure/event-hubs`, as types: the package itself is loaded when a hub is connected. */
import type {
  EventData,
  EventDataBatch,
  EventHubConsumerClient,
  EventHubProducerClient,
  ReceivedEventData
} from "@azure/event-hubs"

/** An event as the SDK gives it. */
export type SdkEvent = ReceivedEventData
/** The reading client. */
export type Consumer = EventHubConsumerClient
/** The sending client. */
export type Producer = EventHubProducerClient
/** Events that go out in one request. */
export type SdkBatch = EventDataBatch
/** An event for the SDK to send. */
export type SdkOutgoing = EventData
