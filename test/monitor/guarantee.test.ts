/** The weakest guarantee of sources and sinks, and who makes it so. */
import { describe, expect, it } from "vitest"
import { describeGuarantee, guaranteeOf } from "../../src/streams/Guarantee.ts"

const source = (name: string, replayable: boolean) => ({ name, features: { replayable } })
const sink = (name: string, guarantee: "exactly-once" | "at-least-once") => ({ name, features: { guarantee } })

describe("C2: what a query guarantees is the weakest of its sources and sinks", () => {
  it.each([
    ["exactly once", [source("files in", true)], [sink("files out", "exactly-once")]],
    [
      "at least once: terminal may show rows again after a crash",
      [source("files in", true)],
      [sink("files out", "exactly-once"), sink("terminal", "at-least-once"), sink("terminal", "at-least-once")]
    ],
    [
      "at most once: socket 127.0.0.1:9999 cannot give rows again that it gave before a crash",
      [source("socket 127.0.0.1:9999", false), source("files in", true)],
      [sink("files out", "exactly-once")]
    ],
    [
      "not once for sure: socket a cannot give rows again that it gave before a crash; terminal may show rows again after a crash",
      [source("socket a", false)],
      [sink("terminal", "at-least-once")]
    ]
  ])("%s", (said, sources, sinks) => {
    expect(describeGuarantee(guaranteeOf(sources, sinks))).toBe(said)
  })
})
