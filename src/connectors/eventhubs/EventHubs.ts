/** Azure Event Hubs: `EventHubs.source({ hub, consumerGroup, decode })`, `EventHubs.sink({ hub, partitionKey })`. Needs the package `@azure/event-hubs`. */
export type { ConnectionOptions, TokenCredential } from "./connection.ts"
export { type EventHubEvent, type EventHubSourceOptions, source } from "./EventHubSource.ts"
export { type EventHubSinkOptions, type OfRow, sink } from "./EventHubSink.ts"
export { HubConnector } from "./EventHubsClient.ts"
export type { EventHubMeta } from "./hubCursor.ts"
export type { StartAt, StartOption, StartPosition } from "./StartPosition.ts"
