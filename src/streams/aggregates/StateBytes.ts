/** Approximate sizes of what state holds, for the memory budget (rule A7). Cheap: a bounded look, whatever the size. */

const samples = 32

/** The size of `n` things, by a look at a few of them, evenly spread. */
export const sampledBytes = (n: number, bytesAt: (i: number) => number): number => {
  const looks = Math.min(n, samples)
  let total = 0
  for (let k = 0; k < looks; k++) total += bytesAt(Math.floor((k * n) / looks))
  return looks === 0 ? 0 : Math.round((total / looks) * n)
}

/** Bytes of a reference in a list. */
export const referenceBytes = 8

/** About how many bytes a value takes; of its insides a few are looked at. */
export const roughBytes = (value: unknown, depth = 3): number => {
  if (typeof value === "string") return 24 + value.length
  if (typeof value === "bigint") return 24
  if (typeof value !== "object" || value === null) return referenceBytes
  if (ArrayBuffer.isView(value)) return 64 + value.byteLength
  if (depth === 0) return 64
  if (Array.isArray(value)) return 32 + sampledBytes(value.length, (i) => roughBytes(value[i], depth - 1))
  if (value instanceof Map || value instanceof Set) return 64 + value.size * 64
  const fields = Object.values(value)
  return 32 + sampledBytes(fields.length, (i) => referenceBytes + roughBytes(fields[i], depth - 1))
}
