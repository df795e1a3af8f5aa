/** Sources, sinks and object stores in memory: `Memory.source(rows)`, `Memory.channel()`, `Memory.sink()`. */
export { type Channel, channel, type ChannelOptions } from "./MemoryChannel.ts"
export { make as objectStore } from "./MemoryObjectStore.ts"
export {
  type CommittedEpoch,
  makeTable,
  type MemorySink,
  type MemorySinkOptions,
  type MemoryTable,
  sink
} from "./MemorySink.ts"
export { type MemorySourceOptions, type Partitioned, source } from "./MemorySource.ts"
export type { DeadItem, MemoryMeta } from "./PartitionLog.ts"
