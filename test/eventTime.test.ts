import * as DateTime from "effect/DateTime"
import { describe, expect, it } from "vitest"
import { eventTimeMs, isTimeZone } from "../src/model/EventTime.ts"

const noon = Date.UTC(2026, 0, 1, 12, 0, 1)

describe("T1: event times are integer milliseconds since the epoch, any sign", () => {
  it("numbers are milliseconds, fractions dropped downwards", () => {
    expect(eventTimeMs(0)).toBe(0)
    expect(eventTimeMs(1.9)).toBe(1)
    expect(eventTimeMs(-0.1)).toBe(-1)
    expect(eventTimeMs(-5)).toBe(-5)
    expect(Object.is(eventTimeMs(-0), 0)).toBe(true)
    expect(eventTimeMs(8.64e15)).toBe(8.64e15)
    expect(eventTimeMs(-8.64e15)).toBe(-8.64e15)
    expect(eventTimeMs(12n)).toBe(12)
  })

  it("Date, DateTime and Temporal's instants are their instant", () => {
    expect(eventTimeMs(new Date(noon))).toBe(noon)
    expect(eventTimeMs(DateTime.makeUnsafe(noon))).toBe(noon)
    expect(eventTimeMs(DateTime.makeZonedUnsafe(noon, { timeZone: "Asia/Tokyo" }))).toBe(noon)
    expect(eventTimeMs({ epochMilliseconds: noon })).toBe(noon)
  })

  it.each([
    ["2026-01-01T12:00:01Z", noon],
    ["2026-01-01T12:00:01", noon],
    ["2026-01-01 12:00:01", noon],
    ["2026-01-01T12:00:01.5Z", noon + 500],
    ["2026-01-01T12:00:01.0456789Z", noon + 45],
    ["2026-01-01T12:00:01.9999999999999999999999999999Z", noon + 999],
    ["2026-01-01T14:00:01+02:00", noon],
    ["2026-01-01T14:00:01+0200", noon],
    ["2026-01-01T06:30:01-05:30", noon],
    ["2026-01-01T12:00", noon - 1000],
    ["2026-01-01T12:00Z", noon - 1000],
    ["2026/01/01 12:00", noon - 1000],
    ["2026-01-01", Date.UTC(2026, 0, 1)],
    ["2001/01/01 00:47", Date.UTC(2001, 0, 1, 0, 47)],
    ["2024-02-29", Date.UTC(2024, 1, 29)],
    ["2000-02-29", Date.UTC(2000, 1, 29)],
    ["1969-12-31T23:59:59.999Z", -1],
    ["1969-12-31T23:59:59.9999Z", -1],
    ["0000-01-01", Date.parse("0000-01-01")],
    ["-000001-12-31T00:00:00Z", Date.parse("-000001-12-31T00:00:00Z")],
    ["+275760-09-13T00:00:00Z", 8.64e15],
    ["-271821-04-20T00:00:00Z", -8.64e15]
  ])("%s", (text, ms) => {
    expect(eventTimeMs(text)).toBe(ms)
  })
})

describe("what is not an instant is NaN, never an exception", () => {
  it.each([
    "",
    " ",
    "now",
    "1700000000000",
    "2026",
    "2026-01",
    "2026-1-1",
    "2026-01-01 ",
    " 2026-01-01",
    "2026-13-01",
    "2026-00-01",
    "2026-01-00",
    "2026-01-32",
    "2026-02-29",
    "1900-02-29",
    "2026-04-31",
    "2026/01-01",
    "2026-01/01",
    "2026-01-01T",
    "2026-01-01T1",
    "2026-01-01T12",
    "2026-01-01T12:",
    "2026-01-01T12:0",
    "2026-01-01T12:00:",
    "2026-01-01T12:00:0",
    "2026-01-01T12:00:00.",
    "2026-01-01T12:00:00.Z",
    "2026-01-01T12:00.5Z",
    "2026-01-01T24:00:00Z",
    "2026-01-01T23:60Z",
    "2026-01-01T23:59:60Z",
    "2026-01-01T12:00:00z",
    "2026-01-01t12:00:00Z",
    "2026-01-01T12:00:00ZZ",
    "2026-01-01T12:00:00 Z",
    "2026-01-01Z",
    "2026-01-01T12:00+1",
    "2026-01-01T12:00+01",
    "2026-01-01T12:00+01:0",
    "2026-01-01T12:00+24:00",
    "2026-01-01T12:00+01:60",
    "2026-01-01T12:00+01:000",
    "2026-01-01T12:00+01:00Z",
    "-000000-01-01",
    "+002026-1-01",
    "+275760-09-13T00:00:00.001Z",
    "-271821-04-19T23:59:59.999Z",
    "２０２６-01-01",
    "2026-01-01T12:00:00,5Z",
    "Thu, 01 Jan 2026 12:00:00 GMT",
    "2026\u221201\u221201"
  ])("%j", (text) => {
    expect(eventTimeMs(text)).toBeNaN()
    expect(eventTimeMs(text, "Europe/Berlin")).toBeNaN()
  })

  it.each([
    [Number.NaN],
    [Infinity],
    [-Infinity],
    [8.64e15 + 1],
    [-8.64e15 - 1],
    [10n ** 30n],
    [-(10n ** 30n)],
    [null],
    [undefined],
    [true],
    [{}],
    [[]],
    [Symbol("t")],
    [() => 0],
    [new Date(Number.NaN)],
    [{ epochMilliseconds: "0" }],
    [{ epochMilliseconds: Infinity }],
    [JSON.parse('{"__proto__": {"epochMilliseconds": 5}}')]
  ])("value %#", (value) => {
    expect(eventTimeMs(value)).toBeNaN()
  })
})

