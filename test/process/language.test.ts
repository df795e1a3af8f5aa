/** What `EventStream.process` says of wrong options, and what its plan node holds. */
import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import { renderProblem } from "../../src/model/Errors.ts"
import { factsOf } from "../../src/streams/PlanFacts.ts"
import { fingerprintOf } from "../../src/streams/Fingerprint.ts"
import { EventStream, Late, Memory } from "tidemark"
import { allProblems, type Built, JS } from "../language/untyped.ts"
import { nodeOf, timedBy, untimedBy } from "./kit.ts"

const timed = timedBy(0)
const right = { state: Schema.Number, ttl: "1 hour", late: "drop", onRow: () => undefined }
const said = (built: Pick<Built, "plan">): ReadonlyArray<string> => allProblems(built).map(renderProblem)
const of = (options: unknown, self: unknown = timed): ReadonlyArray<string> => said(JS.process(options)(self))

describe("wrong options", () => {
  const cases: ReadonlyArray<readonly [string, unknown, ReadonlyArray<string>]> = [
    ["none", right, []],
    [
      "no options at all",
      undefined,
      [
        "process.state: undefined: must be the Schema of the state of one key",
        'process.ttl: undefined: must say how long a state lives after it was last set (try "1 hour", or "never" if keys are bounded)',
        "process.onRow: undefined: must be a function",
        'process.late: undefined: must say what becomes of late rows: "drop", "process" or Late.to(sink)'
      ]
    ],
    ["a ttl", { ...right, ttl: "1 huor" }, ['process.ttl: "1 huor": is not a duration (try "10 minutes")']],
    [
      "an endless ttl",
      { ...right, ttl: Infinity },
      ["process.ttl: Infinity: must be whole milliseconds, from 0 to 9007199254740991"]
    ],
    [
      "late",
      { ...right, late: "forward" },
      ['process.late: "forward": must say what becomes of late rows: "drop", "process" or Late.to(sink)']
    ],
    ["onTimer", { ...right, onTimer: 7 }, ["process.onTimer: 7: must be a function"]],
    ["a version", { ...right, version: -1 }, ["process.version: -1: must be a whole number from 0"]],
    [
      "migrations",
      { ...right, version: 2, migrate: { 2: () => 1, x: () => 1, 1: 5 } },
      [
        "process.migrate.1: 5: must be a function",
        'process.migrate.2: "2": must be a version before 2',
        'process.migrate.x: "x": must be a version before 2'
      ]
    ],
    [
      "no migrations",
      { ...right, migrate: () => 1 },
      ["process.migrate: a function: must be functions by version: { 1: (old) => state }"]
    ]
  ]
  it.each(cases)("%s", (_, options, problems) => {
    expect(of(options)).toEqual(problems)
  })

  it("of stages", () => {
    const untimed = EventStream.from(Memory.source([{ k: "a" }]))
    const choice = "is for streams with event time: leave it out, or call EventStream.withEventTime first"
    expect(of(right, untimed)).toEqual([
      "process: rows without a key: call EventStream.keyBy first",
      `process.late: "drop": ${choice}`
    ])
    expect(of({ ...right, late: undefined }, untimedBy)).toEqual([])
    const running = timed.pipe(EventStream.aggregateRunning(({ count }) => ({ n: count })))
    const updating = JS.process(right)(JS.keyBy("k")(running))
    expect(said(updating).some((text) => text.startsWith("process: rows that may still change"))).toBe(true)
  })

  it("of a late sink that has no such columns", () => {
    const sink = { ...Memory.sink(), name: "narrow", columns: ["k"] }
    const selected = EventStream.from(Memory.source([{ k: "a", t: 1 }])).pipe(
      EventStream.select(Schema.Struct({ k: Schema.String, t: Schema.Number })),
      EventStream.withEventTime("t", { outOfOrderness: 0 }),
      EventStream.keyBy("k")
    )
    expect(of({ ...right, late: Late.to(sink as never) }, selected)).toEqual([
      'process.late: "t": not among the columns of narrow: call EventStream.select(schema) first, or give the sink a schema that has them'
    ])
  })
})

describe("its plan", () => {
  const options = {
    state: Schema.Number,
    version: 3,
    migrate: { 1: () => 1, 2: () => 2 },
    ttl: "1 minute",
    late: "drop",
    onRow: () => [1]
  } as const

  it("rows are final, timed as their input, of unknown columns", () => {
    expect(factsOf(nodeOf(timed.pipe(EventStream.process(options))))).toEqual({
      timed: true,
      updating: false,
      columns: undefined,
      identity: undefined
    })
    const clocked = untimedBy.pipe(EventStream.process({ state: Schema.Number, ttl: "never", onRow: () => [1] }))
    expect(factsOf(nodeOf(clocked)).timed).toBe(false)
    expect(nodeOf(clocked).late).toEqual({ kind: "forward" })
  })

  it("C7: its fingerprint says key, ttl, late rows, and the versions of its state", () => {
    const pipeline = timed.pipe(EventStream.process(options), EventStream.to(Memory.sink()))
    const { operators } = fingerprintOf(pipeline.plan, { nameOf: (node) => node.kind, writerOf: () => "output" })
    expect(operators.find((o) => o.kind === "process")).toEqual({
      name: "process",
      kind: "process",
      inputs: ["withEventTime"],
      parameters: { key: [{ name: "k", of: "k" }], late: "drop", ttl: 60_000, f: "<lambda>" },
      state: { of: "process", version: 3, migrates: [1, 2] }
    })
  })

  it("windows after it are not held to the lateness of a dedupe before it", () => {
    const deduped = EventStream.from(Memory.source([{ k: "a", t: 1 }])).pipe(
      EventStream.withEventTime("t", { outOfOrderness: 0 }),
      EventStream.dedupe("k", { late: "drop", allowedLateness: "1 minute" }),
      EventStream.keyBy("k"),
      EventStream.process(options),
      EventStream.windowAll({ spec: { kind: "global" }, problems: [] } as never, { late: "drop" })
    )
    expect(said(deduped as never)).toEqual([])
  })
})
