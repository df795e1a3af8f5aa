/** `tidemark queries`, `--http` and `--log json` against runs in processes of their own. */
import { chmodSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { makeProject, type Project, type Running } from "./program.ts"

const forever = (out: string): string => `
import { EventStream, Files, Generate, Query, Window } from "tidemark"

const perSecond = EventStream.from(Generate.transactions({ rate: 2000 })).pipe(
  EventStream.withEventTime("timestamp", { outOfOrderness: "1 second" }),
  EventStream.keyBy("category"),
  EventStream.window(Window.tumbling("1 second"), { late: "drop" }),
  EventStream.aggregate(({ count }) => ({ n: count })),
  EventStream.to(Files.jsonLines("./${out}"))
)
export default Query.job({ "by-category": perSecond })
`

let project: Project
let runtime: string

beforeAll(() => {
  runtime = mkdtempSync(join(tmpdir(), "tidemark-x-"))
  // Children look for sockets here alone, and not where others of this user have theirs.
  process.env["TIDEMARK_RUNTIME_DIR"] = runtime
  project = makeProject()
  for (const name of ["forever", "alone", "watched", "logged"]) project.write(`${name}.ts`, forever(`out-${name}`))
})
afterAll(() => {
  project.remove()
  delete process.env["TIDEMARK_RUNTIME_DIR"]
  rmSync(runtime, { recursive: true, force: true })
})

let running: Running | undefined
afterEach(async () => {
  running?.kill("SIGKILL")
  await running?.ended
  running = undefined
})

const startForever = async (...args: ReadonlyArray<string>): Promise<Running> => {
  const started = project.start("run", "forever.ts", ...args)
  running = started
  await started.said(/by-category/)
  await expect.poll(async () => (await listed()).length, { timeout: 20_000 }).toBe(1)
  return started
}

interface Listed {
  readonly name: string
  readonly pid: number
  readonly runId: string
  readonly id: string
  readonly epoch: number
}

const listed = async (): Promise<ReadonlyArray<Listed>> =>
  (await project.run("queries", "list", "--json")).stdout
    .split("\n")
    .flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Listed]))
    .filter(({ pid }) => running === undefined || pid === running.child.pid)

describe("tidemark queries", () => {
  it("says when nothing runs: exit 0 for a list, 1 for a query that is not there", async () => {
    expect(await project.run("queries")).toMatchObject({
      code: 0,
      stdout: "",
      stderr: "tidemark: no query of this user runs\n"
    })
    expect(await project.run("queries", "stop", "nobody")).toMatchObject({
      code: 1,
      stderr: "tidemark: no query named nobody runs\n"
    })
  })

  it("lists, shows and stops a query of another process; started again it goes on, under the same id", async () => {
    const first = await startForever()
    const [{ id, runId, pid }] = await listed()
    expect(pid).toBe(first.child.pid)
    expect((await project.run("queries")).stdout).toMatch(/^QUERY +PHASE .*\nby-category +running +\d+ /)

    await expect.poll(async () => (await listed())[0]?.epoch, { timeout: 20_000 }).toBeGreaterThan(1)
    const shown = await project.run("queries", "progress", "by-category")
    const progress = JSON.parse(shown.stdout) as Record<string, unknown>
    expect(progress).toMatchObject({ id, runId, name: "by-category", durationMs: { getBatch: 0 } })
    expect(progress["numInputRows"]).toBeGreaterThan(0)
    expect(Date.parse(String(progress["timestamp"]))).toBeGreaterThan(Date.parse("2025-01-01"))

    const stopped = await project.run("queries", "stop", "by-category")
    expect([stopped.code, stopped.stdout]).toEqual([0, expect.stringMatching(/^by-category drained at epoch \d+\n$/)])
    expect(stopped.stderr).toBe("tidemark: by-category is stopping: it finishes what is in flight\n")
    const ended = await first.ended
    expect([ended.code, ended.stderr]).toEqual([0, expect.stringContaining("The next run goes on from epoch ")])
    expect(readdirSync(runtime)).toEqual([])

    const second = await startForever()
    await second.said(
      /tidemark: by-category goes on from epoch \d+, source generate transactions: 0 at .*; exactly once/
    )
    const [again] = await listed()
    expect([again.id, again.runId === runId]).toEqual([id, false])
    second.kill("SIGTERM")
    expect((await second.ended).code).toBe(0)
  })

  it("a process that was killed is not listed, and its socket is swept away", async () => {
    const killed = await startForever()
    killed.kill("SIGKILL")
    await killed.ended
    expect(readdirSync(runtime)).toHaveLength(1)
    expect((await project.run("queries", "list", "--json")).stdout).toBe("")
    expect(readdirSync(runtime)).toEqual([])
  })

  it("a run whose folder for sockets cannot be trusted goes on without, and says so", async () => {
    chmodSync(runtime, 0o755)
    const ended = await project.run("run", "alone.ts", "--for", "1s", "--checkpoint", "./alone")
    chmodSync(runtime, 0o700)
    expect([ended.code, ended.stderr]).toEqual([0, expect.stringContaining("cannot be listed or stopped")])
  })
})

