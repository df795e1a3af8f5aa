/** C10: a query that begins with a savepoint after a reset keeps the files that the savepoint covers. */
import { Effect, References } from "effect"
import { join } from "node:path"
import { expect, it } from "vitest"
import { Checkpoint, EventStream, Files, Memory, Query, Trigger } from "tidemark"
import { resetQuery } from "../../src/checkpoint/resetQuery.ts"
import { factsOf } from "../../src/actors/QueryHandle.ts"
import { parts, run } from "./sinkSupport.ts"
import { temporaryFolder } from "./support.ts"

it.each([true, false])("C10: startOver %s: rows before and after the savepoint stand there once each", (startOver) =>
  run(
    Effect.gen(function* () {
      const out = join(yield* temporaryFolder, "out")
      const objects = Memory.objectStore()
      const input = Memory.channel<{ readonly v: number }>()
      const pipeline = EventStream.from(input.source).pipe(EventStream.to(Files.jsonLines(out, { startOver })))
      const once = (vs: ReadonlyArray<number>, from: { readonly savepoint?: string }, makes: string) =>
        Effect.scoped(
          Effect.gen(function* () {
            const options = { name: "q", trigger: Trigger.every("1 millis"), ...from }
            const handle = yield* Query.start(pipeline, options)
            while (factsOf(handle).phase !== "running") yield* Effect.sleep(1)
            for (const v of vs) {
              const before = factsOf(handle).ledger.epoch
              yield* input.push("0", [{ v }])
              while (factsOf(handle).ledger.epoch === before) yield* Effect.sleep(1)
            }
            yield* handle.stopWithSavepoint(makes)
          })
        ).pipe(Effect.provide(Checkpoint.layer(objects)))
      yield* once([1, 2], {}, "first")
      yield* resetQuery(objects, "q")
      yield* once([3], { savepoint: "first" }, "second")
      yield* once([4], { savepoint: "first" }, "third")
      const rows = Object.values(yield* parts(out)).flatMap((text) => text.trim().split("\n"))
      expect(rows.toSorted()).toEqual(['{"v":1}', '{"v":2}', '{"v":3}', '{"v":4}'])
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
  )
)
