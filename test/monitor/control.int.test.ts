/** The control socket, with real sockets in folders of their own: listing, stopping, who may, and what is cleaned up. */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import * as Net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { makeRegistry, QueryRegistry, type Registry } from "../../src/actors/Registry.ts"
import { findQueries, matching, progressOf, stop } from "../../src/monitor/ControlClient.ts"
import { serve } from "../../src/monitor/ControlSocket.ts"
import { enter, stateOf } from "./support.ts"

let root: string
const open: Array<() => Promise<unknown>> = []

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "tidemark-s-"))
})
afterEach(async () => {
  for (const close of open.splice(0)) await close()
  rmSync(root, { recursive: true, force: true })
})

const start = async (...folders: ReadonlyArray<string>) => {
  const registry: Registry = makeRegistry()
  const scope = await Effect.runPromise(Scope.make())
  const context = Context.empty().pipe(Context.add(QueryRegistry, registry), Context.add(Scope.Scope, scope))
  const path = await Effect.runPromise(Effect.provideContext(serve({ folders }), context))
  const close = () => Effect.runPromise(Scope.close(scope, Exit.void))
  open.push(close)
  return { registry, path, close }
}

const modeOf = (path: string): string => (lstatSync(path).mode & 0o777).toString(8)

const raw = (path: string, text: string): Promise<string> =>
  new Promise((done, fail) => {
    let said = ""
    const socket = Net.connect(path, () => socket.write(text))
    socket.on("data", (part) => (said += part.toString()))
    socket.on("close", () => done(said))
    socket.on("error", fail)
  })

