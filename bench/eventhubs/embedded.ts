/**
 * `npm run -s bench:eventhubs`: what the embedded Event Hubs costs. Sends events by the unmodified SDK and reads them
 * back, with the service, the sender and the reader in processes of their own, and prints one line of JSON: CPU of the
 * service per event, in and out, and bytes of memory per event kept.
 *
 * `[--events N] [--bytes N] [--partitions N] [--batch N]`
 */
import { type ChildProcess, fork } from "node:child_process"
import { parseArgs } from "node:util"
import { EventHubProducerClient } from "@azure/event-hubs"
import * as Effect from "effect/Effect"
import { type EmbeddedStats, start } from "../../src/connectors/eventhubs/embedded/index.ts"
import { receiveBySdk } from "./receiveBySdk.ts"

const { values } = parseArgs({
  options: {
    role: { type: "string", default: "main" },
    connection: { type: "string", default: "" },
    events: { type: "string", default: "200000" },
    bytes: { type: "string", default: "300" },
    partitions: { type: "string", default: "4" },
    batch: { type: "string", default: "500" },
    data: { type: "string" }
  }
})
const events = Number(values.events)
const partitions = Number(values.partitions)
const batch = Number(values.batch)

interface Usage {
  readonly cpuUs: number
  readonly rssBytes: number
  readonly stats: EmbeddedStats
}

const tell = (message: unknown): void => {
  process.send?.(message)
}

const cpuUs = (): number => {
  const { user, system } = process.cpuUsage()
  return user + system
}

const serve = Effect.scoped(
  Effect.gen(function* () {
    const service = yield* start({
      hubs: { bench: { partitions } },
      retention: { bytes: 8e9 },
      ...(values.data === undefined ? {} : { dataFolder: values.data })
    })
    process.on("message", () => {
      tell({ cpuUs: cpuUs(), rssBytes: process.memoryUsage().rss, stats: service.stats() } satisfies Usage)
    })
    tell(service.connectionString("bench"))
    yield* Effect.never
  })
)

const send = async (): Promise<void> => {
  const client = new EventHubProducerClient(values.connection)
  const text = "x".repeat(Number(values.bytes) - 30)
  for (let sent = 0, turn = 0; sent < events; sent += batch, turn++) {
    const some = Array.from({ length: Math.min(batch, events - sent) }, (_, i) => ({
      body: { number: String(sent + i).padStart(10, "0"), text }
    }))
    await client.sendBatch(some, { partitionId: String(turn % partitions) })
  }
  await client.close()
}

const next = <A>(child: ChildProcess): Promise<A> => new Promise((done) => void child.once("message", done))

const part = (role: string, ...more: ReadonlyArray<string>): ChildProcess =>
  fork(import.meta.filename, ["--role", role, ...process.argv.slice(2), ...more], {
    execArgv: [...process.execArgv, "--min-semi-space-size=16"]
  })

const ended = (child: ChildProcess): Promise<number> =>
  new Promise((done, fail) =>
    child.on("close", (code) => (code === 0 ? done(performance.now()) : fail(new Error(`it ended with ${code}`))))
  )

const main = async (): Promise<void> => {
  const service = part("serve")
  const connection = await next<string>(service)
  const usage = (): Promise<Usage> => {
    service.send("usage")
    return next(service)
  }
  const run = async (role: string): Promise<number> => {
    const began = performance.now()
    return (await ended(part(role, "--connection", connection))) - began
  }
  const before = await usage()
  const sendMs = await run("send")
  const between = await usage()
  const receiveMs = await run("receive")
  const after = await usage()
  service.kill()
  const perEvent = (from: Usage, to: Usage): number => Math.round(((to.cpuUs - from.cpuUs) / events) * 100) / 100
  const memory = between.stats.hubs.bench.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0)
  const kept = between.stats.hubs.bench.reduce((sum, { bytes }) => sum + bytes, 0)
  console.log(
    JSON.stringify({
      events,
      eventsIn: after.stats.eventsIn,
      eventsOut: after.stats.eventsOut,
      cpuInUsPerEvent: perEvent(before, between),
      cpuOutUsPerEvent: perEvent(between, after),
      cpuUsPerEvent: perEvent(before, after),
      sentPerSecond: Math.round((events / sendMs) * 1000),
      receivedPerSecond: Math.round((events / receiveMs) * 1000),
      bytesKeptPerEvent: Math.round(kept / events),
      memoryBytesPerEvent: Math.round(memory / events),
      wireBytesInPerEvent: Math.round(after.stats.bytesIn / events),
      rssMb: after.rssBytes >> 20
    })
  )
}

const roles: { readonly [role: string]: () => Promise<void> } = {
  main,
  send,
  receive: () => receiveBySdk(values.connection, events),
  serve: () => Effect.runPromise(serve)
}
await roles[values.role]()
