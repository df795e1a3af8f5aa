import * as DateTime from "effect/DateTime"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { eventTimeMs } from "../src/model/EventTime.ts"

const isoForm = /^(\d{4}|[+-]\d{6})-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/

/** The same text as ECMA-262 wants it, or undefined when it is not of the form that is accepted. */
const asEcma = (text: string): string | undefined => {
  const dashed = /^(\d{4}|[+-]\d{6})\/\d\d\/\d\d/.test(text) ? text.replace("/", "-").replace("/", "-") : text
  const match = isoForm.exec(dashed)
  if (match === null || dashed.includes("T24") || dashed.includes(" 24")) return undefined
  const [, , time, , fraction, zone] = match
  if (time === undefined) return dashed
  const ms = fraction === undefined ? "" : fraction.slice(0, 4)
  const offset = zone === undefined ? "Z" : zone.length === 5 ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone
  const bare = dashed.replace(" ", "T").slice(0, dashed.length - (zone?.length ?? 0) - (fraction?.length ?? 0))
  return bare + ms + offset
}

/** `Date.parse` rolls the 30th of February over; a text names a day only if it comes out again. */
const byDate = (text: string): number => {
  const ecma = asEcma(text)
  if (ecma === undefined) return Number.NaN
  const day = ecma.slice(0, ecma.indexOf("-", 1) + 6)
  const midnight = Date.parse(day)
  if (Number.isNaN(midnight) && Number.isNaN(Date.parse(ecma))) return Number.NaN
  if (
    !Number.isNaN(midnight) &&
    !new Date(midnight).toISOString().startsWith(day.replace("+00", "").replace(/^-000000/, "0000"))
  )
    return Number.NaN
  return Date.parse(ecma)
}

const pad = (n: number, width: number): string => String(n).padStart(width, "0")
const upTo = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max })

/** Text that is mostly valid: each part a little too wide. */
const isoLike = fc
  .record({
    year: fc.oneof(
      upTo(9999).map((y) => pad(y, 4)),
      fc.integer({ min: -280_000, max: 280_000 }).map((y) => (y < 0 ? "-" : "+") + pad(Math.abs(y), 6))
    ),
    month: upTo(13),
    day: upTo(32),
    separator: fc.constantFrom("-", "-", "/"),
    time: fc.option(
      fc.record({
        t: fc.constantFrom("T", " "),
        hour: upTo(24),
        minute: upTo(60),
        second: fc.option(upTo(60)),
        fraction: fc.option(upTo(999_999))
      })
    ),
    zone: fc.constantFrom("Z", "", "+00:00", "-08:00", "+0530", "+14:00", "-23:59", "+24:00")
  })
  .map(({ year, month, day, separator, time, zone }) => {
    const date = [year, pad(month, 2), pad(day, 2)].join(separator)
    if (time === null) return date
    const fraction = time.fraction === null ? "" : `.${time.fraction}`
    return `${date}${time.t}${pad(time.hour, 2)}:${pad(time.minute, 2)}${time.second === null ? "" : `:${pad(time.second, 2)}${fraction}`}${zone}`
  })

describe("T1: event times of text", () => {
  it("every instant comes back from its ISO text", () => {
    fc.assert(
      fc.property(fc.integer({ min: -8.64e15, max: 8.64e15 }), (ms) => {
        expect(eventTimeMs(new Date(ms).toISOString())).toBe(ms)
      }),
      { numRuns: 3000 }
    )
  })

  it("agrees with Date.parse on text of the accepted form, and takes no other", () => {
    fc.assert(
      fc.property(isoLike, (text) => {
        expect(eventTimeMs(text)).toBe(byDate(text))
      }),
      { numRuns: 5000 }
    )
  })

  it("agrees with it after any one change of a character", () => {
    fc.assert(
      fc.property(isoLike, fc.nat(), fc.constantFrom(..."0123456789-+/:.TZ tz\u0660\u2212", ""), (text, at, char) => {
        const i = at % text.length
        const changed = text.slice(0, i) + char + text.slice(i + 1)
        expect(eventTimeMs(changed)).toBe(byDate(changed))
      }),
      { numRuns: 5000 }
    )
  })

  it("any value is an integer within the range of Date, or NaN", () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withDate: true }), (value) => {
        const ms = eventTimeMs(value)
        expect(Number.isNaN(ms) || (Number.isSafeInteger(ms) && Math.abs(ms) <= 8.64e15)).toBe(true)
      }),
      { numRuns: 1000 }
    )
  })
})

describe("zones", () => {
  const zones = [
    "America/New_York",
    "America/St_Johns",
    "America/Recife",
    "America/Nuuk",
    "Europe/Berlin",
    "Europe/Dublin",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "Asia/Pyongyang",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Pacific/Chatham",
    "UTC"
  ]

  it("zoneless text is read as effect's DateTime reads it, changes of clocks included", () => {
    // Spring and autumn nights, where clocks change, more often than the rest.
    const night = fc
      .record({
        year: fc.integer({ min: 1972, max: 2037 }),
        month: fc.constantFrom(2, 3, 8, 9, 10),
        day: fc.integer({ min: 1, max: 31 }),
        minute: fc.nat(300)
      })
      .map(({ year, month, day, minute }) => Date.UTC(year, month, day, 0, minute))
    const any = fc.integer({ min: Date.UTC(1972, 0, 1), max: Date.UTC(2037, 11, 31) })
    fc.assert(
      fc.property(fc.constantFrom(...zones), fc.oneof(night, any), (timeZone, localMs) => {
        const text = new Date(localMs).toISOString().slice(0, -1)
        const oracle = DateTime.makeZonedUnsafe(text + "Z", { timeZone, adjustForTimeZone: true })
        expect(eventTimeMs(text, timeZone)).toBe(oracle.epochMilliseconds)
      }),
      { numRuns: 1500 }
    )
  })

  it("every half hour of the days around a change, in both hemispheres", () => {
    for (const timeZone of ["Europe/Berlin", "Australia/Lord_Howe"]) {
      for (const start of [Date.UTC(2026, 2, 27), Date.UTC(2026, 3, 3), Date.UTC(2026, 9, 2), Date.UTC(2026, 9, 23)]) {
        for (let localMs = start; localMs < start + 4 * 86_400_000; localMs += 1_800_000) {
          const text = new Date(localMs).toISOString().slice(0, -1)
          const oracle = DateTime.makeZonedUnsafe(text + "Z", { timeZone, adjustForTimeZone: true })
          expect(eventTimeMs(text, timeZone)).toBe(oracle.epochMilliseconds)
        }
      }
    }
  })
})
