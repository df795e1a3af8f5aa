/** What `tidemark run` says of a query that goes on where an earlier run stopped. */
import { afterAll, beforeAll, expect, it } from "vitest"
import { ranOnce } from "./offline.ts"
import type { Project } from "./program.ts"

let project: Project
beforeAll(async () => {
  project = await ranOnce()
})
afterAll(() => project.remove())

it("C10: says from where it goes on, also when it fails before it reads anything; what is not in the results is said by epoch", async () => {
  project.write("in/more.jsonl", '{"at":"2026-01-01T12:02:00Z","category":"Books","amount":1}\n')
  const { code, stderr } = await project.run("run", "job.ts")
  expect(stderr).toMatch(
    /^tidemark: orders goes on from epoch (\d+), source files \.\/in: lane-0 at .*; exactly once\n/
  )
  expect(stderr).toMatch(/query orders failed: files \.\/in: the files are not those that were there/)
  expect(stderr).toMatch(/What came after epoch \d+ is not in the results yet: the next run goes on from there\.\n$/)
  expect(code).toBe(1)
})
