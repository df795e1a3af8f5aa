import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { hashValue } from "../../src/model/Hash.ts"
import type { Column } from "../../src/model/Source.ts"
import {
  hashKey,
  KeyDictionary,
  type KeyDelta,
  KeyTable,
  keyProblem,
  type KeyTuple,
  receiverOf,
  TupleIndex
} from "../../src/streams/KeyDictionary.ts"
import { keyText } from "../../src/streams/state/WindowResults.ts"

const hostile: ReadonlyArray<KeyTuple[number]> = [
  "__proto__",
  "",
  "a",
  "1",
  1,
  1n,
  0,
  true,
  false,
  "\ud800",
  "\ud801",
  -1.5,
  Infinity,
  2n ** 80n,
  "true",
  "constructor"
]

/** Sends chunks of keys through a dictionary to tables, and checks that every row arrives under its key. */
class Link {
  readonly dictionary: KeyDictionary
  readonly tables: ReadonlyArray<KeyTable>
  readonly edge: number
  generations = new Set<number>()

  constructor(columns: number, entriesMax: number, tables: ReadonlyArray<KeyTable>, edge: number) {
    this.dictionary = new KeyDictionary(columns, tables.length, entriesMax)
    this.tables = tables
    this.edge = edge
  }

  /** Rows of receivers in `unsent` are all refused, and not sent. Returns the keys that arrived, and should have. */
  send(
    keys: ReadonlyArray<KeyTuple>,
    unsent: ReadonlySet<number> = new Set()
  ): { readonly got: ReadonlyArray<KeyTuple>; readonly wanted: ReadonlyArray<KeyTuple> } {
    const { dictionary } = this
    const got: Array<KeyTuple> = []
    const wanted: Array<KeyTuple> = []
    dictionary.renew()
    const width = keys[0]?.length ?? 0
    const columns: ReadonlyArray<Column> = Array.from({ length: width }, (_, c) => keys.map((key) => key[c]))
    const entries = new Int32Array(keys.length)
    dictionary.entriesOf(columns, keys.length, entries)
    for (let receiver = 0; receiver < this.tables.length; receiver++) {
      const mine = [...entries].flatMap((entry, i) => (dictionary.receivers[entry] === receiver ? [i] : []))
      if (mine.length === 0 || unsent.has(receiver)) continue
      const delta: KeyDelta = dictionary.takeDelta(receiver)
      this.generations.add(delta.generation)
      const ids = this.tables[receiver].learn(this.edge, delta)
      for (const i of mine) {
        got.push(this.tables[receiver].keyOf(ids[dictionary.numbers[entries[i]]]))
        wanted.push(keys[i])
      }
    }
    return { got, wanted }
  }
}

describe("A7: keys through an exchange", () => {
  it("every row arrives under its key, at one receiver, through any number of generations and refused rows", () => {
    const key = fc.constantFrom(...hostile)
    const tuples = fc
      .integer({ min: 1, max: 3 })
      .chain((width) =>
        fc.array(
          fc.tuple(
            fc.array(fc.array(key, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 8 }),
            fc.subarray([0, 1])
          ),
          { maxLength: 12 }
        )
      )
    fc.assert(
      fc.property(tuples, fc.integer({ min: 1, max: 5 }), (chunks, entriesMax) => {
        const width = chunks[0]?.[0][0].length ?? 1
        const link = new Link(width, entriesMax, [new KeyTable(width), new KeyTable(width)], 0)
        for (const [keys, unsent] of chunks) {
          const { got, wanted } = link.send(keys, new Set(unsent))
          expect(got).toEqual(wanted)
        }
      }),
      { numRuns: 300 }
    )
  })

  it("a sender forgets after so many keys; a receiver frees those of the generation before", () => {
    const table = new KeyTable(1)
    const link = new Link(1, 4, [table], 0)
    for (let i = 0; i < 40; i++) link.send([[`k${i}`]])
    expect(link.generations.size).toBe(10)
    // what is left is the last generation's
    expect(table.size).toBe(4)
  })

  it("a key that state refers to outlives the generations of its senders, with its id", () => {
    const table = new KeyTable(1)
    const link = new Link(1, 2, [table], 0)
    link.send([["held"]])
    const id = table.idOf(["held"])
    table.retain(id)
    for (let i = 0; i < 10; i++) link.send([[`k${i}`]])
    expect(table.keyOf(id)).toEqual(["held"])
    expect(table.idOf(["held"])).toBe(id)
    table.release(id)
    expect(table.size).toBeLessThanOrEqual(2)
    // a freed id is used again
    expect(table.idOf(["new"])).toBeLessThan(6)
  })

  it("two senders share the ids of one receiver, and free them when both have forgotten", () => {
    const table = new KeyTable(1)
    const links = [new Link(1, 2, [table], 0), new Link(1, 2, [table], 1)]
    for (const link of links) link.send([["a"], ["b"]])
    expect(table.size).toBe(2)
    links[0].send([["c"]])
    expect(table.size).toBe(3)
    links[1].send([["c"]])
    expect(table.size).toBe(1)
  })

  it("keys of refused rows that were never sent are forgotten with their generation", () => {
    const table = new KeyTable(1)
    const link = new Link(1, 1, [table], 0)
    link.send([["refused"]], new Set([0]))
    link.send([["sent"]])
    link.send([["other"]])
    expect(table.size).toBe(1)
  })
})

