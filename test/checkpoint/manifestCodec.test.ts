import { describe, expect, it } from "vitest"
import { exactText } from "../../src/checkpoint/exactJson.ts"
import { frame, frameHeadBytes, unframe } from "../../src/checkpoint/Frame.ts"
import type { Manifest } from "../../src/checkpoint/Manifest.ts"
import { decodeChainBytes, encodeManifest, encodeTombstone, encodeVoid } from "../../src/checkpoint/ManifestCodec.ts"
import { crc32 } from "../../src/model/crc32.ts"
import { fullManifest } from "./manifests.ts"

const bytes = encodeManifest(fullManifest)
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

/** The same bytes with other ones at some place. */
const changed = (at: number, ...to: ReadonlyArray<number>): Uint8Array => {
  const copy = bytes.slice()
  copy.set(to, at)
  return copy
}

/** As another release would write it: the checksum fits. */
const sealed = (copy: Uint8Array): Uint8Array => {
  const crc = crc32(copy.subarray(0, 16), crc32(copy.subarray(frameHeadBytes)))
  new DataView(copy.buffer).setUint32(16, crc, true)
  return copy
}

describe("C7: a manifest", () => {
  it("comes back as it was, with every field, -0, lone surrogates and hostile names", () => {
    const read = decodeChainBytes(bytes)
    expect(read.tag).toBe("manifest")
    if (read.tag !== "manifest") return
    expect(read.manifest).toStrictEqual(fullManifest)
    expect(Object.is(read.manifest.readers[0].watermarks["__proto__"], -0)).toBe(true)
    expect(Object.getPrototypeOf(read.manifest.prepared[0].data)).toBe(Object.prototype)
    expect(Object.keys(read.manifest.prepared[0].data as object)).toEqual(["__proto__", "$", "$n"])
  })

  it("says the same in bytes whatever else its objects carry", () => {
    const padded = { ...fullManifest, secret: "x", owner: { ...fullManifest.owner, token: "x" } } as Manifest
    expect(encodeManifest(padded)).toEqual(bytes)
  })

  it("T2: has no watermark where there is none yet, and keeps ones that are not finite", () => {
    const [reader] = fullManifest.readers
    const readers = [
      { ...reader, watermarks: {} },
      { ...reader, watermarks: { t: -Infinity } }
    ]
    const read = decodeChainBytes(encodeManifest({ ...fullManifest, readers }))
    expect(read).toHaveProperty("manifest.readers", readers)
  })

  it("cannot hold what is no plain value", () => {
    const prepared = [{ query: "q", writer: "w", epoch: 7, data: { run: () => 1 } }]
    expect(() => encodeManifest({ ...fullManifest, prepared })).toThrow(/\.prepared\[0\]\.data\.run: function/)
  })
})

describe("C6: damage is seen", () => {
  it("every truncation, and every longer file", () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(decodeChainBytes(bytes.subarray(0, length)).tag, `cut to ${length}`).toBe("damaged")
    }
    const longer = new Uint8Array(bytes.length + 1)
    longer.set(bytes)
    expect(decodeChainBytes(longer).tag).toBe("damaged")
  })

  it.each([
    ["a manifest", bytes],
    ["a tombstone", encodeTombstone(7)],
    ["a void", encodeVoid(7)]
  ])("every single flipped bit of %s", (_what, sound) => {
    const wrong: Array<number> = []
    for (let bit = 0; bit < sound.length * 8; bit++) {
      const copy = sound.slice()
      copy[bit >> 3] ^= 1 << (bit & 7)
      if (decodeChainBytes(copy).tag !== "damaged") wrong.push(bit)
    }
    expect(wrong).toEqual([])
  })

  it("bytes that were never a checkpoint's", () => {
    for (const other of [new Uint8Array(0), utf8("{}"), new Uint8Array(5_000), utf8("TDMK".repeat(100))]) {
      expect(decodeChainBytes(other).tag).toBe("damaged")
    }
  })
})

