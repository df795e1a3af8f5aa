/** A row as JSON text that loses nothing of what a dead letter or a default sink needs: bigint as digits, no throw. */
export const jsonText = (value: unknown): string => {
  try {
    return JSON.stringify(value, plain) ?? String(value)
  } catch {
    // Cycles, nesting deeper than the stack, a toJSON that throws: the value's own toString may do no better.
    return textOf(value)
  }
}

/** A value, perhaps an error, as text for people; never throws. */
export const textOf = (value: unknown): string => {
  try {
    return String(value)
  } catch {
    return Array.isArray(value) ? `an array of ${value.length}` : "an object"
  }
}

const plain = (_key: string, value: unknown): unknown => {
  if (typeof value === "bigint") return value.toString()
  if (typeof value === "number" && value - value !== 0) return String(value)
  return value
}