describe("keys", () => {
  it("null, NaN, objects and the like are none; every other value is, and each differs from all others", () => {
    for (const value of [null, undefined, Number.NaN, {}, [], Symbol("x"), () => 1])
      expect(keyProblem(value)).toBeDefined()
    const index = new TupleIndex(1)
    hostile.forEach((value, i) => {
      expect(keyProblem(value)).toBeUndefined()
      expect(index.get([value])).toBe(-1)
      index.set([value], i)
    })
    hostile.forEach((value, i) => expect(index.get([value])).toBe(i))
    expect(index.get([-0])).toBe(hostile.indexOf(0))
    expect(new Set(hostile.map((value) => keyText([value]))).size).toBe(hostile.length)
  })

  it("tuples that read alike when joined are different keys, and have different texts (A1)", () => {
    const tuples: ReadonlyArray<KeyTuple> = [
      ["a", "b:c"],
      ["a:b", "c"],
      ["a\u0000string:b", "c"],
      ["a", "b\u0000string:c"],
      ["1", 1],
      [1, "1"],
      ["number:1", "x"]
    ]
    const index = new TupleIndex(2)
    tuples.forEach((tuple, i) => index.set(tuple, i))
    tuples.forEach((tuple, i) => expect(index.get(tuple)).toBe(i))
    const singles: ReadonlyArray<KeyTuple> = [["number:1"], [1], ['\u0000["number:1"]'], [1n], ["1n"]]
    expect(new Set([...tuples, ...singles].map(keyText)).size).toBe(tuples.length + singles.length)
  })

  it("a tuple that is deleted leaves nothing behind, and its neighbours stay", () => {
    const index = new TupleIndex(3)
    index.set(["a", 1, true], 0)
    index.set(["a", 1, false], 1)
    index.delete(["a", 1, true])
    expect(index.get(["a", 1, true])).toBe(-1)
    expect(index.get(["a", 1, false])).toBe(1)
    const none = new TupleIndex(0)
    none.set([], 7)
    expect(none.get([])).toBe(7)
    none.delete([])
    expect(none.get([])).toBe(-1)
  })

  it("C11: key groups go to receivers in equal runs, and a key always to the same", () => {
    for (const parallelism of [1, 2, 3, 7, 128]) {
      const counts = new Array<number>(parallelism).fill(0)
      for (let group = 0; group < 128; group++) counts[receiverOf(group, parallelism)]++
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
    }
    for (const value of hostile) expect(hashKey([value, "x"])).toBe(hashKey([value, "x"]))
    expect(hashKey([0])).toBe(hashKey([-0]))
  })

  it("C11: the hash of a key chains the hashes of its columns, as Hash.ts says", () => {
    const tuples: ReadonlyArray<KeyTuple> = [[], ...hostile.map((v) => [v]), hostile, hostile.toReversed()]
    for (const tuple of tuples) expect(hashKey(tuple)).toBe(tuple.reduce((h: number, v) => hashValue(v, h), 0))
    expect(hashKey(["a", "b"])).not.toBe(hashKey(["b", "a"]))
  })

  it("C11: golden keys: where state lives must never change", () => {
    const golden: ReadonlyArray<readonly [tuple: KeyTuple, hash: number, of4: number, of7: number]> = [
      [[], 0x00000000, 0, 0],
      [[""], 0x9e53e827, 1, 2],
      [["a"], 0x6dab3ad3, 2, 4],
      [["Zürich"], 0x6b605c51, 2, 4],
      [["\ud800"], 0xe6f53470, 3, 6],
      [["__proto__"], 0x204ba8b6, 1, 2],
      [["1"], 0x4bf01eb7, 1, 3],
      [[1], 0x45a74d2c, 1, 2],
      [[1n], 0xd37bac71, 3, 6],
      [[true], 0x41c92b59, 2, 4],
      [[false], 0x8571a6e2, 3, 5],
      [[-1.5], 0x0be70512, 0, 0],
      [[Infinity], 0xeaf7418c, 0, 0],
      [[2n ** 80n], 0x81420b68, 3, 5],
      [["a", "b"], 0xf2dd5d57, 2, 4],
      [["b", "a"], 0x1b38e087, 0, 0],
      [["ab", ""], 0x3411e0d9, 2, 4],
      [["DE", 7, true, -1n], 0x957e0229, 1, 2]
    ]
    for (const [tuple, hash, of4, of7] of golden) {
      const label = tuple.map((v) => `${typeof v} ${String(v)}`).join(", ")
      expect(hashKey(tuple), label).toBe(hash)
      expect([receiverOf(hash, 1), receiverOf(hash, 4), receiverOf(hash, 7)], label).toEqual([0, of4, of7])
    }
  })
})
