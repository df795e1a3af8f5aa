/**
 * Late rows: what arrives after its window closed goes to a file of its own instead of changing a result that was given
 * out. Whoever windows a stream must say so: without `late`, the program does not compile.
 *
 *     npm run -s example 05
 */
import { NodeRuntime } from "@effect/platform-node"
import { Checkpoint, EventStream, Files, Json, Late, Memory, Query, Terminal, Window } from "tidemark"
import { Console, Effect } from "effect"

const orders = Memory.source([
  { at: "2026-01-01T12:00:10Z", category: "Books", amount: 20 },
  { at: "2026-01-01T12:01:30Z", category: "Games", amount: 60 },
  // a minute and a half behind the newest, which is more than was promised; but its window is still open
  { at: "2026-01-01T12:00:00Z", category: "Books", amount: 15 },
  { at: "2026-01-01T12:04:00Z", category: "Books", amount: 8 },
  // its window closed when the row before came: the watermark is 12:03
  { at: "2026-01-01T12:01:59Z", category: "Games", amount: 40 }
])

const lateRows = Files.jsonLines("./out/examples/05-late", { startOver: true })

const perMinute = EventStream.from(orders).pipe(
  EventStream.withEventTime("at", { outOfOrderness: "1 minute" }),
  EventStream.keyBy("category"),
  EventStream.window(Window.tumbling("1 minute"), { late: Late.to(lateRows) }),
  EventStream.aggregate(({ count, sum }) => ({ orders: count, revenue: sum("amount") })),
  EventStream.to(Terminal.sink())
)

/** The file, read again: by a query, as anything else. */
const written = EventStream.from(Files.source({ path: "./out/examples/05-late", format: Json.lines() })).pipe(
  EventStream.to(Terminal.sink({ title: "late rows" }))
)

Effect.gen(function* () {
  const { ledger } = yield* Query.run(perMinute, { name: "per-minute" })
  const late = ledger.operators.reduce((n, operator) => n + operator.late, 0)
  yield* Console.log(`${late} late, in ./out/examples/05-late:`)
  yield* Query.run(written, { name: "late-rows" })
}).pipe(Effect.provide(Checkpoint.layerMemory), NodeRuntime.runMain)
