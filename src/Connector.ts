/** What one needs to write a source, a sink or an object store: the contracts, as types, and what makes their values. */
export type { Column, Demand, PartitionCursor, Source, SourceChunk, SourceFeatures } from "./model/Source.ts"
export type {
  CountedPrepared,
  Guarantee,
  Mode,
  Prepared,
  Sink,
  SinkBatch,
  SinkFeatures,
  SinkWithColumns,
  SinkWriter,
  WriterContext
} from "./model/Sink.ts"
export type { DeadLetter, DeadReason, DeadRow } from "./model/DeadLetter.ts"
export { type OptionProblem, QueryError, SinkError, SourceError, StoreError } from "./model/Errors.ts"
export { isObjectName, type ObjectStore } from "./model/ObjectStore.ts"
export { Limits } from "./model/Limits.ts"
export { type PartitionId, type Position, position } from "./model/Position.ts"
