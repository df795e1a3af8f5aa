/** C8: what becomes of a query when its plan is edited. */
import { Effect, Exit } from "effect"
import { describe, expect, it } from "vitest"
import {
  abandonedWriters,
  comparePlans,
  type OperatorChange,
  pendingUnder,
  planRefusal,
  quoted
} from "../../src/checkpoint/PlanChange.ts"
import type { OperatorFingerprint } from "../../src/model/PlanFingerprint.ts"
import * as Window from "../../src/streams/Window.ts"
import { after, base, big, books, both, calm, edits, type Plans, totals, windowed } from "./edits.ts"
import { fingerprint, JS, sink } from "./plans.ts"

const compared = ([was, is]: Plans, accepted: ReadonlyArray<string> = []): ReadonlyArray<OperatorChange> =>
  comparePlans(fingerprint(was), fingerprint(is), { accepted: new Set(accepted) })

const short = ({ operator, verdict, acceptable }: OperatorChange): readonly [string, string] => [
  operator,
  verdict === "refuse" && !acceptable ? "never" : verdict
]

describe("C8: an edited plan, operator by operator", () => {
  it.each(edits)("%s", (_edit, plans, expected) => {
    const changes = compared(plans)
    const found = changes.filter(({ verdict }) => verdict !== "keep").map(short)
    expect(Object.fromEntries(found)).toEqual(expected)
    expect(found).toHaveLength(Object.keys(expected).length)
  })

  it.each(edits)("%s: acceptance by name lets through what bends, and never what breaks", (_edit, plans, expected) => {
    const changes = compared(plans, Object.keys(expected))
    for (const change of changes) {
      const was = expected[change.operator]
      expect(short(change)).toEqual([change.operator, was === "refuse" ? "accepted" : (was ?? "keep")])
    }
  })

  it.each(edits)("%s: what is refused says why in one sentence, and what to do", (_edit, plans) => {
    for (const { verdict, reason, todo } of compared(plans)) {
      if (verdict !== "refuse") continue
      expect(reason).toMatch(/^[a-z][^\n]{15,}[^.\n]$/)
      expect(todo).toMatch(/^[a-z][^\n]{15,}[^.\n]$/)
    }
  })
})

describe("C8: what people read", () => {
  const refusal = (plans: Plans) => planRefusal("transactions", "files ./.tidemark", compared(plans))

  it("the error names the checkpoint, the operator, both meanings and the way on", () => {
    const error = refusal([base(), windowed(Window.tumbling("10 minutes"))])
    expect(error?.reason).toBe("PlanChanged")
    expect(error?.message).toBe(
      "checkpoint ./.tidemark/queries/transactions is of another plan: window-1 was written with tumbling 5 minutes; this plan says tumbling 10 minutes: results would mix both. To see the choices: tidemark plan FILE --checkpoint ./.tidemark"
    )
  })

  it("the error names what nobody can accept first, and counts the rest", () => {
    const error = refusal([after(books), windowed(Window.session("90 seconds"))])
    expect(error?.message).toMatch(
      /: window-1 was .* says sessions with a gap of 90 seconds: .*; and 1 more of its operators differ/
    )
  })

  it("the error says what was accepted in vain, and which names there are", () => {
    const accepted = new Set(["window-1", "nosuch"])
    const changes = compared([base(), windowed(Window.tumbling("10 minutes"))], [...accepted])
    const { message } = planRefusal("q", "memory", changes, accepted) ?? { message: "" }
    expect(message).toContain("would mix both (accepted, but this cannot be: the checkpoint would not fit). ")
    expect(message).toMatch(/acceptPlanChanges names, "nosuch" is no operator: there are source .*, window-1/)
    expect(message).not.toContain("tidemark plan")
  })

  it("nothing is refused where nothing changed, or all of it was accepted", () => {
    expect(refusal([base(), base()])).toBeUndefined()
    const accepted = compared([base(), after(books)], ["filter-1"])
    expect(planRefusal("q", "memory", accepted)).toBeUndefined()
  })

  it("functions are said to be opaque, unless a version speaks for them", () => {
    const [filter] = compared([after(books), after(big)]).filter(({ operator }) => operator === "filter-1")
    expect(filter).toMatchObject({ verdict: "keep", reason: "has functions, which cannot be compared" })
    const [named] = compared([totals("1"), totals("1")]).filter(({ operator }) => operator === "totals")
    expect(named).toMatchObject({ verdict: "keep", reason: "", todo: "" })
  })

  it("a renamed operator is told how to keep its state", () => {
    const stream = calm.pipe(JS.named("still"), JS.to(sink("out")))
    const gone = compared([calm.pipe(JS.to(sink("out"))), stream]).find(({ operator }) => operator === "calm")
    expect(gone?.reason).toContain("still does the same and would start empty")
    expect(gone?.todo).toContain('name it EventStream.named("calm")')
  })

  it("names are written as a shell takes them", () => {
    expect(["window-1", "source files ./in", "it's"].map(quoted)).toEqual([
      "window-1",
      "'source files ./in'",
      "'it'\\''s'"
    ])
  })
})

