/**
 * What becomes of input that did not decode: kept as dead letters (the default), or the first of it fails the query, or
 * dropped and counted under a name the user chose. Never silently.
 */
import * as Effect from "effect/Effect"
import type { DeadRow } from "../model/DeadLetter.ts"
import { SourceError } from "../model/Errors.ts"
import type { Counters } from "../streams/Counters.ts"
import { letterOfBytes } from "./DeadLetterOf.ts"
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
  const from = { query: task.query, operator: "decode", source: source.name, partition }
  task.bury(
    dead.map(({ place, reason, detail, bytes, truncated }) =>
      letterOfBytes({ ...from, place, reason, detail }, bytes, truncated)
    )
  )
  return Effect.void
}
