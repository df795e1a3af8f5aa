/** L3 between fused operators and at sinks: what must not be taken for a loss. */
import { Effect } from "effect"
import { EventStream, Foreach, Memory } from "tidemark"
import { describe, expect, it } from "vitest"
import { errorOf, run, runQuery } from "./kit.ts"

interface Row {
  readonly id: string
  readonly t: number
}
const rows: ReadonlyArray<Row> = Array.from({ length: 10 }, (_, t) => ({ id: `a${t}`, t }))
const twice = (row: Row): ReadonlyArray<Row> => [
  { ...row, id: `${row.id}x` },
  { ...row, id: `${row.id}y` }
]

describe("L3: what is no loss is not taken for one", () => {
  it("outputs of outputs, with a dedupe between", async () => {
    const out = Memory.sink<Row>()
    await run(
      runQuery(
        EventStream.from(Memory.source(rows)).pipe(
          EventStream.withEventTime("t", { outOfOrderness: 5 }),
          EventStream.flatMap(twice),
          EventStream.dedupe("id", { late: "drop" }),
          EventStream.flatMap(twice),
          EventStream.to(out)
        )
      )
    )
    expect((await run(out.rows)).length).toBe(40)
  })

  it("more outputs of outputs than have places of their own", async () => {
    const out = Memory.sink<unknown>()
    const same = EventStream.flatMap((row: { readonly i: number }) => [row])
    await run(
      runQuery(
        EventStream.from(Memory.source([{ t: 1 }])).pipe(
          EventStream.flatMap(() => Array.from({ length: 20_000 }, (_, i) => ({ i }))),
          same,
          same,
          same,
          EventStream.to(out)
        )
      )
    )
    expect((await run(out.rows)).length).toBe(20_000)
  })

  it("an operator that has the name of an exchange", async () => {
    const out = Memory.sink<Row>()
    await run(
      runQuery(
        EventStream.from(Memory.source(rows)).pipe(
          EventStream.map((row: Row) => row),
          EventStream.named("dedupe-1.exchange"),
          EventStream.withEventTime("t", { outOfOrderness: 5 }),
          EventStream.dedupe("id", { late: "drop" }),
          EventStream.to(out)
        )
      )
    )
    expect((await run(out.rows)).length).toBe(10)
  })

  it("a batch that a sink is given again after a failure", async () => {
    let calls = 0
    const inner = Foreach.sink((row: Row) => (row.t === 3 && calls++ === 0 ? Effect.fail("once") : Effect.void))
    const again: typeof inner = {
      ...inner,
      writer: (context) =>
        Effect.map(inner.writer(context), (writer) => ({
          ...writer,
          write: (batch) => Effect.retry(writer.write(batch), { times: 3 })
        }))
    }
    const query = EventStream.from(Memory.source(rows)).pipe(EventStream.to(again))
    expect(await run(runQuery(query))).toMatchObject({ ended: "exhausted" })
    expect(calls).toBe(2)
  })

  it("a sink that loses rows is named, and not tidemark", async () => {
    const inner = Memory.sink<Row>()
    const losing: typeof inner = {
      ...inner,
      writer: (context) =>
        Effect.map(inner.writer(context), (writer) => ({
          ...writer,
          write: ({ rows: all }) => writer.write({ rows: all.slice(1) })
        }))
    }
    const error = await errorOf(runQuery(EventStream.from(Memory.source(rows)).pipe(EventStream.to(losing))))
    expect(error).toMatchObject({ reason: "LedgerImbalance" })
    expect((error as Error).message).toMatch(
      /output: received = written \+ dead does not hold \(10, 9\)\. This is a defect in the sink/
    )
  })
})
