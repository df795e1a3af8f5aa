/**
 * `npm run -s bench:connector`: what tidemark's source and sink of Event Hubs cost beside the bare SDK, in one run: CPU of
 * a process that reads, or sends, so many events, interleaved rounds, with the service in a process of its own. Prints one
 * line of JSON, and exits 1 where tidemark costs more than 1.3 times as much.
 *
 * `[--events N] [--rounds N]`
 */
import { type ChildProcess, fork } from "node:child_process"
import { parseArgs } from "node:util"
import { EventHubProducerClient } from "@azure/event-hubs"
import { Deferred, Effect, Option, Redacted } from "effect"
import { Checkpoint, type Connector, EventStream, Memory, Query } from "tidemark"
import * as EventHubs from "tidemark/EventHubs"
import { receiveBySdk } from "./receiveBySdk.ts"

const { values } = parseArgs({
  options: {
    role: { type: "string", default: "main" },
    connection: { type: "string", default: "" },
    events: { type: "string", default: "200000" },
    rounds: { type: "string", default: "3" }
  }
})
const events = Number(values.events)
const partitions = 4
const batch = 500
const body = { number: "0000000000", text: "x".repeat(270) }

/** Reads or sends all events; nothing else is measured. */
type Work = () => Promise<void>

const bareReceive: Work = () => receiveBySdk(values.connection, events)

/** Takes rows and keeps none; says when all are there. */
const counting = (all: () => void): Connector.Sink<unknown, "append"> => {
  let count = 0
  return {
    name: "counting",
    features: { modes: ["append"], guarantee: "at-least-once", multiWriter: true, deletes: false },
    writer: ({ query, writer }) =>
      Effect.succeed({
        write: ({ rows }) =>
          Effect.sync(() => {
            count += rows.length
            if (count >= events) all()
            return []
          }),
        prepare: (epoch) => Effect.succeed({ query, writer, epoch, data: null })
      }),
    commit: () => Effect.void,
    committed: () => Effect.succeed(Option.none())
  }
}

const receive: Work = () =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const done = yield* Deferred.make<void>()
        const source = EventHubs.source({ connection: Redacted.make(values.connection) })
        const sink = counting(() => Deferred.doneUnsafe(done, Effect.void))
        yield* Query.start(EventStream.from(source).pipe(EventStream.to(sink)), { name: "receive" })
        yield* Deferred.await(done)
      })
    ).pipe(Effect.provide(Checkpoint.layerMemory))
  )

const bareSend: Work = async () => {
  const client = new EventHubProducerClient(values.connection)
  for (let sent = 0; sent < events; sent += batch) {
    let out = await client.createBatch()
    for (let i = 0; i < batch; i++) {
      const event = { body }
      if (out.tryAdd(event)) continue
      await client.sendBatch(out)
      out = await client.createBatch()
      out.tryAdd(event)
    }
    await client.sendBatch(out)
  }
  await client.close()
}

const send: Work = async () => {
  const rows = Array.from({ length: events }, () => body)
  const sink = EventHubs.sink({ connection: Redacted.make(values.connection) })
  const query = EventStream.from(Memory.source(rows, { chunkRows: batch })).pipe(EventStream.to(sink))
  await Effect.runPromise(Query.run(query, { name: "send" }).pipe(Effect.provide(Checkpoint.layerMemory)))
}

const works: { readonly [role: string]: Work } = { bareReceive, receive, bareSend, send }

const measured = async (work: Work): Promise<void> => {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  process.send?.((user + system) / events)
}

const started = (file: string, args: ReadonlyArray<string>): ChildProcess =>
  fork(new URL(file, import.meta.url), args, { execArgv: [...process.execArgv, "--min-semi-space-size=16"] })
const told = <A>(child: ChildProcess): Promise<A> =>
  new Promise((done, fail) => {
    child.once("message", (message) => done(message as A))
    child.once("exit", (code) => fail(new Error(`it ended with ${code}`)))
  })
const median = (numbers: ReadonlyArray<number>): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]

const main = async (): Promise<void> => {
  const costs = new Map<string, Array<number>>()
  for (let round = 0; round < Number(values.rounds); round++) {
    const service = started("embedded.ts", ["--role", "serve", "--partitions", String(partitions)])
    const connection = await told<string>(service)
    const filled = started("embedded.ts", ["--role", "send", "--connection", connection, "--events", String(events)])
    await new Promise((done) => void filled.once("exit", done))
    const order =
      round % 2 === 0 ? ["bareReceive", "receive", "bareSend", "send"] : ["receive", "bareReceive", "send", "bareSend"]
    for (const role of order) {
      const cost = await told<number>(
        started("connector.ts", ["--role", role, "--connection", connection, "--events", String(events)])
      )
      costs.set(role, [...(costs.get(role) ?? []), cost])
    }
    service.kill()
  }
  const of = (role: string): number => Math.round(median(costs.get(role) ?? []) * 100) / 100
  const ratio = (role: string, bare: string): number => Math.round((of(role) / of(bare)) * 1000) / 1000
  const figures = {
    events,
    usPerEvent: { bareReceive: of("bareReceive"), receive: of("receive"), bareSend: of("bareSend"), send: of("send") },
    receiveRatio: ratio("receive", "bareReceive"),
    sendRatio: ratio("send", "bareSend")
  }
  const ok = figures.receiveRatio <= 1.3 && figures.sendRatio <= 1.3
  console.log(JSON.stringify({ ...figures, ok }))
  process.exit(ok ? 0 : 1)
}

const work = works[values.role]
if (work === undefined) await main()
else {
  await measured(work)
  process.exit(0)
}
