/** The public surface of `tidemark/eventhubs-embedded`: an Event Hubs service in this process. Needs rhea. */
export { EmbeddedError } from "./EmbeddedError.ts"
export type { EmbeddedFaults, Where } from "./EmbeddedFaults.ts"
export { type EmbeddedService, type EmbeddedStats, type PartitionStats, start } from "./EmbeddedService.ts"
export type { Operation } from "./FaultPlan.ts"
export type { EmbeddedOptions, HubOptions, RetentionOptions, Right, SasKey } from "./options.ts"
