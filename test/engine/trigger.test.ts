/** A5: triggers as values, and what is wrong with their options. */
import { describe, expect, it } from "vitest"
import { type OptionProblem, renderProblem } from "../../src/model/Errors.ts"
import { Trigger } from "tidemark"

/** As JavaScript sees it. */
type Untyped = (...args: ReadonlyArray<unknown>) => { readonly problems: ReadonlyArray<OptionProblem> }
const said = (make: unknown, ...args: ReadonlyArray<unknown>): ReadonlyArray<string> =>
  (make as Untyped)(...args).problems.map(renderProblem)

describe("A5: a trigger", () => {
  it("is a plain value that names its pace and its bound", () => {
    const none = { everyMs: undefined, maxEvents: undefined, problems: [] }
    expect(Trigger.every("10 seconds", { maxEvents: 10_000 })).toEqual({
      kind: "every",
      everyMs: 10_000,
      maxEvents: 10_000,
      problems: []
    })
    expect(Trigger.every("1 minute")).toEqual({ ...none, kind: "every", everyMs: 60_000 })
    expect(Trigger.asFastAsPossible()).toEqual({ ...none, kind: "asap" })
    expect(Trigger.asFastAsPossible({ maxEvents: 5 })).toEqual({ ...none, kind: "asap", maxEvents: 5 })
    expect(Trigger.availableNow()).toEqual({ ...none, kind: "availableNow" })
    expect(Trigger.availableNow({ maxEvents: 1 })).toEqual({ ...none, kind: "availableNow", maxEvents: 1 })
    expect(Trigger.once()).toEqual({ ...none, kind: "once" })
  })

  it("says of each wrong option what it was and what to write", () => {
    expect(said(Trigger.every, "0 seconds", { maxEvents: 0 })).toEqual([
      'Trigger.every: "0 seconds": must be whole milliseconds, from 1 to 9007199254740991',
      "Trigger.every.maxEvents: 0: must be a whole number from 1"
    ])
    expect(said(Trigger.every, "10 second5")).toEqual([
      'Trigger.every: "10 second5": is not a duration (try "10 minutes")'
    ])
    const paces = {
      every: (options: unknown) => said(Trigger.every, "1 second", options),
      asFastAsPossible: (options: unknown) => said(Trigger.asFastAsPossible, options),
      availableNow: (options: unknown) => said(Trigger.availableNow, options)
    }
    for (const [name, of] of Object.entries(paces)) {
      for (const [value, shown] of [
        [-1, "-1"],
        [1.5, "1.5"],
        [Number.NaN, "NaN"],
        [5n, "5n"],
        ["5", '"5"']
      ]) {
        expect(of({ maxEvents: value })).toEqual([
          `Trigger.${name}.maxEvents: ${String(shown)}: must be a whole number from 1`
        ])
      }
      for (const value of [10_000, "10_000", null]) {
        expect(of(value)).toEqual([`Trigger.${name}: ${JSON.stringify(value)}: must be like { maxEvents: 10_000 }`])
      }
      expect(of(undefined)).toEqual([])
      expect(of({ maxEvents: undefined })).toEqual([])
    }
  })
})
