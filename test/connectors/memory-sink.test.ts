import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import * as Memory from "../../src/connectors/memory/Memory.ts"
import { sinkConformance, type SinkRow } from "../conformance/sink.ts"
import { context } from "../conformance/sinkWorld.ts"

const features = {
  modes: ["append", "update", "complete"],
  guarantee: "exactly-once",
  multiWriter: true,
  deletes: true
} as const

sinkConformance(
  "memory",
  features,
  Effect.sync(() => {
    const table = Memory.makeTable()
    const sink = Memory.sink<SinkRow>({ table })
    return {
      sink,
      again: () => Memory.sink<SinkRow>({ table }),
      visible: sink.rows,
      table: sink.table,
      staged: Effect.sync(() => table.staged.size)
    }
  })
)

describe("Memory.sink", () => {
  it("keeps hostile rows as they are, and identities of different types apart", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const sink = Memory.sink()
          const writer = yield* sink.writer(context("update", { identity: ["__proto__"] }))
          const keyed = (json: string): unknown => JSON.parse(`{"__proto__":${json}}`)
          const rows = [keyed("1"), keyed('"1"'), keyed("null"), keyed('"null"'), keyed("true"), keyed('"number 1"')]
          yield* writer.write({ rows: [...rows, keyed("1")] })
          yield* sink.commit(yield* writer.prepare(0))
          expect((yield* sink.table).length).toBe(rows.length)
          expect((yield* sink.epochs)[0]).toMatchObject({ query: "q", writer: "w", epoch: 0, mode: "update" })
        })
      )
    ))
  it("refuses an epoch that another process staged, saying so", () =>
    Effect.runPromise(
      Effect.gen(function* () {
        const error = yield* Effect.flip(
          Memory.sink().commit({ query: "q", writer: "w", epoch: 3, data: { staged: "gone" } })
        )
        expect(error._tag).toBe("SinkError")
        expect(error.message).toContain("epoch 3")
      })
    ))
})
