/**
 * The contract of an aggregate: columns of accumulators, one slot per (slice, key), fed in batches.
 *
 * An aggregate is a commutative monoid over rows: results do not depend on the order of `addBatch` and `mergeSlot`
 * calls (rule A1). Where order is part of the meaning (`first`, `last`, rows kept for a reducer without `merge`) it is
 * the total order (event time, lane, ordinal, sub), which comes with the rows.
 */
import type { OptionProblem } from "../../model/Errors.ts"
import type { SnapshotValue } from "../../model/Snapshot.ts"
import type { Column } from "../../model/Source.ts"
import type { RowValue } from "../Plan.ts"

/**
 * What an aggregate reads of a row. `number`: a finite number or a bigint, else the row is a dead letter; `value`:
 * anything; `row`: the row itself.
 */
export interface AggregateInput {
  readonly type: "number" | "value" | "row"
  /** Absent for `row`. */
  readonly value?: RowValue
}

/** The total order of the rows of a batch; given only to aggregates with `needsOrder`. */
export interface BatchOrder {
  readonly times: Float64Array
  readonly lanes: ReadonlyArray<string | number>
  readonly ordinals: Float64Array
  readonly subs: Float64Array
}

/** An aggregate as a plan holds it: what it reads, and how to make its accumulators. */
export interface AggregateSpec {
  /** For names and the fingerprint: `sum(amount)`, `percentile(delay, 0.95)`. */
  readonly label: string
  readonly input?: AggregateInput
  readonly needsOrder: boolean
  /** False when the aggregate holds a lambda, whose meaning a fingerprint cannot see. */
  readonly fingerprinted: boolean
  /** Wrong options, such as a quantile of 95; reported before the query starts. */
  readonly problems?: ReadonlyArray<OptionProblem>
  /**
   * Loads what `make` and its columns need and a start should not pay for; the runtime awaits it before the first.
   * Undefined: it is loaded.
   */
  readonly load?: () => Promise<void> | undefined
  readonly make: () => Accumulators
}

/** Columns of accumulators. Slots are dense from 0; a fresh slot is the empty aggregate. */
export interface Accumulators {
  /** Makes room for slots `0..capacity)`. Called before any slot at or above the present capacity is used. */
  readonly reserve: (capacity: number) => void
  /** Adds rows `from..to)`: row i goes to `slots[i]`, its value is `input[i]` (absent for `count`). */
  readonly addBatch: (
    slots: Int32Array,
    input: Column | undefined,
    from: number,
    to: number,
    order: BatchOrder | undefined
  ) => void
  /**
   * Adds what `other` (made by the same spec) holds in `otherSlot` to `slot`. `other` does not change.
   *
   * `slice` is for the one aggregate that folds rows in an order (a reducer without `merge`, rule A1): the start of the
   * slice that the rows of `other` belong to. They keep it from then on and are folded by (slice, lane, ordinal, sub),
   * whatever the order of the merges. Absent (sessions): rows keep what they have, and those with none form one part.
   */
  readonly mergeSlot: (slot: number, other: Accumulators, otherSlot: number, slice?: number) => void
  /** The value a user sees. Pure: may be called again after more rows. */
  readonly result: (slot: number) => unknown
  /** Makes a slot the empty aggregate again, so that it can be used for another key. */
  readonly clear: (slot: number) => void
  /**
   * Slots `0..count)` as they are now, for a checkpoint: columns are copied, what is dear to encode waits in a `Later`,
   * which gives the state of now although rows are added meanwhile. A value that cannot be stored makes its `Later`
   * throw a `StoringFault`, which names the aggregate and the value.
   */
  readonly snapshot: (count: number) => SnapshotValue
  /**
   * Takes over slots of a snapshot by the same spec: its slot `from[i]` becomes slot `at + i`, which must be empty and
   * have room. Ascending `from`; shares nothing with the snapshot.
   */
  readonly restore: (snapshot: SnapshotValue, from: Int32Array, at: number) => void
  /** Approximate bytes of all slots; looks at a bounded number of them. */
  readonly bytes: () => number
}
