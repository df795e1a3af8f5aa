/**
 * Values as text for dead letters, messages and default sinks. Neither function throws, whatever the value: rows and
 * errors come from outside. Not an encoding: what JSON has no word for cannot be read back.
 */

/** What stands for a value that has no text: a cycle, a `toJSON` or `toString` that throws. */
const unprintable = "[unprintable]"

/**
 * A value as JSON text. Bigints are text of all their digits; so are NaN and the infinities, symbols and functions,
 * which JSON would change or leave out. Where JSON fails, the value's own text if it has one.
 */
export const jsonText = (value: unknown): string => jsonOf(value) ?? ownText(value) ?? unprintable

/** A value, perhaps an error, as text for people: its own, or JSON where it has none. */
export const textOf = (value: unknown): string => ownText(value) ?? jsonOf(value) ?? unprintable

const jsonOf = (value: unknown): string | undefined => {
  try {
    return JSON.stringify(value, plain)
  } catch {
    // Cycles, nesting deeper than the stack, a toJSON or getter that throws.
    return undefined
  }
}

const ownText = (value: unknown): string | undefined => {
  try {
    // Every array and object has a text, but most have none of their own.
    if (Array.isArray(value)) return undefined
    const text = String(value)
    return typeof value === "object" && text.startsWith("[object ") ? undefined : text
  } catch {
    return undefined
  }
}

const plain = (_key: string, value: unknown): unknown => {
  switch (typeof value) {
    case "number":
      return value - value === 0 ? value : String(value)
    case "bigint":
    case "symbol":
    case "function":
      return String(value)
    default:
      return value
  }
}
