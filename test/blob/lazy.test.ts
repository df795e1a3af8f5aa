/** The SDKs are optional: nothing loads them before the first request, and who has not installed them is told to. */
import { spawnSync } from "node:child_process"
import { expect, it } from "vitest"
import { root } from "../house.ts"

/** Imports everything, where `@azure/...` is not installed, and says what it asked for, and when. */
const program = `
import { registerHooks } from "node:module"
const asked = []
registerHooks({
  resolve: (name, context, next) => {
    if (!name.startsWith("@azure/")) return next(name, context)
    asked.push(name)
    throw Object.assign(new Error("Cannot find package " + name), { code: "ERR_MODULE_NOT_FOUND" })
  }
})
const { Effect, Redacted } = await import("effect")
await import("tidemark")
await import("./src/cli/program.ts")
const Blob = await import("tidemark/Blob")
const failing = [
  Blob.store("https://acc.blob.core.windows.net/jobs"),
  Blob.store("https://acc.blob.core.windows.net/jobs", { sasToken: Redacted.make("sig=x") })
]
const before = asked.length
const errors = []
for (const store of failing) errors.push((await Effect.runPromise(Effect.flip(store.get("a")))).message)
console.log(JSON.stringify({ before, asked, errors }))
`

it("tidemark, its program and tidemark/Blob load no SDK; a store without one says how to install it", () => {
  const node = spawnSync(process.execPath, ["--conditions=tidemark-source", "--input-type=module", "-e", program], {
    cwd: root,
    encoding: "utf8"
  })
  expect(node.stderr).toBe("")
  const { before, asked, errors } = JSON.parse(node.stdout) as {
    readonly before: number
    readonly asked: ReadonlyArray<string>
    readonly errors: ReadonlyArray<string>
  }
  expect(before).toBe(0)
  expect(new Set(asked)).toEqual(new Set(["@azure/storage-blob"]))
  for (const error of errors) {
    expect(error).toMatch(/@azure\/storage-blob: Cannot find package.*: install it: npm install @azure\/storage-blob/)
  }
})
