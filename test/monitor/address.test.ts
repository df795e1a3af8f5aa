/** Where to listen, who may ask. */
import * as Redacted from "effect/Redacted"
import { describe, expect, it } from "vitest"
import { hostPort, isLoopback, isOwnName, parseAddress, refusal, sameToken } from "../../src/monitor/Address.ts"

describe("addresses", () => {
  it.each([
    ["127.0.0.1:8080", { host: "127.0.0.1", port: 8080 }],
    ["localhost:0", { host: "localhost", port: 0 }],
    ["[::1]:80", { host: "::1", port: 80 }],
    ["8080", { host: "127.0.0.1", port: 8080 }],
    [" 0.0.0.0:1 ", { host: "0.0.0.0", port: 1 }],
    ["", undefined],
    ["127.0.0.1", undefined],
    ["::1:80", undefined],
    ["a:65536", undefined],
    ["a:-1", undefined],
    ["http://127.0.0.1:80", undefined]
  ])("%j", (text, address) => {
    expect(parseAddress(text)).toEqual(address)
    expect(address && parseAddress(hostPort(address))).toEqual(address)
  })

  it("of other machines need a token that cannot be guessed", () => {
    for (const host of ["127.0.0.1", "127.9.9.9", "localhost", "::1"]) {
      expect([host, isLoopback(host), refusal({ host, port: 0 })]).toEqual([host, true, undefined])
    }
    for (const host of ["0.0.0.0", "::", "10.0.0.1", "localhost.example", "127.0.0.1.example"]) {
      expect([host, isLoopback(host)]).toEqual([host, false])
      expect(refusal({ host, port: 0 })).toContain("can be reached from other machines")
      expect(refusal({ host, port: 0, token: Redacted.make("0123456789abcdef") })).toBeUndefined()
      expect(refusal({ host, port: 0, token: Redacted.make("short") })).toContain("at least 16 characters")
    }
  })

  it.each([
    ["localhost", true],
    ["LOCALHOST:8080", true],
    ["127.0.0.1:8080", true],
    ["[::1]:8080", true],
    ["evil.example", false],
    ["localhost.evil.example", false],
    ["127.0.0.1.evil.example", false],
    ["127.0.0.1@evil.example", false],
    ["", false],
    [undefined, false]
  ])("a Host of %j: %s", (header, own) => {
    expect(isOwnName(header)).toBe(own)
  })

  it("compares tokens as wholes", () => {
    expect(sameToken("0123456789abcdef", "0123456789abcdef")).toBe(true)
    for (const given of ["", "0123456789abcde", "0123456789abcdeg", "0123456789abcdef0", "00"]) {
      expect(sameToken(given, "0123456789abcdef")).toBe(false)
    }
  })
})
