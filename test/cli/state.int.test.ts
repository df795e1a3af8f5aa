/** `tidemark state`, on the checkpoint of a real run: what a query holds, by epoch and operator. */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { here, jobText, ranOnce } from "./offline.ts"
import type { Project } from "./program.ts"

const aggregates = `{
  orders: count,
  revenue: sum("amount"),
  longest: reduce({ state: Schema.Number, zero: () => 0, add: (n, row) => Math.max(n, row.amount), merge: Math.max })
}`

let project: Project
beforeAll(async () => {
  project = await ranOnce({ aggregates })
})
afterAll(() => project.remove())

const state = (...args: ReadonlyArray<string>) => here("state", ...args, "--checkpoint", project.path(".tidemark"))
const minute = (hhmm: string): number => Date.parse(`2026-01-01T${hhmm}:00Z`)

describe("tidemark state", () => {
  it("shows a row for each key and window that is open, and where each partition stands", async () => {
    const { code, stdout, stderr } = await state("orders")
    expect(stdout).toMatch(/^orders {2}epoch \d+ in \/.*\.tidemark, of 20/)
    expect(stdout).toMatch(/source files \.\/in {2}4 rows read from 1 partition/)
    expect(stdout).toContain("window-1  1 key, 2 rows held")
    expect(stdout).toMatch(/\| category \| window_start +\| window_end +\| orders \| revenue \| longest \| rows \|/)
    expect(stdout).toMatch(/\| Books +\| 2026-01-01T12:01:00Z \| 2026-01-01T12:02:00Z \| +2 \| +20 \| +\| +2 \|/)
    expect(stdout).toContain("longest: only the job's own functions can tell: --file JOB")
    expect([code, stderr]).toEqual([0, ""])
  })

  it("takes the functions of a user's own aggregate from the job, and gives rows as JSON", async () => {
    const { stdout } = await state("orders", "--operator", "window-1", "--file", project.path("job.ts"), "--json")
    expect(
      stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as unknown)
    ).toEqual([
      {
        query: "orders",
        epoch: expect.any(Number),
        operator: "window-1",
        row: {
          category: "Books",
          window_start: minute("12:01"),
          window_end: minute("12:02"),
          orders: 2,
          revenue: 20,
          longest: 15,
          rows: 2
        }
      }
    ])
  })

  it("says which epochs, operators and queries there are when one is not", async () => {
    const epoch = await state("orders", "--at", "77")
    expect(epoch.stderr).toMatch(
      /epoch 77 of query orders in \/.*\.tidemark is not there, or not any more: there are \d+\n/
    )
    const operator = await state("orders", "--operator", "window-7")
    expect(operator.stderr).toContain(
      'no operator "window-7" of query orders holds anything: there are "source files ./in", "window-1"'
    )
    const query = await state("shipments")
    expect(query.stderr).toMatch(/no query named shipments has a checkpoint in \S+: there are orders\n/)
    const path = await state("../orders")
    expect(path.stderr).toContain('"../orders" is not the name of a query')
    project.write("other.ts", jobText().replace("{ orders: perMinute }", "{ other: perMinute }"))
    const job = await state("orders", "--file", project.path("other.ts"))
    expect(job.stderr).toMatch(/the job of \S+other\.ts has no query orders: it has other\n/)
    expect([epoch, operator, query, path, job].map(({ code }) => code)).toEqual([1, 1, 1, 1, 1])
  })
})
