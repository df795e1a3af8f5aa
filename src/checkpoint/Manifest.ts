/**
 * The manifest of one number of a query's chain (rule C7): everything another process needs to go on from there, except
 * the state of the tasks, which is in the object that `state` names.
 *
 * Plain data. `ManifestCodec.ts` makes bytes of it and back; `Chain.ts` keeps the chain.
 */
import type { Ledger } from "../model/Ledger.ts"
import type { PlanFingerprint } from "../model/PlanFingerprint.ts"
import type { Prepared } from "../model/Sink.ts"
import type { Owner } from "./Owner.ts"

/** The format that this release writes; it reads this and older ones, and refuses newer ones. */
export const manifestFormat = 1

/** Where one partition stands. Readers are kept in the order of their lanes, which rule A1 breaks ties by. */
export interface ReaderRecord {
  /** Name of the source operator. */
  readonly operator: string
  readonly partition: string
  /** Its number among the partitions of the query: its place in the order that ties are broken by (A1). */
  readonly lane: number
  /** Where to read on; none: nothing was read yet. */
  readonly position: string | undefined
  /** Rows handed to the operators so far: the ordinal of the next one. */
  readonly rows: number
  /** W_p of each `withEventTime` below the source, by its name; absent: none yet (T2). */
  readonly watermarks: { readonly [operator: string]: number }
}

/** The object that holds the snapshots of an epoch's tasks. */
export interface StateFile {
  /** Names of its copies: two on plain files, one on stores that replicate themselves (rule C6). */
  readonly names: ReadonlyArray<string>
  readonly bytes: number
  /** Checksum of the object: a name may have been written again by a request that was given up. */
  readonly crc: number
}

/** What one data epoch brought, as the coordinator hands it to the chain. */
export interface EpochRecord {
  /** The data epoch; 0 in takeovers before the first, so after a reset, or a start from a savepoint. */
  readonly epoch: number
  /** What each writer prepared for it: enough for anyone to commit it (rule C2). Its names are the list of writers (C4). */
  readonly prepared: ReadonlyArray<Prepared>
  readonly readers: ReadonlyArray<ReaderRecord>
  readonly ledger: Ledger
  readonly plan: PlanFingerprint
  readonly parallelism: number
  /** When it was written, ms since the epoch: for people. */
  readonly atMs: number
  /**
   * How the query ended with it; absent while it goes on. Its owner has left only when its heartbeat says so (C5a): it
   * still commits the epoch. A takeover carries that of its data epoch along, as a fact of the input.
   */
  readonly ended?: "exhausted" | "drained"
}

/** One number of the chain. */
export interface Manifest extends EpochRecord {
  readonly format: number
  readonly kind: "takeover" | "epoch"
  readonly number: number
  /** Number of the takeover under which it was written; of a takeover, its own. */
  readonly attempt: number
  readonly query: string
  /** Made once, with the first takeover; stable across restarts. */
  readonly queryId: string
  readonly owner: Owner
  /** Absent: the epoch has no state yet. */
  readonly state?: StateFile
  /** Every lower number is collected: what an owner looks through for things left behind begins here. */
  readonly keptFrom: number
  /** The savepoint, as `QUERY/LABEL`, that this chain started from (rule C10); carried along. */
  readonly origin?: string
  /** Of a takeover: nobody runs the query under it; it was put by a reset. */
  readonly released?: true
}
