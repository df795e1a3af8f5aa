/** Azure Event Hubs: `EventHubs.source({ hub, consumerGroup, decode })`, `EventHubs.sink({ hub, partitionKey })`. Needs the package `@azure/event-hubs`. */
export type { ConnectionOptions } from "./connectors/eventhubs/connection.ts"
export type { TokenCredential } from "./model/TokenCredential.ts"
export { type EventHubEvent, type EventHubSourceOptions, source } from "./connectors/eventhubs/EventHubSource.ts"
export { type EventHubSinkOptions, type OfRow, sink } from "./connectors/eventhubs/EventHubSink.ts"
export { HubConnector } from "./connectors/eventhubs/EventHubsClient.ts"
export type { EventHubMeta } from "./connectors/eventhubs/hubCursor.ts"
export type { StartAt, StartOption, StartPosition } from "./connectors/eventhubs/StartPosition.ts"