describe("a zone for text that names none", () => {
  const at = (text: string, zone: string): string => new Date(eventTimeMs(text, zone)).toISOString()

  it("is used for it, and only for it", () => {
    expect(at("2026-01-01T12:00", "America/New_York")).toBe("2026-01-01T17:00:00.000Z")
    expect(at("2026-07-01T12:00", "America/New_York")).toBe("2026-07-01T16:00:00.000Z")
    expect(at("2026-07-01", "Asia/Kathmandu")).toBe("2026-06-30T18:15:00.000Z")
    expect(at("2026-07-01T12:00Z", "America/New_York")).toBe("2026-07-01T12:00:00.000Z")
    expect(at("2026-07-01T12:00+02:00", "America/New_York")).toBe("2026-07-01T10:00:00.000Z")
    expect(eventTimeMs(5, "America/New_York")).toBe(5)
  })

  it("a time that clocks skip is moved forward by what they skip", () => {
    expect(at("2026-03-08T01:59:59.999", "America/New_York")).toBe("2026-03-08T06:59:59.999Z")
    expect(at("2026-03-08T02:00", "America/New_York")).toBe("2026-03-08T07:00:00.000Z")
    expect(at("2026-03-08T02:30", "America/New_York")).toBe("2026-03-08T07:30:00.000Z")
    expect(at("2026-03-08T03:00", "America/New_York")).toBe("2026-03-08T07:00:00.000Z")
    expect(at("2011-12-30T10:00", "Pacific/Apia")).toBe("2011-12-30T20:00:00.000Z")
    expect(at("2022-03-26T22:30", "America/Nuuk")).toBe("2022-03-27T01:30:00.000Z")
    expect(at("2022-03-26T23:30", "America/Nuuk")).toBe("2022-03-27T01:30:00.000Z")
  })

  it("a time that occurs twice is the earlier one", () => {
    expect(at("2026-11-01T00:59", "America/New_York")).toBe("2026-11-01T04:59:00.000Z")
    expect(at("2026-11-01T01:00", "America/New_York")).toBe("2026-11-01T05:00:00.000Z")
    expect(at("2026-11-01T01:59:59.999", "America/New_York")).toBe("2026-11-01T05:59:59.999Z")
    expect(at("2026-11-01T02:00", "America/New_York")).toBe("2026-11-01T07:00:00.000Z")
    expect(at("2026-04-05T01:45", "Australia/Lord_Howe")).toBe("2026-04-04T14:45:00.000Z")
  })

  it("local mean time of long ago, and the ends of time", () => {
    expect(at("1880-01-01T00:00", "America/New_York")).toBe("1880-01-01T04:56:02.000Z")
    expect(at("+275760-09-13T00:00", "Europe/Berlin")).toBe("+275760-09-12T22:00:00.000Z")
    expect(eventTimeMs("+275760-09-13T00:00", "America/New_York")).toBeNaN()
    expect(at("-271821-04-20T12:00", "Europe/Berlin")).toBe("-271821-04-20T11:06:32.000Z")
    expect(eventTimeMs("-271821-04-20T00:00", "Europe/Berlin")).toBeNaN()
  })

  it("zones can be checked beforehand; with one that does not exist, zoneless text is no instant", () => {
    expect(isTimeZone("Europe/Berlin")).toBe(true)
    expect(isTimeZone("+05:30")).toBe(true)
    expect(isTimeZone("Mars/Olympus")).toBe(false)
    expect(isTimeZone("")).toBe(false)
    expect(isTimeZone("__proto__")).toBe(false)
    expect(eventTimeMs("2026-07-01T12:00", "Mars/Olympus")).toBeNaN()
    expect(at("2026-07-01T12:00", "+05:30")).toBe("2026-07-01T06:30:00.000Z")
  })
})
