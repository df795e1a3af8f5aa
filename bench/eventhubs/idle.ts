/**
 * `npm run -s check:idle`: a query reads a hub that is silent for so many minutes, then a burst comes at once. Its memory
 * must not grow with the burst, and every event has to be in its files exactly once. Says how it goes on stderr, and ends
 * with one line of JSON; exits 1 when the memory grew too far, or an event is lost or doubled.
 *
 * Memory is that of the process of the query alone, as Linux tells it. What the service has handed out and the query has
 * not committed is held in it: an SDK that grants more credit the longer it waits would hold nearly all of the burst.
 *
 * `[--minutes 10] [--burst 50000] [--bytes 8000] [--growth 250]`: bytes of an event, and megabytes that memory may grow by
 */
import { EventHubProducerClient } from "@azure/event-hubs"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { type EmbeddedService, start } from "tidemark/eventhubs-embedded"
import { conclude, numbers } from "../kill/arguments.ts"
import { pause } from "../kill/process.ts"

const { minutes, burst, bytes, growth } = numbers({ minutes: 10, burst: 50_000, bytes: 8_000, growth: 250 })
const partitions = 4
/** After so long without a further row, what has not come is lost. */
const stalledMs = 60_000
const folder = mkdtempSync(join(tmpdir(), "tidemark-idle-"))
const job = fileURLToPath(new URL("numbersJob.ts", import.meta.url))

/** Numbers in the files that readers see. */
const written = (): ReadonlyArray<number> => {
  const out = join(folder, "out")
  const files = readdirSync(folder).includes("out") ? readdirSync(out).filter((name) => name.endsWith(".jsonl")) : []
  return files
    .flatMap((name) => readFileSync(join(out, name), "utf8").split("\n"))
    .filter((line) => line !== "")
    .map((line) => (JSON.parse(line) as { readonly number: number }).number)
}

/** What a process holds in memory, MB. */
const residentMb = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024

/** Sends numbered events, to all partitions at a time. */
const send = async (connection: string, from: number, to: number): Promise<void> => {
  const producer = new EventHubProducerClient(connection)
  const text = "x".repeat(bytes)
  const each = Array.from({ length: partitions }, async (_, id) => {
    for (let number = from + id; number < to;) {
      const batch = await producer.createBatch({ partitionId: String(id) })
      while (number < to && batch.tryAdd({ body: { number, text } })) number += partitions
      await producer.sendBatch(batch)
    }
  })
  await Promise.all(each)
  await producer.close()
}

const check = async (service: EmbeddedService): Promise<void> => {
  const connection = service.connectionString("numbers")
  const child = spawn(process.execPath, [...process.execArgv, job], {
    cwd: folder,
    env: { PATH: process.env["PATH"], EVENTHUB_CONNECTION_STRING: connection },
    stdio: ["ignore", "ignore", "pipe"]
  })
  let said = ""
  let ended = false
  child.stderr.on("data", (text: Buffer) => (said = (said + text.toString()).slice(-4_000)))
  const gone = new Promise<void>((done) =>
    child.once("close", () => {
      ended = true
      done()
    })
  )
  const pid = child.pid as number
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds() && !ended) await pause(100)
    if (ended) throw new Error(`the query ended: ${said}`)
  }
  try {
    // What is loaded with the first events counts as before.
    await send(connection, 0, partitions)
    await until(() => written().length === partitions)
    const silent = performance.now() + minutes * 60_000
    console.error(`silent for ${minutes} minutes`)
    await until(() => performance.now() > silent)
    const beforeMb = residentMb(pid)
    let peakMb = beforeMb
    let rows: ReadonlyArray<number> = []
    const watching = setInterval(() => {
      if (!ended) peakMb = Math.max(peakMb, residentMb(pid))
    }, 20)
    const began = performance.now()
    const all = partitions + burst
    await send(connection, partitions, all)
    const sentS = (performance.now() - began) / 1_000
    let cameAt = performance.now()
    await until(() => {
      const count = rows.length
      rows = written()
      if (rows.length > count) cameAt = performance.now()
      return rows.length >= all || performance.now() - cameAt > stalledMs
    })
    const readS = (performance.now() - began) / 1_000
    // Time for what would come twice.
    await pause(2_000)
    rows = written()
    clearInterval(watching)
    const lost = all - new Set(rows).size
    const duplicated = rows.length - new Set(rows).size
    const afterMb = residentMb(pid)
    const ok = lost === 0 && duplicated === 0 && peakMb - beforeMb <= growth
    const whole = (n: number): number => Math.round(n)
    conclude({
      ...{ minutes, burst, burstMb: whole((burst * bytes) / 1e6), lost, duplicated },
      ...{ beforeMb: whole(beforeMb), peakMb: whole(peakMb), afterMb: whole(afterMb), growthMaxMb: growth },
      ...{ handedOut: service.stats().eventsOut, sentS: Number(sentS.toFixed(1)), readS: Number(readS.toFixed(1)), ok }
    })
  } finally {
    child.kill("SIGKILL")
    await gone
    rmSync(folder, { recursive: true })
  }
}

await Effect.runPromise(
  Effect.scoped(
    Effect.flatMap(start({ hubs: { numbers: { partitions } } }), (service) => Effect.promise(() => check(service)))
  )
)
process.exit()
