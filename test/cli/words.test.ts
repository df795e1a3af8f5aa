/** How the program writes numbers and times, reads time spans, and says why something failed. */
import * as Cause from "effect/Cause"
import * as Redacted from "effect/Redacted"
import { describe, expect, it } from "vitest"
import { parseSpan } from "../../src/cli/durationFlag.ts"
import { describeCause, describeError } from "../../src/cli/failure.ts"
import { bytes, count, cut, instant, many, oneLine, span } from "../../src/cli/words.ts"

describe("numbers and times", () => {
  it.each([
    [count(0), "0"],
    [count(999), "999"],
    [count(1_000), "1,000"],
    [count(48_391_007), "48,391,007"],
    [many(1, "row"), "1 row"],
    [many(2_000, "row"), "2,000 rows"],
    [span(0), "0 ms"],
    [span(999.4), "999 ms"],
    [span(2_340), "2.3 s"],
    [span(99_949), "99.9 s"],
    [span(119_999), "2 min 00 s"],
    [span(3_599_400), "59 min 59 s"],
    [span(3_600_000), "1 h 00 min"],
    [span(90_061_000), "25 h 01 min"],
    [instant(978_700_800_000), "2001-01-05 13:20:00"],
    [instant(Number.POSITIVE_INFINITY), "Infinity"],
    [bytes(1), "1 byte"],
    [bytes(999), "999 bytes"],
    [bytes(1_449_999), "1.4 MB"],
    [bytes(999_600), "1.0 MB"],
    [bytes(123_456), "123 kB"],
    [cut("abcdef", 6), "abcdef"],
    [cut("abcdef", 5), "abcd…"],
    [oneLine("a\n  b\tc\u001b[2J\u0000"), "a b c\\x1b[2J\\x00"]
  ])("%s is %s", (written, wanted) => {
    expect(written).toBe(wanted)
  })
})

describe("time spans on the command line", () => {
  it.each([
    ["500ms", 500],
    ["30s", 30_000],
    ["1.5s", 1_500],
    ["10 m", 600_000],
    ["10min", 600_000],
    ["2h", 7_200_000],
    ["1d", 86_400_000],
    ["10 minutes", 600_000],
    ["0s", 0]
  ])("%s", (text, ms) => {
    expect(parseSpan(text)).toBe(ms)
  })

  it.each(["", "10", "s", "-1s", "10 parsecs", "1e3s", "constructor", "1 __proto__", "0.1ms", "Infinity"])(
    "%j is none",
    (text) => {
      expect(parseSpan(text)).toBeUndefined()
    }
  )
})

describe("why something failed", () => {
  const chain = new Error("cannot write", { cause: new Error("ECONNREFUSED 127.0.0.1:5432") })
  const secret = Redacted.make("hunter2")

  it.each([
    ["a message, with those of its causes", chain, "cannot write: ECONNREFUSED 127.0.0.1:5432"],
    ["a cause that the message names already", new Error("a: b", { cause: new Error("b") }), "a: b"],
    [
      "a cause of the system by its code",
      new Error("open a: ENOENT", { cause: Object.assign(new Error("ENOENT: no such file"), { code: "ENOENT" }) }),
      "open a: ENOENT"
    ],
    ["a tagged error without message", { _tag: "Down", message: "" }, "Down"],
    ["a text", "no luck\nat all", "no luck at all"],
    ["nothing", undefined, "undefined"],
    ["a value with a secret", { key: secret, list: [secret] }, '{"key":"<redacted>","list":["<redacted>"]}'],
    ["a secret", secret, '"<redacted>"'],
    ["a cause that goes round", Object.assign(new Error("round"), { cause: undefined }), "round"],
    [
      "what cannot be shown",
      {
        toJSON: () => {
          throw new Error("no")
        }
      },
      "[unprintable]"
    ]
  ])("%s", (_, error, says) => {
    expect(describeError(error)).toBe(says)
  })

  it("ends with causes that cause each other", () => {
    const a = new Error("a")
    const b = new Error("b", { cause: a })
    a.cause = b
    expect(describeError(a)).toBe("a: b")
  })

  it("tells a failure before a defect, and a defect from a missing service", () => {
    const both = Cause.fromReasons([
      Cause.makeDieReason(new TypeError("x is not a function")),
      Cause.makeFailReason("typed")
    ])
    expect(describeCause(both, "job.ts")).toBe("typed")
    expect(describeCause(Cause.die(new TypeError("x is not a function")), "job.ts")).toBe(
      "unexpectedly, by a defect: TypeError: x is not a function (--verbose shows where)"
    )
    expect(describeCause(Cause.die(new Error("Service not found: app/Rates")), "job.ts")).toMatch(
      /^it needs the service "app\/Rates".*job\.ts/
    )
    expect(describeCause(Cause.interrupt(), "job.ts")).toBe("it was interrupted")
  })
})
