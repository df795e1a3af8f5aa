/**
 * A query that goes on where it stopped: run it again and again. Each run finds a file with the orders of the next forty
 * minutes, reads only that, and gives out the hours that are over; the one that is not waits in the checkpoint.
 *
 *     npm run -s example 13          again: the first hour comes out; rm -r out/examples/13 begins anew
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { NodeRuntime } from "@effect/platform-node"
import { Checkpoint, EventStream, Files, Json, Query, Trigger, Window } from "tidemark"
import { Console, Effect, Schedule, Schema } from "effect"

const folder = "./out/examples/13"

/** The world: a new file of three orders. */
const nextOrders = Effect.sync(() => {
  mkdirSync(`${folder}/in`, { recursive: true })
  const run = readdirSync(`${folder}/in`).length
  const at = (minute: number) => new Date(Date.UTC(2026, 0, 1, 12, run * 40 + minute)).toISOString()
  const orders = [
    { at: at(5), category: "Books", amount: 20 },
    { at: at(15), category: "Games", amount: 60 },
    { at: at(35), category: "Books", amount: 15 }
  ]
  writeFileSync(
    `${folder}/in/${String(run).padStart(6, "0")}.jsonl`,
    orders.map((o) => `${JSON.stringify(o)}\n`).join("")
  )
})

const Order = Schema.Struct({ at: Schema.String, category: Schema.String, amount: Schema.Number })

const orders = Files.source({ path: `${folder}/in`, format: Json.lines(Order), watch: "100 millis" })

const perHour = EventStream.from(orders).pipe(
  EventStream.withEventTime("at", { outOfOrderness: "5 minutes" }),
  EventStream.keyBy("category"),
  EventStream.window(Window.tumbling("1 hour"), { late: "drop" }),
  EventStream.aggregate(({ count, sum }) => ({ orders: count, revenue: sum("amount") })),
  EventStream.to(Files.jsonLines(`${folder}/out`))
)

Effect.gen(function* () {
  yield* nextOrders
  const { epoch, ledger } = yield* Query.run(perHour, {
    name: "per-hour",
    // What is there now, then the end. Trigger.every("1 second") would stay for what comes.
    trigger: Trigger.availableNow(),
    // A failure does not end it either: it goes on from the last epoch.
    restart: Schedule.exponential("100 millis")
  })
  const held = ledger.operators.reduce((n, operator) => n + operator.held, 0)
  yield* Console.log(`epoch ${epoch}: ${held} orders in an hour that is still open; out so far:`)
  const parts = readdirSync(`${folder}/out`).filter((name) => name.endsWith(".jsonl"))
  for (const part of parts) yield* Console.log(readFileSync(`${folder}/out/${part}`, "utf8").trimEnd())
}).pipe(Effect.provide(Checkpoint.layerFiles(`${folder}/checkpoint`)), NodeRuntime.runMain)
