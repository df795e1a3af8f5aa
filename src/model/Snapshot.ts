/**
 * What a task keeps of its state at a barrier: plain values and columns, copied then and encoded later.
 *
 * The copy is made between two messages, so it must be cheap: columns are copied whole, immutable values shared. What
 * is dear to encode (a user's state by its Schema) waits in a {@link Later}. `checkpoint/SnapshotCodec.ts` turns it
 * into bytes and back, exactly; numbers that are not finite, and values of rows, go through `model/StoredValue.ts`.
 */

/** Encoded after the barrier, once, when its turn comes. Must not change what it gives when the state goes on. */
export class Later {
  readonly value: () => SnapshotValue
  constructor(value: () => SnapshotValue) {
    this.value = value
  }
}

/** A column that is kept as its bytes. */
export type SnapshotColumn = Float64Array | Int32Array | Uint8Array

/** Plain JSON (finite numbers), columns, and what is encoded later. Reads back without `Later`. */
export type SnapshotValue =
  | null
  | boolean
  | number
  | string
  | SnapshotColumn
  | Later
  | ReadonlyArray<SnapshotValue>
  | { readonly [field: string]: SnapshotValue }
