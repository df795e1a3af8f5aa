/** A row as JSON text that loses nothing of what a dead letter or a default sink needs: bigint as digits, no throw. */
export const jsonText = (value: unknown): string => {
  try {
    return JSON.stringify(value, plain) ?? String(value)
  } catch {
    // Cycles, or nesting deeper than the stack.
    return String(value)
  }
}

const plain = (_key: string, value: unknown): unknown => {
  if (typeof value === "bigint") return value.toString()
  if (typeof value === "number" && value - value !== 0) return String(value)
  return value
}
