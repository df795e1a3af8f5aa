/** `tidemark plan`, and `run` with a plan that has changed (C8), on the checkpoint of a real run. */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { here, type JobEdits, jobText, ranOnce } from "./offline.ts"
import type { Project } from "./program.ts"

let project: Project
beforeAll(async () => {
  project = await ranOnce()
})
afterAll(() => project.remove())

let edit = 0
/** Plans an edited job; modules are read once, so each has a name of its own. */
const plan = (edits: JobEdits, ...flags: ReadonlyArray<string>) => {
  const name = `edited-${++edit}.ts`
  project.write(name, jobText(edits))
  return here("plan", project.path(name), "--checkpoint", project.path(".tidemark"), ...flags)
}
const filtered = { steps: "EventStream.filter((order) => order.amount > 10)," }

describe("tidemark plan", () => {
  it("C8: the same plan is kept, whatever its parallelism, pace and restarts are", async () => {
    const options = 'parallelism: 3, chunkRows: 7, drainTimeout: "1 second"'
    const { code, stdout, stderr } = await plan({ options })
    expect(stdout).toMatch(/^orders {2}against epoch \d+ in \/.*\/\.tidemark, of 20/)
    expect(stdout).toMatch(/keep +window-1\n/)
    expect(stdout).toMatch(/ {2}would start\n$/)
    expect([code, stderr]).toEqual([0, ""])
  })

  it("C8: another window is refused, with both windows and what to do; exit 1", async () => {
    const { code, stdout } = await plan({ window: "10 minutes" })
    expect(stdout).toMatch(
      /refuse +window-1 +was written with tumbling 1 minute; this plan says tumbling 10 minutes: results would mix both\n +take it back; or /
    )
    expect(stdout).toContain("would NOT start: 1 operator refused")
    expect(stdout).not.toContain("if all of it is meant")
    expect(code).toBe(1)
  })

  it("C8: what may be accepted is said as a command, and then run accepts it", async () => {
    const asked = await plan(filtered)
    expect(asked.stdout).toMatch(
      /if all of it is meant: tidemark run \S+edited-\d\.ts --checkpoint \S+ --accept filter-1\n/
    )
    project.write("edited.ts", jobText(filtered))
    expect(asked.code).toBe(1)
    const refused = await project.run("run", "edited.ts")
    expect(refused.stderr).toMatch(/filter-1.* is new before withEventTime-1/)
    expect(refused.stderr).toMatch(/ {2}This run changed nothing\.\n$/)
    expect(refused.code).toBe(1)
    const accepted = await plan(filtered, "--accept", "filter-1")
    expect(accepted.stdout).toMatch(/accepted +filter-1 +is new before withEventTime-1/)
    expect(accepted.code).toBe(0)
    const before = await project.run("run", "edited.ts", "--accept", "filter-1")
    expect(before.stderr).toMatch(/ledger balanced/)
    expect(before.code).toBe(0)
    const nothing = await project.run("run", "edited.ts", "--once", "--accept", "nosuch")
    expect(nothing.stderr).toMatch(
      /warning: --accept and acceptPlanChanges: "nosuch" is no operator: there are .*filter-1/
    )
    expect(nothing.stderr).toMatch(/goes on from epoch \d+, source files \.\/in: lane-0 at .*; exactly once\n/)
    expect(nothing.stderr).toContain("ledger since the first run:\n")
    expect(nothing.stderr).toMatch(/Nothing new to read since epoch \d+\. The next run goes on from epoch/)
    // From here on the checkpoint is of the plan with the filter.
    expect((await plan(filtered)).code).toBe(0)
    expect((await plan({})).stdout).toMatch(/refuse +filter-1 +is gone from before withEventTime-1/)
  })

  it("says in JSON what it says in words, a line for each query", async () => {
    const { code, stdout } = await plan({ ...filtered, window: "2 minutes" }, "--json")
    const said = JSON.parse(stdout) as { readonly starts: boolean; readonly operators: ReadonlyArray<object> }
    expect(said).toMatchObject({ query: "orders", checkpoint: { epoch: expect.any(Number) }, starts: false })
    expect(said.operators).toContainEqual(
      expect.objectContaining({ operator: "window-1", verdict: "refuse", acceptable: false })
    )
    expect(code).toBe(1)
  })

  it("without a checkpoint everything is new; a name that accepts nothing is told", async () => {
    const { code, stdout, stderr } = await here(
      "plan",
      project.path("job.ts"),
      "--checkpoint",
      project.path("elsewhere"),
      "--accept",
      "window-9"
    )
    expect(stdout).toMatch(/^orders {2}no checkpoint in \S+elsewhere: it begins anew\n/)
    expect(stdout).toMatch(/new +window-1\n/)
    expect(stderr).toMatch(
      /^tidemark: warning: --accept and acceptPlanChanges: "window-9" is no operator: there are .*window-1.*\n$/
    )
    expect(code).toBe(0)
  })

  it("a job that cannot run is a line that says why; exit 1", async () => {
    const wrong = await plan({ steps: 'EventStream.named("no/name"),' })
    expect(wrong.stderr).toMatch(/^tidemark: query orders cannot start: named: "no\/name": must be /)
    expect(wrong.code).toBe(1)
    expect((await here("plan", "missing.ts")).stderr).toContain("there is no file missing.ts")
  })
})
