/**
 * `npm start`: starts the hub with its transactions in a process of its own, and runs the job on it; with
 * EVENTHUB_CONNECTION_STRING set, the job alone. `npm start -- --for 30s`, `-- --rate 10000`, and what `tidemark run` takes.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

const pathOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

const given = process.argv.slice(2)
const at = given.indexOf("--rate")
const rate = at < 0 ? "1000" : (given[at + 1] ?? "")
const args = at < 0 ? given : given.toSpliced(at, 2)
if (!/^[1-9][0-9]{0,6}$/.test(rate)) {
  console.error(`--rate: ${rate}: must be events a second, as a whole number`)
  process.exit(2)
}

const connection = process.env["EVENTHUB_CONNECTION_STRING"]
if (connection === undefined) {
  const hub = spawn(process.execPath, [...process.execArgv, pathOf("hub.ts"), rate], {
    stdio: ["pipe", "pipe", "inherit"]
  })
  hub.on("exit", (code) => {
    if (code === 0) return
    console.error("the event hub ended: another start of it may be running in this folder")
    process.exit(1)
  })
  const [line] = (await once(hub.stdout.setEncoding("utf8"), "data")) as [string]
  process.env["EVENTHUB_CONNECTION_STRING"] = line.trim()
}
process.argv = [process.argv[0], "tidemark", "run", pathOf("job.ts"), ...args]
await import("../../src/cli/main.ts")
