/** `tidemark simulate`, as a program: a job under faults, a failure with the line that replays it, the replay. */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { makeProject, type Project } from "./program.ts"

let project: Project
beforeAll(() => {
  project = makeProject()
})
afterAll(() => project.remove())

const head = `
import { EventStream, Files, Json, Query, Window } from "tidemark"
import { Law, Simulation } from "tidemark/testing"
import * as Schema from "effect/Schema"

const Order = Schema.Struct({ at: Schema.String, category: Schema.String, amount: Schema.Int })
const source = Files.source({ path: "./in", format: Json.lines(Order) })
const perMinute = EventStream.from(source).pipe(
  EventStream.withEventTime("at", { outOfOrderness: "5 seconds" }),
  EventStream.keyBy("category"),
  EventStream.window(Window.tumbling("1 minute"), { late: "drop" }),
  EventStream.aggregate(({ count, sum }) => ({ orders: count, revenue: sum("amount") })),
  EventStream.to(Files.jsonLines("./out"))
)
export default Query.job({ orders: perMinute })
`
const feeds = 'feeds: [Simulation.feed(source, Order, { disorder: "9 seconds", duplicates: 0.1 })]'

describe("tidemark simulate", () => {
  it("says in JSON what many histories came to, and touches nothing", async () => {
    project.write("job.ts", `${head}export const simulation = { ${feeds} }`)
    const { code, stdout, stderr } = await project.run("simulate", "job.ts", "--histories", "30", "--seed", "7")
    expect(code, stderr).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, histories: 30 })
  })

  it("exits 1 when a law does not hold, with a line that replays it", async () => {
    const law = "Law.make('few rows', ({ rows }) => rows.length < 3)"
    project.write("wrong.ts", `${head}export const simulation = { ${feeds}, faults: ["crash"], laws: [${law}] }`)
    const found = await project.run("simulate", "wrong.ts")
    expect(found.code).toBe(1)
    const {
      ok,
      law: broken,
      token,
      traceHash,
      events
    } = JSON.parse(found.stdout) as { readonly [name: string]: unknown }
    expect([ok, broken, events]).toEqual([false, "few rows", 3])
    const line = /^replay: tidemark (simulate wrong\.ts --replay (\S+))$/m.exec(found.stderr)
    expect(line?.[2]).toBe(token)
    const replayed = await project.run(...(line?.[1] ?? "").split(" "))
    expect(replayed.code).toBe(1)
    expect(JSON.parse(replayed.stdout)).toMatchObject({ ok: false, law: "few rows", token, traceHash })
    expect(replayed.stderr).toContain("process 1 starts")
  })

  it("a default export that is a function makes the job in each process", async () => {
    const made = head
      .replace("const perMinute = ", "let made = 0\nconst perMinute = () => ")
      .replace(
        "export default Query.job({ orders: perMinute })",
        "export default () => (made++, Query.job({ orders: perMinute() }))"
      )
    const law = "Law.make('made', () => made > 10)"
    project.write("makes.ts", `${made}export const simulation = { ${feeds}, laws: [${law}] }`)
    const { code, stdout, stderr } = await project.run("simulate", "makes.ts", "--histories", "20", "--seed", "7")
    // The first history is judged when few processes have been made.
    expect([code, JSON.parse(stdout)], stderr).toMatchObject([1, { ok: false, law: "made" }])
    const held = `${made}export const simulation = { ${feeds}, laws: [] }`
    project.write("makes.ts", held)
    const right = await project.run("simulate", "makes.ts", "--histories", "10")
    expect([right.code, JSON.parse(right.stdout)], right.stderr).toMatchObject([0, { ok: true, histories: 10 }])
    project.write("makes.ts", `${held.replace("export default () =>", "export default () => 7 +")}`)
    expect((await project.run("simulate", "makes.ts")).stderr).toContain("not a job")
  })

  it("says what is missing", async () => {
    project.write("plain.ts", head)
    const plain = await project.run("simulate", "plain.ts")
    expect(plain.code).toBe(1)
    expect(plain.stderr).toMatch(
      /^tidemark: plain\.ts does not say how to simulate its job: write export const simulation = /
    )
    project.write("none.ts", `${head}export const simulation = { feeds: [] }`)
    const none = await project.run("simulate", "none.ts")
    expect(none.stderr).toContain("of query orders has no feed")
    expect((await project.run("simulate", "plain.ts", "--histories", "x")).code).toBe(2)
  })
})
