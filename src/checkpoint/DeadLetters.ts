/**
 * Where dead letters go when nobody said otherwise: one object of JSON lines per epoch in the checkpoint store,
 * `dead/<query>/<run>-<epoch>.jsonl`. Kept until someone deletes them.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { DeadLetter } from "../model/DeadLetter.ts"
import { StoreError } from "../model/Errors.ts"
import type { ObjectStore } from "../model/ObjectStore.ts"
import type { Prepared, Sink } from "../model/Sink.ts"

const prefixOf = (query: string): string => `dead/${query}/`

/** Object names sort by epoch. */
const nameOf = (query: string, run: number, epoch: number): string =>
  `${prefixOf(query)}${run}-${String(epoch).padStart(10, "0")}.jsonl`

/** A sink for dead letters on an object store; the letters are durable when their epoch is prepared. */
export const deadLetterSink = (objects: ObjectStore): Sink<DeadLetter, "append", StoreError> => ({
  name: `dead letters in ${objects.name}`,
  features: { modes: ["append"], guarantee: "at-least-once", multiWriter: true, deletes: false },
  writer: ({ query, writer }) =>
    Effect.map(Clock.currentTimeMillis, (run) => {
      const lines: Array<string> = []
      return {
        write: ({ rows }) =>
          Effect.sync(() => {
            for (const row of rows) lines.push(JSON.stringify(row))
            return []
          }),
        prepare: (epoch) => {
          const prepared: Prepared = { query, writer, epoch, data: null }
          if (lines.length === 0) return Effect.succeed(prepared)
          const bytes = new TextEncoder().encode(`${lines.join("\n")}\n`)
          return Effect.map(objects.put(nameOf(query, run, epoch), bytes), () => {
            lines.length = 0
            return prepared
          })
        }
      }
    }),
  commit: () => Effect.void,
  committed: () => Effect.succeed(Option.none())
})

/** The dead letters kept for a query, oldest first; at most `limit` objects' worth. */
export const deadLettersOf = (
  objects: ObjectStore,
  query: string,
  limit: number
): Effect.Effect<ReadonlyArray<DeadLetter>, StoreError> =>
  Effect.gen(function* () {
    const letters: Array<DeadLetter> = []
    for (const name of yield* objects.list(prefixOf(query), limit)) {
      const bytes = yield* objects.get(name)
      if (Option.isNone(bytes)) continue
      const lines = new TextDecoder().decode(bytes.value).split("\n")
      for (const line of lines) {
        if (line === "") continue
        const letter = yield* Effect.try({
          try: () => JSON.parse(line) as DeadLetter,
          catch: (cause) =>
            new StoreError({
              store: objects.name,
              name,
              operation: "get",
              message: "is not a file of dead letters",
              cause
            })
        })
        letters.push(letter)
      }
    }
    return letters
  })
