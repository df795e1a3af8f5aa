/** `tidemark reset`, on the checkpoint of a real run. */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { here, ranOnce } from "./offline.ts"
import { endless, type Project } from "./program.ts"

let project: Project
beforeAll(async () => {
  project = await ranOnce({ out: 'Files.jsonLines("./out", { startOver: true })' })
})
afterAll(() => project.remove())

const kept = () => ["--checkpoint", project.path(".tidemark")]
const reset = (...args: ReadonlyArray<string>) => here("reset", ...args, ...kept())
const state = (...args: ReadonlyArray<string>) => here("state", ...args, ...kept())

describe("tidemark reset", () => {
  it("asks for --yes, and says what would be forgotten and what stays; exit 2", async () => {
    const { code, stdout, stderr } = await reset("orders")
    expect(stdout).toMatch(/^orders {2}epoch \d+ of .* UTC.*: 4 rows read from 1 partition\n/)
    expect(stdout).toContain("what it wrote to files ./out stays")
    const again = `tidemark reset orders --checkpoint ${project.path(".tidemark")} --yes`
    expect(stderr).toBe(`tidemark: nothing was forgotten: say ${again}\n`)
    expect(code).toBe(2)
    expect((await state("orders")).code).toBe(0)
  })

  it("forgets: the query begins anew, in a higher epoch than any before (C5)", async () => {
    const forgotten = await reset("orders", "--yes")
    expect([forgotten.code, forgotten.stderr]).toEqual([0, ""])
    expect(forgotten.stdout).toMatch(/^orders {2}forgotten: epoch \d+ of/)
    const nothing = await state("orders")
    expect(nothing.stderr).toContain("there is no epoch of query orders in ")
    expect((await here("plan", project.path("job.ts"), ...kept())).stdout).toContain("it begins anew")
    const again = await project.run("run", "job.ts")
    expect(again.stderr).toMatch(/source files \.\/in +in 4 = forwarded 4\n/)
    expect(again.code).toBe(0)
    const after = await state("orders", "--json")
    const { epoch } = JSON.parse(after.stdout.split("\n")[0]) as { readonly epoch: number }
    expect(epoch).toBeGreaterThan(1)
  })

  it("C5a: a query that runs is not reset, nor run by another that is not to wait (exit 3); nor reset one that is not there", async () => {
    project.write("endless.ts", endless)
    const running = project.start("run", "endless.ts")
    await running.said(/T0+1/)
    await new Promise((done) => setTimeout(done, 1_500))
    const forgotten = await reset("endless", "--yes")
    expect(forgotten.stderr).toMatch(
      /^tidemark: query endless is run by attempt \d+ \(.*\), which is alive\. Stop it first: tidemark queries stop endless\n$/
    )
    expect(forgotten.code).toBe(1)
    const second = await project.run("run", "endless.ts", "--if-owned", "fail")
    expect(second.stderr).toMatch(
      /which is alive\. Stop it, wait until it is gone with --if-owned wait, or take over from it with --take-over=\d+\n/
    )
    expect(second.stderr).toMatch(/ {2}This run changed nothing\.\n$/)
    expect(second.code).toBe(3)
    running.kill("SIGTERM")
    expect((await running.ended).code).toBe(0)
    const missing = await reset("shipments", "--yes")
    expect(missing.stderr).toContain("no query named shipments has a checkpoint")
    expect(missing.code).toBe(1)
  })
})
