/**
 * A query in an application: an HTTP server takes orders and shows revenue, and between the two stands a query, as a
 * Layer beside the server's. Then a visitor comes, orders three things, looks, and the program ends.
 *
 *     npm run -s example 10
 */
import { createServer } from "node:http"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Checkpoint, EventStream, Memory, Query, Streams, Trigger } from "tidemark"
import { Console, Effect, Layer, Queue, Schedule, Schema, Stream } from "effect"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"

const Order = Schema.Struct({ category: Schema.String, amount: Schema.Number })

const orders = Effect.runSync(Queue.bounded<typeof Order.Type>(1024))
const revenue = Memory.sink<{ category: string; orders: number; revenue: number }>()

// No window: a result per category, again whenever it changes. Its keys are never freed: few categories, not customers.
const perCategory = EventStream.from(Streams.source(Stream.fromQueue(orders))).pipe(
  EventStream.keyBy("category"),
  EventStream.aggregateRunning(({ count, sum }) => ({ orders: count, revenue: sum("amount") })),
  EventStream.to(revenue, { mode: "update" })
)

const Routes = HttpRouter.addAll([
  HttpRouter.route(
    "POST",
    "/orders",
    Effect.gen(function* () {
      yield* Queue.offer(orders, yield* HttpServerRequest.schemaBodyJson(Order))
      return HttpServerResponse.empty({ status: 202 })
    })
  ),
  HttpRouter.route("GET", "/revenue", Effect.flatMap(revenue.table, HttpServerResponse.json))
])

const App = Layer.mergeAll(
  HttpRouter.serve(Routes, { disableLogger: true, disableListenLog: true }),
  Query.layer(Query.job({ revenue: perCategory }, { trigger: Trigger.every("50 millis") }))
).pipe(Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0 })), Layer.provide(Checkpoint.layerMemory))

const visitor = Effect.gen(function* () {
  const server = HttpServer.formatAddress((yield* HttpServer.HttpServer).address)
  for (const order of [
    '{"category":"Books","amount":20}',
    '{"category":"Games","amount":60}',
    '{"category":"Books","amount":15}'
  ]) {
    const { status } = yield* Effect.promise(() => fetch(`${server}/orders`, { method: "POST", body: order }))
    yield* Console.log(`POST /orders ${order} -> ${status}`)
  }
  const look = Effect.promise(() => fetch(`${server}/revenue`).then((response) => response.text()))
  const seen = yield* look.pipe(
    Effect.repeat({ schedule: Schedule.spaced("50 millis"), until: (text) => text.includes('"revenue":35') })
  )
  yield* Console.log(`GET /revenue -> ${seen}`)
})

visitor.pipe(Effect.provide(App), NodeRuntime.runMain)
