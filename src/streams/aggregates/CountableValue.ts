/**
 * What makes two values the same for `distinct` and `approxDistinct`, in one place so that the two agree.
 *
 * Text, numbers, booleans and bigints are themselves (`-0` is `0`, NaN is one value); missing counts as null; `Date`
 * and effect's `DateTime` count by their instant, apart from numbers and text. The types allow no more. Anything else that
 * arrives all the same counts by its stored form, or its text where it has none.
 */
import type { Hashable } from "../../model/Hash.ts"
import { encodeStored } from "../../model/StoredValue.ts"

/** An instant or another object, as text that is apart from the user's own text. */
export interface Boxed {
  readonly text: string
}

const textOf = (value: unknown): string => {
  try {
    return JSON.stringify(encodeStored(value))
  } catch {
    return Object.prototype.toString.call(value)
  }
}

/** The value to count: itself, or boxed text for objects. */
export const countable = (value: unknown): Hashable | Boxed => {
  switch (typeof value) {
    case "string":
    case "number":
    case "boolean":
    case "bigint":
      return value
    case "undefined":
      return null
    case "object": {
      if (value === null) return null
      const instant =
        value instanceof Date ? value.getTime() : (value as { readonly epochMilliseconds?: unknown }).epochMilliseconds
      return { text: typeof instant === "number" ? `@${instant}` : textOf(value) }
    }
    default:
      return { text: String(value) }
  }
}
