import { Effect } from "effect"
import { EventStream, Late, Memory, Query, Window } from "tidemark"
import { describe, expect, it } from "vitest"
import { operatorOf, run, runQuery, runScoped, startQuery, until } from "./kit.ts"

interface Row {
  readonly id: string | number | bigint
  readonly t: number
}

const row = (id: Row["id"], t: number): Row => ({ id, t })

const deduped = (
  partitions: { readonly [p: string]: ReadonlyArray<Row> },
  options: { late?: "forward" | "drop"; allowedLateness?: number; within?: number } = {},
  how: { readonly chunkRows?: number; readonly parallelism?: number } = {}
) =>
  Effect.gen(function* () {
    const out = Memory.sink<Row>()
    const late = Memory.sink<Row>()
    const { late: policy, ...rest } = options
    const summary = yield* runQuery(
      EventStream.from(Memory.source({ partitions })).pipe(
        EventStream.withEventTime("t", { outOfOrderness: 0 }),
        EventStream.dedupe("id", { late: policy ?? Late.to(late), ...rest }),
        EventStream.to(out)
      ),
      how
    )
    return {
      rows: (yield* out.rows).map((r) => `${r.id}@${r.t}`).toSorted(),
      late: (yield* late.rows).map((r) => `${r.id}@${r.t}`),
      ledger: operatorOf(summary.ledger, "dedupe-1")
    }
  })

describe("A3: dedupe", () => {
  it("a copy has the same id and the same event time; another time is another row", async () => {
    const rows = [row("a", 1), row("a", 1), row("a", 2), row("b", 2)]
    const { rows: kept, ledger } = await run(deduped({ p: rows, q: rows }, {}, { parallelism: 2 }))
    expect(kept).toEqual(["a@1", "a@2", "b@2"])
    expect(ledger).toMatchObject({ in: 8, forwarded: 3, duplicate: 5, late: 0 })
  })

  it("lateness comes first: a late row is neither compared nor registered", async () => {
    // After 10, the row at 5 is late; it is the first with its id, and yet the on-time one at 12 goes through.
    const rows = [row("x", 10), row("a", 5), row("a", 5), row("x", 10)]
    expect(await run(deduped({ p: rows }))).toMatchObject({
      rows: ["x@10"],
      late: ["a@5", "a@5"],
      ledger: { late: 2, duplicate: 1 }
    })
    expect(await run(deduped({ p: rows }, { late: "drop" }))).toMatchObject({ rows: ["x@10"], ledger: { late: 2 } })
    const forwarded = await run(deduped({ p: rows }, { late: "forward" }))
    expect(forwarded).toMatchObject({ rows: ["a@5", "a@5", "x@10"], ledger: { late: 0, forwarded: 3, duplicate: 1 } })
  })

  it("within its allowed lateness a row is on time: t >= W_p - L", async () => {
    const rows = [row("x", 10), row("a", 5), row("a", 5), row("b", 4)]
    expect(await run(deduped({ p: rows }, { allowedLateness: 5 }))).toMatchObject({
      rows: ["a@5", "x@10"],
      late: ["b@4"]
    })
  })

  it("with a horizon the id alone counts: of copies at most that far apart exactly one is kept", async () => {
    const a = [row("a", 10_000), row("x", 10_500), row("a", 11_000), row("b", 11_000)]
    const b = [row("b", 10_200), row("a", 10_400), row("c", 12_000)]
    for (const how of [{ chunkRows: 1 }, { chunkRows: 2, parallelism: 3 }, {}]) {
      const { rows, ledger } = await run(deduped({ a, b }, { within: 1000 }, how))
      expect(rows.map((r) => r[0])).toEqual(["a", "b", "c", "x"])
      expect(ledger).toMatchObject({ in: 7, forwarded: 4, duplicate: 3 })
    }
  })

  it("an id is forgotten once W_op > t + h + L, and not before", () =>
    runScoped(
      Effect.gen(function* () {
        const input = Memory.channel<Row>()
        const out = Memory.sink<Row>()
        const query = yield* startQuery(
          EventStream.from(input.source).pipe(
            EventStream.withEventTime("t", { outOfOrderness: 0 }),
            EventStream.dedupe("id", { late: "drop", within: 2000 }),
            EventStream.to(out)
          )
        )
        const keys = Effect.map(query.progress, (p) => p.operators[0]?.keys)
        yield* input.push("0", [row("a", 999)])
        yield* input.push("0", [row("b", 2999)])
        yield* until(
          "both are known",
          Effect.map(keys, (n) => n === 2)
        )
        yield* input.push("0", [row("a", 2999)])
        yield* input.push("0", [row("c", 4000)])
        yield* until(
          "a is forgotten",
          Effect.map(keys, (n) => n === 2)
        )
        yield* query.drain
        expect((yield* out.rows).map((r) => r.id)).toEqual(["a", "b", "c"])
      })
    ))

  it("with a horizon h and a lateness L an id is kept for both: a copy that is on time is known until then", async () => {
    const options = { within: 2000, allowedLateness: 2000 }
    // At W_op = 4999 = 999 + h + L: the copy at 2999 is h after the first, and L behind the watermark.
    const rows = [row("a", 999), row("x", 4999), row("a", 2999)]
    for (const chunkRows of [1, 2, 3]) {
      const { rows: kept, late, ledger } = await run(deduped({ p: rows }, options, { chunkRows }))
      expect(kept, `chunks of ${chunkRows}`).toEqual(["a@999", "x@4999"])
      expect(late).toEqual([])
      expect(ledger).toMatchObject({ forwarded: 2, duplicate: 1, late: 0 })
    }
  })

  it("ids of different types are different; what can be no key is a dead letter", async () => {
    const ids = ["1", 1, 1n, "__proto__", "", null, Number.NaN, {}, -0, 0] as ReadonlyArray<Row["id"]>
    await run(
      Effect.gen(function* () {
        const { rows } = yield* deduped({ p: ids.map((id) => row(id, 5)) }, {}, { parallelism: 3 })
        expect(rows).toEqual(["0@5", "1@5", "1@5", "1@5", "@5", "__proto__@5"].toSorted())
        const letters = yield* Query.deadLetters("q")
        expect(letters.map((l) => [l.operator, l.reason, l.place])).toEqual([
          ["dedupe-1.exchange", "key", "row 5"],
          ["dedupe-1.exchange", "key", "row 6"],
          ["dedupe-1.exchange", "key", "row 7"]
        ])
      })
    )
  })

  it("its lateness is at most that of every window after it", async () => {
    const pipeline = EventStream.from(Memory.source([row("a", 1)])).pipe(
      EventStream.withEventTime("t", { outOfOrderness: 0 }),
      EventStream.dedupe("id", { late: "drop", allowedLateness: 10 }),
      EventStream.keyBy(),
      EventStream.window(Window.tumbling(10), { late: "drop" }),
      EventStream.aggregate(({ count }) => ({ n: count })),
      EventStream.to(Memory.sink())
    )
    await expect(run(runQuery(pipeline))).rejects.toThrow("is less than the 10 ms of the dedupe before it")
  })
})
