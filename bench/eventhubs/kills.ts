/**
 * `npm run -s check:eventhubs`: numbered events flow through a hub into files, while the query is killed, and connections
 * are dropped, refused and detached, and partitions stolen. Every number has to be in the files exactly once. Says how it
 * goes on stderr, and ends with one line of JSON; exits 1 when a number is lost or doubled.
 *
 * `[--events 200000] [--kills 100] [--faults 200] [--steals 50] [--seed 1]`
 */
import { EventHubProducerClient } from "@azure/event-hubs"
import { Effect } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { type EmbeddedService, start } from "tidemark/eventhubs-embedded"
import { numbers } from "../kill/arguments.ts"
import { pause } from "../kill/process.ts"
import { Seeded } from "../../src/testing/seeded.ts"

const { events, kills, faults, steals, seed } = numbers({
  events: 200_000,
  kills: 100,
  faults: 200,
  steals: 50,
  seed: 1
})
const partitions = 4
const random = new Seeded(seed)
const folder = mkdtempSync(join(tmpdir(), "tidemark-hub-"))
const job = fileURLToPath(new URL("numbersJob.ts", import.meta.url))
const began = performance.now()
const conditions = [
  "amqp:link:detach-forced",
  "amqp:internal-error",
  "com.microsoft:server-busy",
  "com.microsoft:timeout",
  "amqp:connection:forced"
]

/** Rows in the files that readers see. */
const written = (): ReadonlyArray<number> => {
  try {
    return readdirSync(join(folder, "out"))
      .filter((name) => name.endsWith(".jsonl"))
      .flatMap((name) => readFileSync(join(folder, "out", name), "utf8").split("\n"))
      .filter((line) => line !== "")
      .map((line) => (JSON.parse(line) as { readonly number: number }).number)
  } catch {
    return []
  }
}

/** What a process said when it ended by itself: its error, without what differs from one to the next. */
const reasonOf = (said: string): string =>
  (said.split("\n").find((line) => /\w+Error: /.test(line)) ?? said.slice(0, 200))
    .trim()
    .replace(/sb:\/\/\S+/g, "the service")
    .replace(/\d+/g, "#")
    .slice(0, 200)

const check = async (service: EmbeddedService): Promise<void> => {
  const run = <A, E>(effect: Effect.Effect<A, E>): Promise<A> => Effect.runPromise(effect)
  const connection = service.connectionString("numbers")
  let child: ChildProcess | undefined
  let over = false
  let processes = 0
  const reasons = new Map<string, number>()
  const startQuery = (): void => {
    const mine = spawn(process.execPath, [...process.execArgv, job], {
      cwd: folder,
      env: { PATH: process.env["PATH"], EVENTHUB_CONNECTION_STRING: connection },
      stdio: ["ignore", "ignore", "pipe"]
    })
    processes++
    let said = ""
    mine.stderr.on("data", (text: Buffer) => (said = (said + text.toString()).slice(-4_000)))
    mine.on("close", (code, signal) => {
      // Whatever ends it, another one goes on; why it ended by itself is told.
      if (signal !== "SIGKILL" && !over) {
        const reason = `exit ${code}: ${reasonOf(said)}`
        reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
      }
      if (!over) startQuery()
    })
    child = mine
  }
  const pending = [
    ...Array.from({ length: kills }, () => "kill"),
    ...Array.from({ length: faults }, () => "fault"),
    ...Array.from({ length: steals }, () => "steal")
  ]
  const send = async (): Promise<void> => {
    const producer = new EventHubProducerClient(connection, {
      retryOptions: { maxRetries: 50, timeoutInMs: 5_000, retryDelayInMs: 100, maxRetryDelayInMs: 500 }
    })
    const sendOne = async (from: number, to: number): Promise<void> => {
      const batch = await producer.createBatch({ partitionId: String(random.below(partitions)) })
      for (let number = from; number < to; number++) batch.tryAdd({ body: { number } })
      await producer.sendBatch(batch)
    }
    // As many as have gone wrong of all that is to: so events flow until the last of it.
    for (let number = 0; number < events; number += 200) {
      // Some errors the SDK does not take for passing ones.
      while (
        !(await sendOne(number, Math.min(events, number + 200)).then(
          () => true,
          () => false
        ))
      )
        await pause(100)
      while (pending.length > 0 && number / events > 1 - (pending.length + 1) / (kills + faults + steals + 1))
        await pause(20)
    }
    await producer.close()
  }
  const disturb = async (): Promise<void> => {
    while (pending.length > 0) {
      const [what] = pending.splice(random.below(pending.length), 1)
      if (what === "kill") child?.kill("SIGKILL")
      else if (what === "steal") await run(service.faults.stealPartition("numbers", random.below(partitions)))
      else {
        const way = random.below(4)
        if (way === 0) await run(service.faults.dropConnections())
        else if (way === 1) await run(service.faults.closeConnections())
        else if (way === 2)
          await run(service.faults.refuseConnections(1_000 + random.below(random.below(10) === 0 ? 9_000 : 500)))
        else await run(service.faults.detachReceivers(random.pick(conditions)))
        if (way === 2) await run(service.faults.dropConnections())
      }
      await pause(what === "kill" ? 1_000 + random.below(2_500) : 100 + random.below(700))
    }
  }
  const telling = setInterval(() => {
    console.error(`${pending.length} things are left to go wrong; ${written().length} rows, ${processes} processes`)
  }, 10_000)
  startQuery()
  // The sender has its connections broken too, and may send again what was done: each event of the hub counts, once.
  await Promise.all([send(), disturb()])
  for (let i = 0; i < 1_200 && new Set(written()).size < events; i++) await pause(100)
  over = true
  clearInterval(telling)
  const rows = written()
  const last = child
  const gone = new Promise((done) => void last?.once("close", done))
  last?.kill("SIGKILL")
  await gone
  const sent = Object.values(service.stats().hubs["numbers"]).reduce((sum, { nextSequence }) => sum + nextSequence, 0)
  const lost = events - new Set(rows).size
  const duplicated = rows.length - sent
  const ok = lost === 0 && duplicated === 0
  const seconds = Math.round((performance.now() - began) / 1000)
  console.log(
    JSON.stringify({
      events,
      sent,
      kills,
      faults,
      steals,
      processes,
      endedByItself: Object.fromEntries(reasons),
      lost,
      duplicated,
      seconds,
      ok
    })
  )
  if (ok) rmSync(folder, { recursive: true })
  else console.error(`kept: ${folder}`)
  process.exitCode = ok ? 0 : 1
}

await Effect.runPromise(
  Effect.scoped(
    Effect.flatMap(start({ hubs: { numbers: { partitions } } }), (service) => Effect.promise(() => check(service)))
  )
)
process.exit()
