/** Plants a bug in a copy of the sources, and lets a process of its own search there. */
import { spawn } from "node:child_process"
import { join } from "node:path"
import type { Found, Task } from "./child.ts"
import { copyWith, type Planted, removeCopy } from "./edit.ts"

/** Histories are synchronous: garbage is young, and much. */
const flags = ["--conditions=tidemark-source", "--min-semi-space-size=64"]

const run = (folder: string, task: Task): Promise<Found> =>
  new Promise((done, failed) => {
    const child = spawn(process.execPath, [...flags, join(folder, "bench/mutants/child.ts"), JSON.stringify(task)], {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"]
    })
    const out: Array<string> = []
    const errors: Array<string> = []
    child.stdout.setEncoding("utf8").on("data", (text: string) => out.push(text))
    child.stderr.setEncoding("utf8").on("data", (text: string) => errors.push(text))
    child.on("error", failed)
    child.on("close", (code) => {
      if (code === 0) done(JSON.parse(out.join("")) as Found)
      else failed(new Error(`the search ended with ${code}: ${errors.join("").slice(-2000)}`))
    })
  })

/** What the histories say of a bug. */
export const hunt = async (planted: Pick<Planted, "edits">, task: Task): Promise<Found> => {
  const folder = copyWith(planted)
  try {
    return await run(folder, task)
  } finally {
    removeCopy(folder)
  }
}
