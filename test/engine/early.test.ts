import { Effect } from "effect"
import { EventStream, Memory, Trigger, Window } from "tidemark"
import { describe, expect, it } from "vitest"
import { counted, errorOf, run, runQuery, runScoped, startQuery, until } from "./kit.ts"

interface Row {
  readonly t: number
  readonly k: string
}
interface Result {
  readonly k: string
  readonly window_start: number
  readonly window_end: number
  readonly n: number
}

const panesOf = (rows: ReadonlyArray<Result>) => rows.map((r) => `${r.k} ${r.window_start} ${r.n}`).toSorted()

const early = (window: Window.Window<"time">, input: ReturnType<typeof Memory.channel<Row>>["source"]) =>
  EventStream.from(input).pipe(
    EventStream.withEventTime("t", { outOfOrderness: 0 }),
    EventStream.keyBy("k"),
    EventStream.window(window, { late: "drop", early: true }),
    counted
  )

describe("A4: early results", () => {
  it("come out with each epoch as far as they changed, once more at the close if they changed since, and never empty", () =>
    runScoped(
      Effect.gen(function* () {
        const input = Memory.channel<Row>({ bounded: true })
        const out = Memory.sink<Result>()
        const query = yield* startQuery(
          early(Window.tumbling(10), input.source).pipe(EventStream.to(out, { mode: "update" })),
          { trigger: Trigger.every("20 millis") }
        )
        const epoch = (n: number, rows: ReadonlyArray<Row>) =>
          Effect.andThen(
            input.push("0", rows),
            until(
              `epoch ${n}`,
              Effect.map(out.epochs, (all) => all.length === n)
            )
          )
        yield* epoch(1, [
          { t: 1, k: "a" },
          { t: 2, k: "a" },
          { t: 3, k: "b" }
        ])
        yield* epoch(2, [{ t: 4, k: "b" }])
        // Closes [0, 10): "a" has come out as it is; "b" changed in this very epoch.
        yield* epoch(3, [
          { t: 9, k: "b" },
          { t: 12, k: "a" }
        ])
        yield* input.end("0")
        yield* query.await
        expect((yield* out.epochs).map(({ rows }) => panesOf(rows)).filter((rows) => rows.length > 0)).toEqual([
          ["a 0 2", "b 0 1"],
          ["b 0 2"],
          ["a 10 1", "b 0 3"]
        ])
      })
    ))

  it("give in the end what append gives", async () => {
    const rows = Array.from({ length: 200 }, (_, i) => ({ t: Math.floor(i / 2), k: "abc"[i % 3] }))
    const resultsIn = async (mode: "append" | "update" | "complete"): Promise<ReadonlyArray<string>> => {
      const out = Memory.sink<Result>()
      const input = EventStream.from(Memory.source({ partitions: { p: rows } })).pipe(
        EventStream.withEventTime("t", { outOfOrderness: 5 }),
        EventStream.keyBy("k")
      )
      const window = Window.sliding(20, { every: 10 })
      const how = { chunkRows: 3, trigger: Trigger.every("1 millis") }
      if (mode === "append") {
        const closed = input.pipe(EventStream.window(window, { late: "drop" }), counted)
        await run(runQuery(closed.pipe(EventStream.to(out, { mode })), how))
        return panesOf(await run(out.rows))
      }
      const open = input.pipe(EventStream.window(window, { late: "drop", early: true }), counted)
      const to = mode === "update" ? EventStream.to(out, { mode }) : EventStream.to(out, { mode, keep: "1 hour" })
      await run(runQuery(open.pipe(to), how))
      return panesOf(await run(out.table))
    }
    const appended = await resultsIn("append")
    expect(appended.length).toBeGreaterThan(30)
    expect(await resultsIn("update")).toEqual(appended)
    expect(await resultsIn("complete")).toEqual(appended)
  })

  it("are refused in append, whatever the types were told", async () => {
    const stream = early(Window.tumbling(10), Memory.channel<Row>().source)
    const final = stream as unknown as EventStream.EventStream<Result>
    const error = await errorOf(runQuery(final.pipe(EventStream.to(Memory.sink(), { mode: "append" }))))
    expect(error).toMatchObject({ reason: "InvalidPipeline" })
    expect(String(error)).toContain("may still change")
  })
})
