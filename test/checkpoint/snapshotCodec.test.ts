import { isDeepStrictEqual } from "node:util"
import { Effect, Exit, Result } from "effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { TaskStates } from "../../src/checkpoint/Chain.ts"
import { exactPieces, exactText, parseExact } from "../../src/checkpoint/exactJson.ts"
import { frame, frameHeadBytes } from "../../src/checkpoint/Frame.ts"
import { decodeSnapshot, encodeSnapshot, snapshotPieces, turned } from "../../src/checkpoint/SnapshotCodec.ts"
import { Later, type SnapshotValue } from "../../src/model/Snapshot.ts"
import { runs } from "../../property-tests/engineJobs.ts"
import { randomOf } from "../engine/random.ts"

const roundTrip = async (states: TaskStates): Promise<TaskStates> => {
  const { bytes, crc } = await Effect.runPromise(encodeSnapshot(states))
  return Effect.runPromise(decodeSnapshot(bytes, crc))
}

/** Plain values and columns, with what encodings like to lose. */
const value = fc.letrec<{ value: SnapshotValue; leaf: SnapshotValue }>((tie) => ({
  leaf: fc.oneof(
    fc.constantFrom<SnapshotValue>(null, true, false, -0, 0, Number.NaN, Infinity, -Infinity, 2 ** 53, 5e-324, ""),
    fc.double(),
    fc.string({ unit: "binary" }),
    fc.constantFrom("\ud800", "\udfff\ud800", "__proto__", "$", "\u2028"),
    fc.float64Array({ maxLength: 5 }),
    fc.int32Array({ maxLength: 5 }),
    fc.uint8Array({ maxLength: 5 })
  ) as fc.Arbitrary<SnapshotValue>,
  value: fc.oneof(
    { maxDepth: 4 },
    tie("leaf"),
    fc.array(tie("value"), { maxLength: 6 }),
    fc.dictionary(
      fc.oneof(fc.constantFrom("__proto__", "constructor", "toJSON", "$", "$$", "$x", "1", ""), fc.string()),
      tie("value"),
      { maxKeys: 5, noNullPrototype: true }
    )
  )
})).value

describe("C7: snapshots are exact", () => {
  it("whatever plain values and columns they hold", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.string(), value), { maxLength: 4 }), async (entries) => {
        const states = new Map(entries)
        // not `toStrictEqual`, which takes a key named `constructor` for the class
        const back = await roundTrip(states)
        expect(isDeepStrictEqual(back, states), exactText([...back.keys()])).toBe(true)
      }),
      { numRuns: runs(400) }
    )
  })

  it("-0, bigint, undefined, dates and holes come back as they were", async () => {
    const odd = {
      minus: -0,
      big: 12345678901234567890n,
      none: undefined,
      at: new Date(-5),
      never: new Date(NaN),
      a: [-0]
    }
    const holes: Array<unknown> = [1]
    holes[2] = 3
    const back = await roundTrip(new Map([["t", { odd, nested: [[holes]] } as unknown as SnapshotValue]]))
    expect(back.get("t")).toStrictEqual({ odd, nested: [[[1, undefined, 3]]] })
  })

  it("`Later` is evaluated once, while its turn comes", async () => {
    let asked = 0
    const later = new Later(() => {
      asked++
      return { column: Float64Array.of(asked), inner: new Later(() => [-0]) }
    })
    const back = await roundTrip(new Map([["t", [later]]]))
    expect(back.get("t")).toStrictEqual([{ column: Float64Array.of(1), inner: [-0] }])
    expect(asked).toBe(1)
  })

  it("columns are copies of their own, of views too", async () => {
    const buffer = new Float64Array([1, 2, 3, 4])
    const back = await roundTrip(new Map([["t", buffer.subarray(1, 3)]]))
    expect(back.get("t")).toStrictEqual(Float64Array.of(2, 3))
    expect((back.get("t") as Float64Array).buffer.byteLength).toBe(16)
  })

  it("`__proto__` is a plain key, and no prototype is ever set", async () => {
    const hostile = JSON.parse('{"__proto__":{"polluted":-0},"a":{"__proto__":[{"$":1}]}}') as SnapshotValue
    const back = (await roundTrip(new Map([["t", hostile]]))).get("t") as Record<string, unknown>
    expect(Object.keys(back)).toEqual(["__proto__", "a"])
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype)
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined()
    expect(back).toStrictEqual(hostile)
  })

  it("a large state goes through blocks, pieces and compression", async () => {
    const n = 300_000
    const big = {
      keys: Array.from({ length: n }, (_, i) => `key ${i % 977} ${i}`),
      sums: Float64Array.from({ length: n }, (_, i) => i / 7),
      rows: Array.from({ length: 20_000 }, (_, i) => ({ i, z: i % 3 === 0 ? -0 : i, s: "x".repeat(i % 50) }))
    }
    const states = new Map<string, SnapshotValue>([
      ["a", big],
      ["b", "y".repeat(3_000_000)]
    ])
    const { bytes } = await Effect.runPromise(encodeSnapshot(states))
    expect(bytes.length).toBeLessThan(6_000_000)
    expect(await Effect.runPromise(decodeSnapshot(bytes))).toStrictEqual(states)
  })
})

