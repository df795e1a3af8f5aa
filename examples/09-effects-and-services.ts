/**
 * Effects in a pipeline: each sale asks a service of the application for its price, at most eight at a time. What the
 * service may fail with and what it needs is in the pipeline's type; here a failure makes that one row a dead letter.
 *
 *     npm run -s example 09
 */
import { NodeRuntime } from "@effect/platform-node"
import { Checkpoint, EventStream, Memory, Query, Terminal, Window } from "tidemark"
import { Console, Context, Data, Effect, Layer } from "effect"

class NoPrice extends Data.TaggedError("NoPrice")<{ readonly article: string; readonly message: string }> {}

/** What the application knows and the pipeline asks. */
class Prices extends Context.Service<Prices, { readonly of: (article: string) => Effect.Effect<number, NoPrice> }>()(
  "Prices"
) {
  static readonly layer = Layer.succeed(Prices, {
    of: (article: string) => {
      const euro = new Map([
        ["tea", 4],
        ["coffee", 6]
      ]).get(article)
      if (euro !== undefined) return Effect.as(Effect.sleep("5 millis"), euro)
      return Effect.fail(new NoPrice({ article, message: `there is no price for ${article}` }))
    }
  })
}

const sales = Memory.source([
  { at: "2026-01-01T10:00:01Z", shop: "Lyon", article: "tea", pieces: 2 },
  { at: "2026-01-01T10:00:02Z", shop: "Oslo", article: "coffee", pieces: 1 },
  { at: "2026-01-01T10:00:03Z", shop: "Oslo", article: "cocoa", pieces: 9 },
  { at: "2026-01-01T10:00:04Z", shop: "Lyon", article: "coffee", pieces: 3 }
])

const revenue = EventStream.from(sales).pipe(
  EventStream.withEventTime("at", { outOfOrderness: "1 second" }),
  EventStream.mapEffect(
    (sale) =>
      Effect.flatMap(Prices, (prices) =>
        Effect.map(prices.of(sale.article), (euro) => ({ ...sale, euro: euro * sale.pieces }))
      ),
    { concurrency: 8, onError: "deadLetter" }
  ),
  EventStream.keyBy("shop"),
  EventStream.window(Window.tumbling("1 minute"), { late: "drop" }),
  EventStream.aggregate(({ count, sum }) => ({ sales: count, euro: sum("euro") })),
  EventStream.to(Terminal.sink())
)

Effect.gen(function* () {
  yield* Query.run(revenue, { name: "revenue" })
  for (const letter of yield* Query.deadLetters("revenue")) yield* Console.log(`dead: ${letter.detail}: ${letter.text}`)
}).pipe(Effect.provide([Prices.layer, Checkpoint.layerMemory]), NodeRuntime.runMain)
