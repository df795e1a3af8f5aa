/** Reads plain rows as columns, and guesses their size in memory. */
import type { Column } from "../../model/Source.ts"

/** Bytes of one value, roughly as V8 keeps it; nested values to a depth of 3, at most 16 members each. */
const valueBytes = (value: unknown, depth: number): number => {
  if (typeof value === "string") return 16 + value.length
  if (typeof value !== "object" || value === null) return 8
  if (ArrayBuffer.isView(value)) return 64 + value.byteLength
  if (depth === 0) return 64
  const members: ReadonlyArray<unknown> = Array.isArray(value) ? value : Object.values(value)
  const seen = Math.min(members.length, 16)
  let bytes = 0
  for (let i = 0; i < seen; i++) bytes += valueBytes(members[i], depth - 1)
  return 24 + (seen === 0 ? 0 : Math.ceil((bytes * members.length) / seen))
}

/** Of a row that cannot be looked at: a getter of it throws, or it is a proxy that was revoked. */
const unseenBytes = 128

const rowBytes = (row: unknown): number => {
  try {
    return valueBytes(row, 3)
  } catch {
    return unseenBytes
  }
}

/** Approximate bytes of rows, judged by the first, the middle and the last. Never throws, whatever the rows. */
export const approximateBytes = (rows: ReadonlyArray<unknown>): number => {
  const n = rows.length
  if (n === 0) return 0
  const three = rowBytes(rows[0]) + rowBytes(rows[n >> 1]) + rowBytes(rows[n - 1])
  return Math.ceil((three * n) / 3)
}

const isRecord = (row: unknown): row is { readonly [field: string]: unknown } =>
  typeof row === "object" && row !== null && !Array.isArray(row) && Object.getPrototypeOf(row) === Object.prototype

/**
 * The columns of rows that are plain objects with the same fields; undefined when they are not, cannot be looked at, or
 * when a field is called `__proto__`. A column of numbers only is a `Float64Array`.
 */
export const columnsOf = (rows: ReadonlyArray<unknown>): { readonly [field: string]: Column } | undefined => {
  try {
    return columns(rows)
  } catch {
    return undefined
  }
}

const columns = (rows: ReadonlyArray<unknown>): { readonly [field: string]: Column } | undefined => {
  const first = rows[0]
  if (!isRecord(first)) return undefined
  const names = Object.keys(first)
  if (names.length === 0 || names.includes("__proto__")) return undefined
  for (const row of rows) {
    if (!isRecord(row)) return undefined
    const own = Object.keys(row)
    if (own.length !== names.length || own.some((name, i) => name !== names[i])) return undefined
  }
  const out: { [field: string]: Column } = {}
  for (const name of names) {
    const values = (rows as ReadonlyArray<{ readonly [field: string]: unknown }>).map((row) => row[name])
    out[name] = values.every((v) => typeof v === "number") ? Float64Array.from(values) : values
  }
  return out
}
