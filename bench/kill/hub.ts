/**
 * The input of the crash checks in an event hub: an embedded service in a process of its own, which nobody kills, with the
 * lines of each file in a partition, sent by Azure's SDK.
 */
import { EventHubProducerClient } from "@azure/event-hubs"
import { spawn } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { flags, mainFile, ours } from "./process.ts"
import { hubName } from "./settings.ts"

/** A service that runs. */
export interface Hub {
  /** What the job connects with: as its input it says that there is a hub to be read. */
  readonly connection: string
  readonly stop: () => void
}

/** Lines of a request: less than the megabyte that a hub takes. */
const atOnce = 1_000

const sendLines = async (connection: string, partitionId: string, file: string): Promise<void> => {
  const producer = new EventHubProducerClient(connection, hubName)
  const events = readFileSync(file, "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => ({ body: Buffer.from(line) }))
  for (let at = 0; at < events.length; at += atOnce)
    await producer.sendBatch(events.slice(at, at + atOnce), { partitionId })
  await producer.close()
}

/** Starts one, and sends the files of a folder: the first to partition 0, and so on. */
export const startHub = async (folder: string): Promise<Hub> => {
  const files = readdirSync(folder).toSorted()
  const child = ours(
    spawn(process.execPath, [...flags, mainFile, "serve", "eventhubs", "--hub", `${hubName}:${files.length}`], {
      stdio: ["ignore", "pipe", "ignore"]
    })
  )
  const connection = await new Promise<string>((done, fail) => {
    createInterface({ input: child.stdout }).once("line", done)
    child.once("close", (code) => fail(new Error(`the service ended with ${code} before it could be reached`)))
  })
  for (const [partition, file] of files.entries()) await sendLines(connection, String(partition), join(folder, file))
  return { connection, stop: () => void child.kill("SIGKILL") }
}
