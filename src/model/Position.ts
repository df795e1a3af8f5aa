/**
 * Where a reader is in one partition of a source.
 *
 * A position names the row that is read **next**: `open(partition, position)` continues there. It is opaque to the
 * engine: each connector encodes what its broker needs (a Kafka offset, an Event Hubs sequence number, a file and a
 * row number) and is the only one to read it again. Positions are stored in checkpoints, so they are JSON text.
 */

/** Names one partition of one source: stable across restarts, unique within its source. */
export type PartitionId = string

/** An opaque, connector-defined place in one partition; always "the row that is read next". */
export type Position = string & { readonly Position: unique symbol }

/** Marks text that a connector made as a {@link Position}. */
export const position = (encoded: string): Position => encoded as Position
