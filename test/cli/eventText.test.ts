/** How `tidemark tail` shows events in a table, and how `tidemark send` takes lines apart. */
import { describe, expect, it } from "vitest"
import { tableHead, tableRow } from "../../src/cli/eventText.ts"
import { LineSplitter } from "../../src/cli/lineSplitter.ts"
import { parseFrom } from "../../src/cli/tailFrom.ts"
import { displayWidth } from "../../src/connectors/terminal/cells.ts"

const event = (body: string | Uint8Array, partitionKey?: string) => ({
  sequenceNumber: 42,
  offset: "1",
  enqueuedMs: Date.UTC(2026, 0, 1, 12),
  body: typeof body === "string" ? new TextEncoder().encode(body) : body,
  partitionKey,
  properties: {},
  systemProperties: {}
})

describe("a row of the table", () => {
  it("stands under the head, cut to the width", () => {
    expect([tableHead, tableRow("0", event('{"amount": 12.5}', "customer-0007"), 80)]).toEqual([
      "partition  sequence  enqueued             key           body",
      '0                42  2026-01-01 12:00:00  customer-...  {"amount": 12.5}'
    ])
    for (const body of ["x".repeat(500), "漢".repeat(500)])
      expect(displayWidth(tableRow("0", event(body), 80))).toBeLessThanOrEqual(80)
  })

  it("shows control characters, and sends none", () => {
    const row = tableRow("0", event("\u001b[2J\u009b1m\r\n\u202ex", "\u0007"), 200)
    expect(row).toMatch(/\\u0007 .*\\u001b\[2J\\u009b1m\\r\\n\\u202ex$/)
    expect(row).not.toMatch(/[\p{Cc}\p{Cf}]/u)
  })

  it("shows bytes that are no text as such", () => {
    expect(tableRow("0", event(new Uint8Array([0x1f, 0x8b])), 200)).toContain("2 bytes, no UTF-8: 1f8b")
  })
})

describe("lines of bytes", () => {
  const split = (text: string, size: number, keepMax: number) => {
    const bytes = new TextEncoder().encode(text)
    const splitter = new LineSplitter(keepMax)
    const lines = []
    for (let at = 0; at < bytes.length; at += size) lines.push(...splitter.push(bytes.slice(at, at + size)))
    return [...lines, ...splitter.end()].map(({ number, bytes: length, body }) => [
      number,
      length,
      body === undefined ? undefined : new TextDecoder().decode(body)
    ])
  }

  it.each([1, 2, 3, 100])("are the same however they come, %i bytes at a time", (size) => {
    expect(split("a\r\n\nbcdef\ngh\rij\n1234\r\n12345\r\nk", size, 4)).toEqual([
      [1, 1, "a"],
      [2, 0, ""],
      [3, 5, undefined],
      [4, 5, undefined],
      [5, 4, "1234"],
      [6, 5, undefined],
      [7, 1, "k"]
    ])
  })
})

it("--from takes places, numbers, instants and spans", () => {
  expect(["earliest", "latest", "17", "10m", "2026-01-01T00:00:00Z"].map(parseFrom)).toEqual([
    { at: "earliest" },
    { at: "latest" },
    { sequenceNumber: 17, inclusive: true },
    { agoMs: 600_000 },
    { enqueuedTime: Date.UTC(2026, 0, 1) }
  ])
  expect(["", "noon", "-1", "{}", "99999999999999999999"].map(parseFrom)).toEqual(Array(5).fill(undefined))
})