describe("C7: formats", () => {
  it("golden: the bytes of format 1 are read for ever", () => {
    // Written by the first release that had checkpoints.
    const tombstone = "54444d4b02000100" + "0c00000000000000" + "CRC" + Buffer.from('{"number":7}').toString("hex")
    const written = Buffer.from(encodeTombstone(7)).toString("hex")
    expect(written.slice(0, 32) + "CRC" + written.slice(40)).toBe(tombstone)
    expect(Buffer.from(bytes.subarray(0, 8)).toString("hex")).toBe("54444d4b01000100")
  })

  it("a newer format is refused, and both versions named; it is not taken for damage", () => {
    const read = decodeChainBytes(sealed(changed(6, 2)))
    expect(read.tag).toBe("newer")
    expect(read).toHaveProperty("why", expect.stringMatching(/format 2 of a manifest.*up to format 1/))
  })

  it("a kind that is not known yet is refused, format 0 is damage", () => {
    expect(decodeChainBytes(sealed(changed(4, 99)))).toHaveProperty("tag", "newer")
    expect(decodeChainBytes(sealed(changed(6, 0)))).toHaveProperty("tag", "damaged")
  })

  it("a snapshot where a manifest should be is damage", () => {
    expect(decodeChainBytes(frame("snapshot", utf8("x")))).toHaveProperty("tag", "damaged")
  })
})

describe("C7: a manifest of the wrong shape is refused with the path of the first fault", () => {
  const plain = (): Record<string, unknown> => {
    const framed = unframe(bytes)
    if (framed.tag !== "sound") throw new Error("unsound")
    return JSON.parse(new TextDecoder().decode(framed.payload)) as Record<string, unknown>
  }
  const why = (change: (m: Record<string, unknown>) => void): unknown => {
    const m = plain()
    change(m)
    const read = decodeChainBytes(frame("manifest", utf8(JSON.stringify(m))))
    return read.tag === "damaged" ? read.why : read.tag
  }
  it.each<[string, (m: Record<string, unknown>) => void, RegExp]>([
    ["no number", (m) => delete m["number"], /^number is not a whole number/],
    ["a fractional number", (m) => (m["number"] = 1.5), /^number is not/],
    ["a kind of no kind", (m) => (m["kind"] = "other"), /^kind is not takeover or epoch/],
    ["text for readers", (m) => (m["readers"] = "x"), /^readers is not a list/],
    ["a reader that is null", (m) => (m["readers"] = [null]), /^readers\[0\] is not an object/],
    [
      "rows below zero",
      (m) => (m["readers"] = [{ operator: "", partition: "", lane: 0, rows: -1 }]),
      /^readers\[0\]\.rows is not/
    ],
    ["an owner without host", (m) => (m["owner"] = { attemptId: "a" }), /^owner\.host is not text/],
    ["a state without names", (m) => (m["state"] = { bytes: 1, crc: 1 }), /^state\.names is not a list/],
    ["an end of no kind", (m) => (m["ended"] = "crashed"), /^ended is not exhausted or drained/],
    ["a ledger that is a list", (m) => (m["ledger"] = []), /^ledger is not an object/],
    ["a plan without operators", (m) => (m["plan"] = {}), /^plan\.operators is not a list/]
  ])("%s", (_what, change, message) => {
    expect(why(change)).toMatch(message)
  })

  it("and what is not JSON, or has columns, or specials of no kind", () => {
    const of = (text: string) => decodeChainBytes(frame("manifest", utf8(text)))
    expect(of("{")).toHaveProperty("why", expect.stringMatching(/not JSON/))
    expect(of('{"a":{"$":0}}')).toHaveProperty("why", expect.stringMatching(/column/))
    expect(of('{"a":{"$":"eval"}}')).toHaveProperty("why", expect.stringMatching(/stands for no value/))
    expect(of('{"$a":1,"b":2}')).toHaveProperty("why", expect.stringMatching(/no key/))
    expect(of("null")).toHaveProperty("why", expect.stringMatching(/not an object/))
    expect(decodeChainBytes(frame("manifest", Uint8Array.of(0xff)))).toHaveProperty("tag", "damaged")
    expect(exactText({ $: 1 })).toBe('{"$$":1}')
  })
})
