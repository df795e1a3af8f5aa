/** C7: what a checkpoint remembers of the plan that wrote it. */
import { describe, expect, it } from "vitest"
import * as Late from "../../src/streams/Late.ts"
import * as Window from "../../src/streams/Window.ts"
import { calm, totals } from "./edits.ts"
import { fingerprint, JS, rows, sink } from "./plans.ts"

describe("C7: fingerprints of plans", () => {
  it("hold fields, windows, keys, aggregates, modes and names, inputs before what they feed", () => {
    const window = JS.window(Window.sliding("10 minutes", { every: "5 minutes" }), { late: Late.to(sink("late")) })
    const plan = rows("orders").pipe(
      JS.filter(() => true),
      JS.withEventTime("at", { outOfOrderness: "5 seconds", zone: "Europe/Berlin", idleAfter: "1 second" }),
      JS.keyBy({ region: () => "EU" }),
      window,
      JS.aggregate(({ count, sum }: { readonly count: unknown; readonly sum: (of: string) => unknown }) => ({
        n: count,
        total: sum("amount")
      })),
      JS.named("by-region", { version: "3" }),
      JS.to(sink("out"))
    )
    expect(fingerprint(plan)).toEqual({
      operators: [
        {
          name: "source orders",
          kind: "source",
          inputs: [],
          parameters: { source: "orders" },
          state: { of: "positions" }
        },
        { name: "filter-1", kind: "filter", inputs: ["source orders"], parameters: { f: "<lambda>" } },
        {
          name: "withEventTime-1",
          kind: "withEventTime",
          inputs: ["filter-1"],
          parameters: { time: "at", zone: "Europe/Berlin", outOfOrdernessMs: 5_000 },
          state: { of: "watermarks" }
        },
        {
          name: "by-region",
          kind: "window",
          inputs: ["withEventTime-1"],
          parameters: {
            key: [{ name: "region", of: "<lambda>" }],
            window: { kind: "time", sizeMs: 600_000, slideMs: 300_000, offsetMs: 0 },
            late: "to",
            aggregates: [
              { name: "n", label: "count" },
              { name: "total", label: "sum(amount)" }
            ],
            version: "3"
          },
          state: { of: "slices" }
        },
        {
          name: "output output",
          kind: "output",
          inputs: ["by-region"],
          parameters: { sink: "out", mode: "append", writer: "output" }
        },
        {
          name: "late output of by-region",
          kind: "late output",
          inputs: ["by-region"],
          parameters: { sink: "late", writer: "late-by-region" }
        }
      ]
    })
  })

  it("a table that a complete output keeps is state; a all of it goes through JSON", () => {
    const output = fingerprint(totals()).operators.at(-1)
    expect(output).toMatchObject({ parameters: { mode: "complete", keepMs: 7_200_000 }, state: { of: "table" } })
    const forever = { operators: fingerprint(totals("1")).operators }
    expect(JSON.parse(JSON.stringify(forever))).toEqual(forever)
  })

  it("the same plan built again has the same fingerprint, and a stream used twice is there once", () => {
    const twice = () =>
      JS.outputs({
        a: calm.pipe(JS.to(sink("a"))),
        b: calm.pipe(
          JS.map((row: unknown) => row),
          JS.to(sink("b"))
        )
      })
    expect(fingerprint(twice())).toEqual(fingerprint(twice()))
    const names = fingerprint(twice()).operators.map(({ name }) => name)
    expect(names).toEqual(["source orders", "withEventTime-1", "calm", "map-1", "output a", "output b"])
  })

  it("a version that is no text is a problem, not a version", () => {
    const plan = rows("orders").pipe(JS.named("orders", { version: 2 }), JS.to(sink("out")))
    expect(() => fingerprint(plan)).toThrow(/named\.version/)
  })
})
