/** An event hub: partitions, consumer groups, the readers at each partition, and what idempotent producers have sent. */
import { PartitionLog } from "./PartitionLog.ts"
import type { PartitionStore } from "./PartitionStore.ts"
import type { Reader } from "./Reader.ts"

/** How long events are kept. */
export interface Retention {
  readonly forMs: number
  readonly bytes: number
}

/** A partition: its log, who reads it, and where it is kept. */
export interface Partition {
  readonly log: PartitionLog
  readonly readers: Set<Reader>
  /** None: in memory only. */
  readonly store: PartitionStore | undefined
}

/** An idempotent producer at a partition. */
export interface Producer {
  epoch: number
  /** The sequence number of its last event. */
  sequence: number
}

/** See above. */
export interface Hub {
  readonly name: string
  readonly createdMs: number
  readonly retention: Retention
  readonly partitions: Array<Partition>
  /** Names in lower case: Event Hubs does not tell cases apart. */
  readonly groups: Set<string>
  readonly producers: Map<string, Producer>
  /** The partition that the next event without a key goes to. */
  turn: number
}

/** The group that every hub has. */
export const defaultGroup = "$default"

/** A partition without events. */
export const makePartition = (id: number, store?: PartitionStore): Partition => ({
  log: new PartitionLog(String(id)),
  readers: new Set(),
  store
})

/** A hub of these partitions. */
export const makeHub = (
  name: string,
  partitions: ReadonlyArray<Partition>,
  groups: ReadonlyArray<string>,
  retention: Retention,
  createdMs: number
): Hub => ({
  name,
  createdMs,
  retention,
  partitions: [...partitions],
  groups: new Set([defaultGroup, ...groups.map((group) => group.toLowerCase())]),
  producers: new Map(),
  turn: 0
})

/** Lets go of what has expired in a partition. */
export const expire = ({ log, store }: Partition, { forMs, bytes }: Retention, nowMs: number): void => {
  log.retain(nowMs - forMs, bytes)
  store?.release(log.firstSequence)
}

/** The partition of this id, written as a number. */
export const partitionOf = (hub: Hub, id: string): Partition | undefined =>
  /^(0|[1-9][0-9]{0,4})$/.test(id) ? hub.partitions[Number(id)] : undefined

/** Has the readers of a partition send what is new. */
export const wake = ({ readers }: Partition): void => {
  for (const reader of readers) reader.pump()
}
