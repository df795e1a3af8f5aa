/** Stopping `tidemark run`: signals, `--for`, the drain timeout, a reader of stdout that goes away. */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { endless, makeProject, type Project, stuck } from "./program.ts"

let project: Project
beforeAll(() => {
  project = makeProject()
  project.write("endless.ts", endless)
  project.write("stuck.ts", stuck)
})
afterAll(() => project.remove())

/** Ids printed, and rows read according to the summary. */
const counts = (stdout: string, stderr: string): { readonly printed: number; readonly read: number } => ({
  printed: stdout.split("\n").length - 1,
  read: Number((/endless {2}stopped: ([\d,]+) rows? in/.exec(stderr)?.[1] ?? "NaN").replaceAll(",", ""))
})

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))

describe("a stop drains: what was read is finished and committed", () => {
  it.each([
    ["SIGINT", "Ctrl-C"],
    ["SIGTERM", "SIGTERM"]
  ] as const)("%s exits 0 with a balanced ledger and every row that was read in the output", async (signal, name) => {
    const run = project.start("run", "endless.ts", "--checkpoint", `./${signal}`)
    await run.said(/T000100/)
    run.kill(signal)
    const { code, stdout, stderr } = await run.ended
    expect(stderr).toContain(`tidemark: ${name}: stopping, finishing what is in flight; once more ends it at once\n`)
    expect(stderr).toMatch(/ledger balanced/)
    expect(stderr).toMatch(/The next run goes on from epoch \d+\./)
    const { printed, read } = counts(stdout, stderr)
    expect(read).toBeGreaterThanOrEqual(100)
    expect(printed).toBe(read)
    expect(code).toBe(0)
  })

  it("--for stops after that time", async () => {
    const { code, stdout, stderr } = await project.run("run", "endless.ts", "--for", "800ms", "--checkpoint", "./for")
    expect(stderr).toContain("tidemark: --for 800 ms: stopping, finishing what is in flight\n")
    const { printed, read } = counts(stdout, stderr)
    expect(read).toBeGreaterThan(500)
    expect(read).toBeLessThan(20_000)
    expect(printed).toBe(read)
    expect(code).toBe(0)
  })

  it("signals within a moment are one: npm passes on a Ctrl-C that the process got already", async () => {
    const run = project.start("run", "endless.ts", "--checkpoint", "./both")
    await run.said(/T000100/)
    run.kill("SIGINT")
    run.kill("SIGTERM")
    const { code, stderr } = await run.ended
    expect(stderr).toMatch(/ledger balanced/)
    expect(code).toBe(0)
  })

  it("a stop while the job's layers are being built is one before anything started: exit 0", async () => {
    project.write(
      "slow.ts",
      `${endless.replace("export default", "const endless =")}
      import { Query } from "tidemark"
      import * as Layer from "effect/Layer"
      const slow = Layer.effectDiscard(Effect.andThen(Effect.sync(() => console.log("building")), Effect.never))
      export default Query.provide(slow)(Query.job({ endless }))`
    )
    const run = project.start("run", "slow.ts")
    await run.said(/building/)
    run.kill("SIGTERM")
    const { code, stderr } = await run.ended
    expect(stderr).toContain("tidemark: stopped before a query had started\n")
    expect(code).toBe(0)
  })

  it("a reader of stdout that goes away stops the run", async () => {
    const run = project.start("run", "endless.ts", "--checkpoint", "./closed")
    await run.said(/T000100/)
    run.child.stdout?.destroy()
    const { code, stderr } = await run.ended
    expect(stderr).toContain("tidemark: output closed: stopping")
    expect(code).toBe(0)
  })
})

describe("a stop that does not come to an end", () => {
  it("is cut off after --drain-timeout: exit 1, and says which query", async () => {
    const run = project.start("run", "stuck.ts", "--drain-timeout", "500ms")
    await run.said(/holding/)
    run.kill("SIGINT")
    const { code, stderr } = await run.ended
    expect(stderr).toContain(
      "tidemark: query holder did not finish within 500 ms of being asked to stop (--drain-timeout)\n"
    )
    expect(stderr).toMatch(/holder {2}CUT OFF: /)
    expect(stderr).toContain("No epoch was finished: there are no results.")
    expect(code).toBe(1)
  })

  it("is ended at once by a second signal: exit 130, no summary", async () => {
    const run = project.start("run", "stuck.ts")
    await run.said(/holding/)
    run.kill("SIGTERM")
    await run.said(/once more ends it at once/)
    await pause(400)
    run.kill("SIGINT")
    const { code, stderr } = await run.ended
    expect(stderr).not.toContain("CUT OFF")
    expect(code).toBe(130)
  })

  it("a signal while the file is still being loaded ends the process: exit 130", async () => {
    project.write("loading.ts", 'console.log("loading")\nawait new Promise(() => undefined)\n')
    const run = project.start("run", "loading.ts")
    await run.said(/loading/)
    run.kill("SIGINT")
    expect((await run.ended).code).toBe(130)
  })
})
