/** The search for a history that breaks a law, and tokens. */
import { Effect } from "effect"
import * as fc from "fast-check"
import { EventStream, Memory } from "tidemark"
import { Law, Simulation } from "tidemark/testing"
import { afterEach, describe, expect, it } from "vitest"
import { failureOf, feed, Payment, plain, run, source } from "./support.ts"

const faults = [] as const
const options = { feeds: [feed], faults, histories: 30 }
const fewRows = Law.make("few rows", ({ rows }) => rows.length < 2)

it("a law that is broken is said, though smaller histories cannot be simulated", async () => {
  /** A promise where the amount is 0, as it is in what was shrunk. */
  const promised = EventStream.from(source).pipe(
    EventStream.mapEffect((p) => (p.amount === 0 ? Effect.promise(() => Promise.resolve(p)) : Effect.succeed(p)), {
      concurrency: 1
    }),
    EventStream.to(Memory.sink())
  )
  const failure = await failureOf(Simulation.check(promised, { ...options, laws: [fewRows] }))
  expect([failure.reason, failure.law, failure.events]).toEqual(["LawViolated", "few rows", 2])
})

describe("tokens", () => {
  const tokenOf = async () => (await failureOf(Simulation.check(plain, { ...options, laws: [fewRows] }))).token ?? ""

  it("are refused where they are those of another history", async () => {
    const token = await tokenOf()
    expect((await run(Simulation.replay(plain, { ...options, laws: [fewRows] }, token))).law).toBe("few rows")
    const marked = token.slice(0, token.lastIndexOf(".") + 1)
    const other = await failureOf(Simulation.replay(plain, options, `${marked}00000000`))
    expect(other.reason).toBe("InvalidOptions")
    expect(other.message).toContain("is not of this history")
    const fed = { ...options, feeds: [Simulation.feed(source, Payment, { rows: 7, partitions: 1 })] }
    expect((await failureOf(Simulation.replay(plain, fed, token))).reason).toBe("InvalidOptions")
  })

  it("say which laws are not broken, where those that were asked hold", async () => {
    const { text } = await run(Simulation.replay(plain, { ...options, laws: [] }, await tokenOf()))
    expect(text).toMatch(/^no law of finishes is broken for query\n/)
  })

  it.each(["1000003.4000000000", "1000003.25", "1.2.3", "1000003.0:9999999999", "", "1.-1"])(
    "%j stands for nothing, and is refused at once",
    async (token) => {
      const { reason, message } = await failureOf(Simulation.replay(plain, options, token))
      expect(reason).toBe("InvalidOptions")
      expect(message).toContain("stands for no history")
    }
  )
})

describe("settings of fast-check for other properties", () => {
  afterEach(() => fc.resetConfigureGlobal())

  it.each<fc.GlobalParameters>([
    { interruptAfterTimeLimit: 0 },
    { skipAllAfterTimeLimit: 0 },
    { endOnFailure: true },
    { baseSize: "xsmall", defaultSizeToMaxWhenMaxSpecified: false }
  ])("%j is not for histories", async (settings) => {
    const small = { ...options, laws: [Law.finishes, fewRows], histories: 5 }
    const without = await failureOf(Simulation.check(plain, small))
    fc.configureGlobal(settings)
    expect(await failureOf(Simulation.check(plain, small))).toMatchObject({ token: without.token, events: 2 })
    expect(fc.readConfigureGlobal()).toMatchObject(settings)
    expect((await run(Simulation.check(plain, { ...options, histories: 7 }))).histories).toBe(7)
  })
})
