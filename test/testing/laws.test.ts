/** Laws of one's own, and what is made of whatever they return or throw. */
import { Effect } from "effect"
import { EventStream, Memory, Window } from "tidemark"
import { Law, Simulation } from "tidemark/testing"
import { describe, expect, it } from "vitest"
import { failureOf, feed, Payment, plain, run, source } from "./support.ts"

const faults = [] as const
const options = { feeds: [feed], faults, histories: 5 }
const broken = (law: Law.Law) => failureOf(Simulation.check(plain, { ...options, laws: [law] }))

describe("a law that is written wrongly is broken, and says so", () => {
  it("a model, or a law, that throws", async () => {
    const model = Law.model("model", () => {
      throw new Error("boom")
    })
    const own = { name: "own", check: model.check }
    for (const law of [model, own])
      expect(await broken(law)).toMatchObject({ reason: "LawViolated", law: law.name, problems: ["boom"] })
    const replayed = await run(Simulation.replay(plain, { ...options, laws: [model] }, "1000003.0"))
    expect(replayed.problems).toEqual(["boom"])
  })

  it.each<[string, unknown]>([
    ["a Promise", Promise.resolve(["wrong"])],
    ["an Effect", Effect.fail("wrong")],
    ["a Set", new Set(["wrong"])],
    ["17", 17]
  ])("one that returns %s", async (what, said) => {
    const { problems = [] } = await broken(Law.make("law", (() => said) as never))
    expect(problems[0]).toContain(`it returned ${what}, which is no verdict`)
    const own = { name: "own", check: () => said } as unknown as Law.Law
    expect((await broken(own)).problems?.[0]).toContain("is no verdict")
  })

  it.each<[string, unknown, string]>([
    ["a Set", new Set([1]), "the model returned a Set"],
    ["a Promise", Promise.resolve([]), "the model returned a Promise"],
    ["an output that there is none of", { otuput: [] }, "the query has the outputs output"],
    ["an output that is no list", { output: 1 }, "the model has 1 for output"]
  ])("a model that gives %s", async (_, expected, said) => {
    expect((await broken(Law.model("model", (() => expected) as never))).problems?.[0]).toContain(said)
  })

  it("one that is named like one of the built-in laws is asked all the same", async () => {
    expect((await broken(Law.make("finishes", () => false))).law).toBe("finishes")
  })

  it("true, and what expect returns, are no objections", async () => {
    const laws = [Law.make("a", () => true), Law.make("b", ({ rows }) => expect(rows.length).toBeLessThan(99))]
    await run(Simulation.check(plain, { ...options, laws }))
  })
})

it("a run that does not end, where the one that it is compared with does, breaks the law that compares them", async () => {
  /** A pool of two: dies when three instances are at work at once. */
  const pooled = () => {
    let atWork = 0
    return EventStream.from(source).pipe(
      EventStream.withEventTime("at", { outOfOrderness: 0 }),
      EventStream.keyBy("category"),
      EventStream.window(Window.tumbling("5 minutes"), { late: "drop" }),
      EventStream.aggregate(({ count }) => ({ n: count })),
      EventStream.mapEffect(
        (row) =>
          Effect.gen(function* () {
            if (++atWork > 2) return yield* Effect.die(new Error("the pool is used up"))
            yield* Effect.sleep("5 millis")
            atWork--
            return row
          }),
        { concurrency: 1 }
      ),
      EventStream.to(Memory.sink())
    )
  }
  const many = { feeds: [Simulation.feed(source, Payment)], faults, laws: [Law.parallelism] }
  const histories = Array.from({ length: 5 }, (_, i) => Simulation.replay(pooled, many, `1000003.${i}`))
  const outcomes = (await run(Effect.all(histories))).map(({ outcome }) => outcome)
  expect(outcomes.flatMap(Law.parallelism.check)[0]).toMatch(
    /^a run of one instance comes to its end, and a run of three instances does not: .*the pool is used up/
  )
})