describe("encoding lets others run", () => {
  it("no piece is long, whatever the shape of the value", () => {
    const n = 50_000
    const shapes: ReadonlyArray<SnapshotValue> = [
      Array.from({ length: n }, (_, i) => `k${i}`),
      Array.from({ length: n }, (_, i) => ({ i, s: "abc", f: i / 3 })),
      Array.from({ length: n }, (_, i) => [i, -0, Number.NaN]),
      Object.fromEntries(Array.from({ length: n }, (_, i) => [`k${i}`, i])),
      Array.from({ length: n }, (_, i) => new Later(() => ({ i }))),
      new Float64Array(1_000_000)
    ]
    for (const shape of shapes) {
      const pieces = [...snapshotPieces(new Map([["t", shape]]))]
      expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThanOrEqual(256 << 10)
    }
    // A piece of text ends soon after its bound, however small its parts are.
    const next = exactPieces(shapes[1], () => 0)
    const lengths: Array<number> = []
    for (let piece = next(); piece !== undefined; piece = next()) lengths.push(piece.length)
    expect(Math.max(...lengths)).toBeLessThan(64 << 10)
    expect(lengths.length).toBeGreaterThan(20)
  })

  it("other fibers get their turns meanwhile", async () => {
    let turns = 0
    const others = Effect.forever(
      Effect.andThen(
        Effect.sync(() => turns++),
        Effect.yieldNow
      )
    )
    const states = new Map<string, SnapshotValue>([["t", Array.from({ length: 400_000 }, (_, i) => `key ${i}`)]])
    await Effect.runPromise(Effect.race(encodeSnapshot(states), others))
    expect(turns).toBeGreaterThan(10)
  })
})

describe("what cannot be kept is refused, with task and path", () => {
  const refusal = async (held: unknown): Promise<string> => {
    const result = await Effect.runPromise(Effect.result(encodeSnapshot(new Map([["w[3]", held as SnapshotValue]]))))
    return Result.isFailure(result) ? result.failure.message : "accepted"
  }
  it.each<[string, unknown, RegExp]>([
    ["a function", { a: [1, () => 1] }, /the state of w\[3\]: \.a\[1\]: function is not/],
    ["a symbol", [Symbol("s")], /\[0\]: symbol is not/],
    ["a Map", { m: new Map() }, /\.m: Map is not a plain value/],
    ["an instance of a class", [new (class Thing {})()], /\[0\]: Thing is not a plain value/],
    ["a column of another kind", { c: new Float32Array(1) }, /Float32Array is not a plain value/],
    ["a Later that never ends", [selfLater()], /put off for ever/]
  ])("%s", async (_what, held, message) => {
    expect(await refusal(held)).toMatch(message)
  })

  it("nesting without end", async () => {
    const loop: Array<unknown> = []
    loop.push(loop)
    expect(await refusal(loop)).toMatch(/nested deeper than/)
    let deep: unknown = 1
    for (let i = 0; i < 1_500; i++) deep = [deep]
    expect(await roundTrip(new Map([["t", deep as SnapshotValue]]))).toStrictEqual(new Map([["t", deep]]))
  })
})

function selfLater(): Later {
  const later: Later = new Later(() => later)
  return later
}

