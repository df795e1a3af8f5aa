/** What a generator generates: rows of one kind, and broken forms of them. */
import type { DeadReason } from "../../model/DeadLetter.ts"
import type { Timeline } from "./timeline.ts"

/** Bytes that no decoder of the model's schema takes. */
export interface Poison {
  readonly bytes: Uint8Array
  readonly reason: DeadReason
  readonly detail: string
}

/** Pure: the same arguments give equal values. */
export interface EventModel<A> {
  readonly name: string
  /** Row `index` of a partition; `event` is its hash, `ms` when it happened. */
  readonly row: (t: Timeline, index: number, event: number, ms: number) => A
  /** A broken form of that row. */
  readonly poison: (t: Timeline, index: number, event: number, ms: number) => Poison
  /** Approximate bytes of a row in memory. */
  readonly rowBytes: number
}

const encoder = new TextEncoder()

/** The line of JSON of a row, without its newline. */
export const lineOf = (row: unknown): Uint8Array => encoder.encode(JSON.stringify(row))

/** The ways in which a line can be broken whatever its fields: cut short, not UTF-8, not JSON. Undefined: none of them. */
export const brokenLine = (row: unknown, way: number): Poison | undefined => {
  const bytes = lineOf(row)
  if (way === 0)
    return { bytes: bytes.slice(0, bytes.length >> 1), reason: "malformed", detail: "the JSON ends in the middle" }
  if (way === 1) {
    const broken = bytes.slice()
    // Within the text of the first field's value, where it stays a string.
    broken[bytes.indexOf(0x3a) + 3] = 0xff
    return { bytes: broken, reason: "malformed", detail: "not valid UTF-8" }
  }
  if (way === 2)
    return { bytes: encoder.encode("<html>503 Service Unavailable</html>"), reason: "malformed", detail: "not JSON" }
  return undefined
}