describe("C8: fingerprints of any origin", () => {
  const operator = (name: string, inputs: ReadonlyArray<string>, kind = "map"): OperatorFingerprint => ({
    name,
    kind,
    inputs,
    parameters: {}
  })
  const out = (input: string) => operator("output out", [input], "output")
  const none = new Set<string>()

  it("plans that read themselves, or what is not there, are compared all the same", () => {
    const cyclic = { operators: [operator("map-1", ["map-2"]), operator("map-2", ["map-1"]), out("map-2")] }
    const joined = { operators: [operator("union-1", ["union-1", "union-1"], "union"), out("union-1")] }
    const dangling = { operators: [operator("map-1", ["nowhere"]), out("map-1")] }
    for (const was of [cyclic, joined, dangling]) {
      for (const is of [cyclic, joined, dangling]) expect(comparePlans(was, is, { accepted: none })).not.toEqual([])
    }
  })

  it("a union of unions of one stream, 40 deep, takes no time", () => {
    const source = { ...operator("source s", [], "source"), state: { of: "positions" } }
    const operators: Array<OperatorFingerprint> = [source]
    for (let n = 1; n <= 40; n++) {
      const input = n === 1 ? "source s" : `union-${n - 1}`
      operators.push(operator(`union-${n}`, [input, input], "union"))
    }
    const plan = { operators: [...operators, out("union-40")] }
    expect(comparePlans(plan, plan, { accepted: none }).map(({ verdict }) => verdict)).not.toContain("refuse")
  })

  it("a parameter that this release does not know is never mixed", () => {
    const plan = (parameters: OperatorFingerprint["parameters"]) => ({
      operators: [{ ...operator("window-1", [], "window"), parameters, state: { of: "slices" } }]
    })
    const [change] = comparePlans(plan({ flux: 1 }), plan({}), { accepted: new Set(["window-1"]) })
    expect(change).toMatchObject({ verdict: "refuse", acceptable: false })
  })

  it("a state migrates where the plan has a way from its version, and else is refused", () => {
    const plan = (version: number, migrates?: ReadonlyArray<number>) => ({
      operators: [
        {
          ...operator("process-1", [], "process"),
          state: { of: "process", version, ...(migrates === undefined ? {} : { migrates }) }
        }
      ]
    })
    const verdict = (was: number, is: number, migrates?: ReadonlyArray<number>) =>
      comparePlans(plan(was), plan(is, migrates), { accepted: new Set(["process-1"]) })[0].verdict
    expect([verdict(1, 1), verdict(1, 2), verdict(1, 2, [1]), verdict(0, 2, [1]), verdict(2, 2, [1])]).toEqual([
      "keep",
      "refuse",
      "migrate",
      "refuse",
      "keep"
    ])
  })
})

describe("C2: what the sinks of another plan cannot commit", () => {
  it("writers that are gone or write elsewhere are abandoned", () => {
    const prints = (...plans: Plans): readonly [ReturnType<typeof fingerprint>, ReturnType<typeof fingerprint>] => [
      fingerprint(plans[0]),
      fingerprint(plans[1])
    ]
    expect(abandonedWriters(...prints(both("calm", "hourly"), both("hourly", "calm")))).toEqual(new Set())
    expect(abandonedWriters(...prints(both("calm", "hourly"), both("calm")))).toEqual(new Set(["hourly"]))
    const elsewhere = JS.outputs({ calm: calm.pipe(JS.to(sink("elsewhere"))) })
    expect(abandonedWriters(...prints(both("calm"), elsewhere))).toEqual(new Set(["calm"]))
  })

  it("what is pending for them stops a query that did not end, and is passed over where it had", async () => {
    const plan = fingerprint(both("calm", "hourly"))
    const prepared = ["calm", "hourly"].map((writer) => ({ query: "q", writer, epoch: 7, data: null }))
    const pending = (base: object, after: Plans[number]) =>
      Effect.runPromiseExit(pendingUnder("q", { plan, prepared, epoch: 7, ...base }, fingerprint(after)))
    expect(await pending({}, both("hourly", "calm"))).toEqual(Exit.succeed(prepared))
    expect(await pending({ ended: "drained" }, both("calm"))).toEqual(Exit.succeed([prepared[0]]))
    const stopped = await pending({}, both("calm"))
    expect(JSON.stringify(stopped)).toMatch(
      /did not end with epoch 7, .* its output hourly .*start it once with that plan/
    )
  })
})