describe("C6: a damaged snapshot is refused, never half believed", () => {
  const states = new Map<string, SnapshotValue>([
    ["a[0]", { keys: ["x", "y"], n: Float64Array.of(1, 2, Number.NaN), m: [-0, null] }],
    ["b[0]", Array.from({ length: 2_000 }, (_, i) => ({ i }))]
  ])

  it("every truncation, and every single flipped bit of the first and last bytes", async () => {
    const { bytes, crc } = await Effect.runPromise(encodeSnapshot(states))
    const isRead = (copy: Uint8Array) => Effect.runPromise(Effect.exit(decodeSnapshot(copy, crc))).then(Exit.isSuccess)
    for (let length = 0; length < bytes.length; length += length < 200 ? 1 : 97) {
      expect(await isRead(bytes.subarray(0, length)), `cut to ${length}`).toBe(false)
    }
    for (let bit = 0; bit < bytes.length * 8; bit += bit < 400 ? 1 : 301) {
      const copy = bytes.slice()
      copy[bit >> 3] ^= 1 << (bit & 7)
      expect(await isRead(copy), `bit ${bit}`).toBe(false)
    }
  })

  it("10,000 mutations in sealed frames: plain values or a refusal; no crash, no hang, no class", async () => {
    const { bytes } = await Effect.runPromise(encodeSnapshot(states))
    // A small state is stored as it is, so that mutations reach the sections and the JSON, not only the compression.
    const small = await Effect.runPromise(encodeSnapshot(new Map([["a", states.get("a[0]") as SnapshotValue]])))
    const random = randomOf(7)
    let read = 0
    for (let n = 0; n < runs(10_000); n++) {
      const payload = (n % 20 === 0 ? bytes : small.bytes).slice(frameHeadBytes)
      for (let k = random(4); k >= 0; k--) payload[random(payload.length)] = random(256)
      const cut = random(5) === 0 ? payload.subarray(0, random(payload.length)) : payload
      const result = await Effect.runPromise(Effect.result(decodeSnapshot(frame("snapshot", cut))))
      if (Result.isFailure(result)) {
        if (result.failure.why.length < 5) throw new Error("a refusal without a reason")
        continue
      }
      read++
      for (const held of result.success.values()) expectPlain(held)
    }
    // The seal fits, so changes of plain text get through: the checksum is what protects them.
    expect(read).toBeGreaterThan(10)
  })

  it("a snapshot with another checksum than the manifest names is not taken for it", async () => {
    const { bytes, crc } = await Effect.runPromise(encodeSnapshot(states))
    const result = await Effect.runPromise(Effect.result(decodeSnapshot(bytes, crc ^ 1)))
    expect(Result.isFailure(result) && result.failure.why).toMatch(/not the snapshot that the manifest names/)
  })

  it("a small file that unpacks to much is refused before it does", async () => {
    const head = new Uint8Array(9)
    head[0] = 1
    new DataView(head.buffer).setUint32(1, 0xffff_ffff, true)
    const result = await Effect.runPromise(Effect.result(decodeSnapshot(frame("snapshot", head))))
    expect(Result.isFailure(result) && result.failure.why).toMatch(/block that was never written/)
  })
})

const expectPlain = (held: unknown): void => {
  if (typeof held !== "object" || held === null || ArrayBuffer.isView(held) || held instanceof Date) return
  expect([Object.prototype, Array.prototype]).toContain(Object.getPrototypeOf(held))
  for (const each of Object.values(held)) expectPlain(each)
}

describe("exact JSON", () => {
  it("is JSON for values that JSON can say", () => {
    const plain = { a: [1, "x", null, true], b: { c: -1.5 } }
    expect(exactText(plain)).toBe(JSON.stringify(plain))
  })

  it("reads a deeply nested text without overflowing, and refuses it", () => {
    const deep = "[".repeat(100_000) + "]".repeat(100_000)
    expect(() => parseExact(deep, () => new Uint8Array())).toThrow(/nested deeper/)
    expect(() => parseExact(`{"$":${deep}}`, () => new Uint8Array())).toThrow(/stands for no value/)
  })

  it("turns the bytes of elements round for machines that keep the high byte first", () => {
    expect(turned(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), 4)).toEqual(Uint8Array.of(4, 3, 2, 1, 8, 7, 6, 5))
  })
})