describe("the control socket", () => {
  it("is in a folder of its owner alone, and is its owner's alone", async () => {
    const { path, close } = await start(join(root, "run"))
    expect(path).toMatch(new RegExp(`^${root}/run/${process.pid}-[0-9a-z]+\\.sock$`))
    expect([modeOf(join(root, "run")), modeOf(path)]).toEqual(["700", "600"])
    expect(readdirSync(join(root, "run"))).toHaveLength(1)
    await close()
    expect(readdirSync(join(root, "run"))).toEqual([])
  })

  it("lists the queries of all processes, in the order of their starts", async () => {
    const folder = join(root, "run")
    const one = await start(folder)
    const two = await start(folder)
    enter(one.registry, stateOf("late", { startedMs: 2 }))
    enter(two.registry, stateOf("early", { startedMs: 1, phase: "restarting", lastFailure: "sig: AccountKey=abc" }))
    const found = await Effect.runPromise(findQueries([folder, join(root, "absent")]))
    expect(found.silent).toEqual([])
    expect(found.queries.map(({ socket, ...query }) => [socket === two.path, query])).toEqual([
      [
        true,
        {
          name: "early",
          id: "id-of-early",
          runId: "run-of-early",
          pid: process.pid,
          status: {
            message: "Restarting after a failure: sig: AccountKey=<redacted>",
            isDataAvailable: false,
            isTriggerActive: false,
            phase: "restarting"
          },
          startedMs: 1,
          epoch: 2,
          rows: 100,
          restarts: 1,
          inputRowsPerSecond: 5
        }
      ],
      [false, expect.objectContaining({ name: "late" })]
    ])
    expect(matching(found, "id-of-late").map(({ name }) => name)).toEqual(["late"])
  })

  it("gives the last progress, none before the first epoch", async () => {
    const { registry } = await start(root)
    enter(registry, stateOf("a"))
    enter(registry, stateOf("b", { epochs: [] }))
    const { queries } = await Effect.runPromise(findQueries([root]))
    expect(await Effect.runPromise(progressOf(queries[0]))).toMatchObject({ name: "a", batchId: 2, numInputRows: 50 })
    expect(await Effect.runPromise(progressOf(queries[1]))).toBeUndefined()
  })

  it("stops by a drain and waits for the end, with a savepoint when asked", async () => {
    const { registry } = await start(root)
    const a = enter(registry, stateOf("a"))
    const { queries } = await Effect.runPromise(findQueries([root]))
    const notes: Array<string> = []
    const stopped = await Effect.runPromise(stop(queries[0], "v2", (note) => void notes.push(note)))
    expect(stopped).toEqual({ name: "a", ended: "drained", epoch: 2, restarts: 1, savepoint: "v2" })
    expect(notes).toEqual(["a is asked to stop: it finishes what is in flight"])
    expect(a.savepoints).toEqual(["v2"])
    await expect(Effect.runPromise(stop(queries[0], undefined, () => undefined))).rejects.toThrow(
      "no query that runs here is named run-of-a"
    )
  })

  it("an answer about a query whose end is the end of the process still gets out", async () => {
    const { registry, close } = await start(root)
    enter(registry, stateOf("a"))
    const { queries } = await Effect.runPromise(findQueries([root]))
    const stopping = Effect.runPromise(stop(queries[0], undefined, () => void close()))
    expect((await stopping).ended).toBe("drained")
  })

  it("a query that does not end does not hold up the end of the process", async () => {
    const { registry, close } = await start(root)
    const fiber = Effect.runFork(Effect.never)
    registry.add({ state: stateOf("a"), fiber, drain: Effect.never, stopWithSavepoint: () => Effect.never })
    const { queries } = await Effect.runPromise(findQueries([root]))
    const noted = Promise.withResolvers<void>()
    const stopping = Effect.runPromise(Effect.exit(stop(queries[0], undefined, () => noted.resolve())))
    await noted.promise
    const began = performance.now()
    await close()
    expect(performance.now() - began).toBeLessThan(3_000)
    expect(Exit.isFailure(await stopping)).toBe(true)
  })

  it("removes sockets that nobody listens on, and leaves all else", async () => {
    const dead = join(root, "12345-abcde.sock")
    const server = Net.createServer()
    await new Promise<void>((done) => server.listen(join(root, "x"), done))
    // What a process leaves behind that was killed: the name of a socket without the socket.
    const { renameSync } = await import("node:fs")
    renameSync(join(root, "x"), dead)
    await new Promise((done) => server.close(done))
    writeFileSync(join(root, "notes.txt"), "mine")
    const { path } = await start(root)
    expect(existsSync(dead)).toBe(true)
    expect((await Effect.runPromise(findQueries([root]))).silent).toEqual([])
    expect(readdirSync(root).toSorted()).toEqual([path.slice(root.length + 1), "notes.txt"].toSorted())
  })

  it("a process that does not answer is said, and its socket stays", async () => {
    const path = join(root, "12345-abcde.sock")
    const server = Net.createServer(() => undefined)
    await new Promise<void>((done) => server.listen(path, done))
    const { queries, silent } = await Effect.runPromise(findQueries([root]))
    expect([queries, silent]).toEqual([[], [`the process behind ${path} did not answer within 2 s`]])
    expect(existsSync(path)).toBe(true)
    server.close()
  })

  it("refuses folders that others may enter or own, links, files, and paths too long, and takes the next one", async () => {
    const loose = join(root, "loose")
    mkdirSync(loose)
    chmodSync(loose, 0o755)
    mkdirSync(join(root, "real"), { mode: 0o700 })
    symlinkSync(join(root, "real"), join(root, "link"))
    writeFileSync(join(root, "file"), "")
    const long = join(root, "l".repeat(120))
    const foreign = process.getuid?.() === 0 ? [] : ["/"]
    const bad = [loose, join(root, "link"), join(root, "file"), long, join(root, "no/parent"), ...foreign]
    const good = join(root, "good")
    const { path } = await start(...bad, good)
    expect(path.startsWith(`${good}/`)).toBe(true)
    for (const folder of bad) {
      await expect(start(folder)).rejects.toThrow("no folder for its socket can be used")
      expect((await Effect.runPromise(findQueries([folder]))).queries).toEqual([])
    }
    await expect(start(loose)).rejects.toThrow(`may be entered by others: chmod 700 ${loose}`)
    await expect(start(long)).rejects.toThrow("is too long a path for a socket")
    expect(readdirSync(join(root, "real"))).toEqual([])
  })

  it.each([
    ["", ""],
    ["nonsense\n", "this is no request"],
    ["null\n", "this is no request"],
    ['{"v":2,"ask":"list"}\n', "speaks version 1 of the control protocol"],
    ['{"v":1,"ask":"explode"}\n', "list, progress or stop can be asked"],
    ['{"v":1,"ask":"stop"}\n', "which query is meant has to be said"],
    ['{"v":1,"ask":"stop","query":"a","savepoint":7}\n', "a savepoint needs a label"],
    ['{"v":1,"ask":"stop","query":"__proto__"}\n', "no query that runs here is named __proto__"],
    [`{"v":1,"ask":"list","x":"${"x".repeat(5_000)}"}\n`, ""],
    [`${"x".repeat(100_000)}`, ""]
  ])("answers bad requests with a sentence, or not at all: %j", async (text, sentence) => {
    const { path, registry } = await start(root)
    enter(registry, stateOf("a"))
    const said = await raw(path, text).catch(() => "")
    expect(said === "" ? "" : (JSON.parse(said) as { readonly refused: string }).refused).toContain(sentence)
    expect(said === "").toBe(sentence === "")
    expect((await Effect.runPromise(findQueries([root]))).queries).toHaveLength(1)
  })
})
