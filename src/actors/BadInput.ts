/**
 * What becomes of input that did not decode: kept as dead letters (the default), or the first of it fails the query, or
 * dropped and counted under a name the user chose. Never silently.
 */
import * as Effect from "effect/Effect"
import type { DeadLetter, DeadRow } from "../model/DeadLetter.ts"
import { SourceError } from "../model/Errors.ts"
import type { Counters } from "../streams/Counters.ts"
import type { Task } from "./Task.ts"
import type { ReadySource } from "./Topology.ts"

/** Applies the source's policy to the dead rows of one chunk and counts them. */
export const takeBadInput = (
  task: Task,
  source: ReadySource,
  partition: string,
  dead: ReadonlyArray<DeadRow>,
  counters: Counters
): Effect.Effect<void, SourceError> => {
  const policy = source.onBadInput ?? "deadLetter"
  if (policy === "fail") {
    const { place, detail } = dead[0]
    const message = `bad input at ${place}: ${detail}. Mend the input, or let onBadInput be "deadLetter"`
    return Effect.fail(
      new SourceError({ connector: source.name, partition, position: place, retryable: false, message })
    )
  }
  if (policy !== "deadLetter") {
    counters.drop(policy.dropAs, dead.length)
    return Effect.void
  }
  counters.dead += dead.length
  task.bury(dead.map((row) => letterOf(task.query, source.name, partition, row)))
  return Effect.void
}

const letterOf = (query: string, source: string, partition: string, row: DeadRow): DeadLetter => ({
  query,
  operator: "decode",
  source,
  partition,
  place: row.place,
  reason: row.reason,
  detail: row.detail,
  ...textOf(row.bytes),
  truncated: row.truncated
})

const utf8 = new TextDecoder("utf-8", { fatal: true })

/** Bytes as text where they are UTF-8, else as base64: a dead letter loses none of them. */
const textOf = (bytes: Uint8Array): { readonly text: string } | { readonly base64: string } => {
  try {
    return { text: utf8.decode(bytes) }
  } catch {
    return { base64: Buffer.from(bytes).toString("base64") }
  }
}
