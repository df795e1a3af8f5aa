/**
 * Rows as JSON text that loses nothing, so that an epoch's rows can stand in a manifest and be handed out by any
 * process. What rows may hold is said in `model/StoredValue.ts`; anything else (a class instance, a function, a cycle)
 * is named and refused rather than changed.
 */
import { decodeStored, type StoredProblem, tryEncodeStored } from "../../model/StoredValue.ts"

/** A row as JSON text. `refused` says what in it cannot be kept; the text then has null in its place. */
export interface EncodedRow {
  readonly json: string
  readonly refused: StoredProblem | undefined
}

/** Encodes a row; never throws but for getters that do. */
export const encodeRow = (row: unknown): EncodedRow => {
  const { stored, problem } = tryEncodeStored(row)
  return { json: JSON.stringify(stored), refused: problem }
}

/** The row that {@link encodeRow} encoded. */
export const decodeRow = (json: string): unknown => decodeStored(JSON.parse(json))