describe("tidemark run --http", () => {
  it("answers to probes and to Prometheus for as long as the run lasts", async () => {
    const started = project.start("run", "watched.ts", "--http", "0", "--checkpoint", "./watched")
    running = started
    let url = ""
    started.child.stderr?.on("data", (bytes: Buffer) => {
      url = /health and metrics at (\S+)/.exec(bytes.toString())?.[1] ?? url
    })
    await started.said(/by-category: exactly once/)
    await expect.poll(async () => (await fetch(`${url}/readyz`)).status, { timeout: 20_000 }).toBe(200)
    const ready = (await (await fetch(`${url}/readyz`)).json()) as Record<string, unknown>
    expect(ready).toMatchObject({ ok: true, queries: [{ name: "by-category", phase: "running" }] })
    const metric = async (pattern: RegExp): Promise<number> =>
      Number(pattern.exec(await (await fetch(`${url}/metrics`)).text())?.[1] ?? Number.NaN)
    await expect
      .poll(() => metric(/^tidemark_rows_total\{.*operator="window-1",disposition="contributed"\} (.*)$/m), {
        timeout: 20_000
      })
      .toBeGreaterThan(0)
    expect(await metric(/^tidemark_checkpoint_age_seconds\{query="by-category"\} (.*)$/m)).toBeLessThan(10)
    expect(await metric(/^tidemark_restarts_total\{query="by-category"\} (.*)$/m)).toBe(0)
    expect(await metric(/^tidemark_watermark_delay_seconds\{.*partition="0"\} (.*)$/m)).toBeGreaterThan(0)
    started.kill("SIGTERM")
    expect((await started.ended).code).toBe(0)
    await expect(fetch(`${url}/livez`)).rejects.toThrow()
  })

  it.each([
    ["0.0.0.0:0", 1, "tidemark: --http: 0.0.0.0 can be reached from other machines"],
    ["nowhere", 2, "an address such as 127.0.0.1:8080"]
  ])("refuses %s before anything runs", async (address, code, sentence) => {
    const ended = await project.run("run", "forever.ts", "--http", address, "--checkpoint", "./never")
    expect([ended.code, ended.stdout]).toEqual([code, ""])
    expect(ended.stderr).toContain(sentence)
    expect(readdirSync(project.folder)).not.toContain("never")
  })
})

describe("tidemark run --log json", () => {
  const records = (text: string): ReadonlyArray<Record<string, unknown>> =>
    text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>)

  it("writes nothing but objects to stderr, a line each, from the head to the summary", async () => {
    const ended = await project.run("run", "logged.ts", "--log", "json", "--for", "2s", "--checkpoint", "./logged")
    const lines = records(ended.stderr)
    for (const line of lines) {
      expect(line).toMatchObject({ time: expect.any(String), level: expect.any(String), message: expect.any(String) })
    }
    expect(lines[0]).toMatchObject({ query: "by-category", guarantee: "exactly-once", run: expect.any(String) })
    expect(lines.at(-1)).toMatchObject({
      level: "info",
      query: "by-category",
      summary: { query: "by-category", ended: "drained", balanced: true }
    })
    expect([ended.code, ended.stdout]).toEqual([0, ""])
  })

  it("a job that cannot be loaded or started is an object too, exit 1", async () => {
    project.write("broken.ts", 'import { Query } from "tidemark"\nexport default Query.nothing\n')
    for (const file of ["absent.ts", "broken.ts"]) {
      const ended = await project.run("run", file, "--log", "json")
      expect([ended.code, records(ended.stderr).map(({ level }) => level)]).toEqual([1, ["error"]])
    }
  })
})
