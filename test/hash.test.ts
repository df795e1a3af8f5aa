import { describe, expect, it } from "vitest"
import { type Hashable, hashPair, hashValue } from "../src/model/Hash.ts"

/** MurmurHash3 x86 32 as published, byte by byte in bigints: an oracle that shares no code with the one under test. */
const murmur3 = (bytes: Uint8Array, seed: number): number => {
  const mask = 0xffffffffn
  const mul = (a: bigint, b: bigint): bigint => (a * b) & mask
  const rotl = (a: bigint, n: bigint): bigint => ((a << n) | (a >> (32n - n))) & mask
  const scramble = (k: bigint): bigint => mul(rotl(mul(k, 0xcc9e2d51n), 15n), 0x1b873593n)
  let h = BigInt(seed) & mask
  const tail = bytes.length & 3
  for (let i = 0; i < bytes.length - tail; i += 4) {
    const k =
      BigInt(bytes[i]) | (BigInt(bytes[i + 1]) << 8n) | (BigInt(bytes[i + 2]) << 16n) | (BigInt(bytes[i + 3]) << 24n)
    h = (mul(rotl(h ^ scramble(k), 13n), 5n) + 0xe6546b64n) & mask
  }
  let k = 0n
  for (let i = 0; i < tail; i++) k |= BigInt(bytes[bytes.length - tail + i]) << BigInt(8 * i)
  if (tail > 0) h ^= scramble(k)
  h ^= BigInt(bytes.length)
  h = mul(h ^ (h >> 16n), 0x85ebca6bn)
  h = mul(h ^ (h >> 13n), 0xc2b2ae35n)
  return Number(h ^ (h >> 16n))
}

const utf16 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "utf16le"))
const double = (x: number): Uint8Array => {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleLE(x)
  return new Uint8Array(bytes)
}
const int64 = (x: bigint): Uint8Array => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64LE(x)
  return new Uint8Array(bytes)
}

describe("hashValue", () => {
  it("the oracle is MurmurHash3: vectors that others publish", () => {
    const ascii = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))
    expect(murmur3(ascii(""), 1)).toBe(0x514e28b7)
    expect(murmur3(ascii("test"), 0)).toBe(0xba6bd213)
    expect(murmur3(ascii("Hello, world!"), 0x9747b28c)).toBe(0x24884cba)
    expect(murmur3(ascii("The quick brown fox jumps over the lazy dog"), 0x9747b28c)).toBe(0x2fa826cd)
  })

  it("is MurmurHash3 of the documented encoding, for every type", () => {
    for (const text of ["", "a", "ab", "abc", "Zürich", "\ud83d\ude00", "\ud800", "__proto__", "x".repeat(1001)]) {
      expect(hashValue(text)).toBe(murmur3(utf16(text), 0x53))
      expect(hashValue(text, 77)).toBe(murmur3(utf16(text), 77 ^ 0x53))
    }
    for (const x of [0, 1, -1, 0.1, 2 ** 53, -1e300, 5e-324, Infinity, -Infinity]) {
      expect(hashValue(x)).toBe(murmur3(double(x), 0x4e))
    }
    for (const x of [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n)]) expect(hashValue(x)).toBe(murmur3(int64(x), 0x49))
    for (const x of [2n ** 63n, -(2n ** 63n) - 1n, 10n ** 60n])
      expect(hashValue(x)).toBe(murmur3(utf16(x.toString(16)), 0x57))
    expect(hashValue(true)).toBe(murmur3(Uint8Array.of(1, 0, 0, 0), 0x42))
    expect(hashValue(null)).toBe(murmur3(Uint8Array.of(), 0x30))
  })

  it("C11: golden values: a change moves keys between groups of existing checkpoints", () => {
    const golden: ReadonlyArray<readonly [Hashable, number]> = [
      ["", 2656299047],
      ["Books", 2470879425],
      ["Zürich", 1801477201],
      ["transaction-000123", 3011405869],
      [0, 1302124970],
      [1, 1168592172],
      [-1, 1181684256],
      [0.1, 577140498],
      [1700000000000, 2692104391],
      [9007199254740993n, 202139451],
      [1000000000000000000000000000000n, 1767421385],
      [true, 1103702873],
      [false, 2238818018],
      [null, 3365116440],
      [undefined, 3771390852]
    ]
    for (const [value, hash] of golden) expect([value, hashValue(value)]).toEqual([value, hash])
  })

  it("equal values have equal hashes: -0 is 0, every NaN is one", () => {
    expect(hashValue(-0)).toBe(hashValue(0))
    const odd = new DataView(new ArrayBuffer(8))
    odd.setBigUint64(0, 0xfff8000000000123n)
    expect(hashValue(odd.getFloat64(0))).toBe(hashValue(Number.NaN))
  })

  it("values of different types differ", () => {
    const values: ReadonlyArray<Hashable> = [
      1,
      1n,
      "1",
      true,
      0,
      0n,
      "0",
      false,
      null,
      undefined,
      "null",
      "",
      2n ** 64n,
      "10000000000000000"
    ]
    expect(new Set(values.map((v) => hashValue(v))).size).toBe(values.length)
  })

  it("C11: spreads keys of every common kind evenly over 128 key groups", () => {
    const kinds: ReadonlyArray<(i: number) => Hashable> = [
      (i) => i,
      (i) => i * 1000,
      (i) => i / 100,
      (i) => `customer-${i}`,
      (i) => String(i).padStart(12, "0"),
      (i) => BigInt(i),
      (i) => 1.7e12 + i * 60_000
    ]
    for (const kind of kinds) {
      const groups = new Float64Array(128)
      const n = 12_800
      for (let i = 0; i < n; i++) groups[hashValue(kind(i)) % 128] += 1
      let chiSquare = 0
      for (const seen of groups) chiSquare += (seen - n / 128) ** 2 / (n / 128)
      // 127 degrees of freedom: beyond 210 is less likely than 1 in 100,000.
      expect(chiSquare).toBeLessThan(210)
    }
  })
})

describe("hashPair", () => {
  it("golden values: a change breaks the sketches of existing checkpoints", () => {
    const golden: ReadonlyArray<readonly [Hashable, number, number]> = [
      ["", 741936627, 357000710],
      ["Books", 72465551, -1214458719],
      ["Zürich", -1908006386, -840217845],
      ["transaction-000123", -2111692655, 828196235],
      [0, 470699179, 858441338],
      [1, -702883451, -171208965],
      [-1, 1874293886, 405549625],
      [0.1, 1257168423, -1282952242],
      [1700000000000, -1807149812, -206602143],
      [9007199254740993n, -599492175, 585884210],
      [1000000000000000000000000000000n, -1348349531, 1298730753],
      [true, -193624604, -1362242520],
      [false, 1378489305, 1254375556],
      [null, -18595314, -1088587479],
      [undefined, -1940599815, 1212739689]
    ]
    const out = new Int32Array(2)
    for (const [value, high, low] of golden) {
      hashPair(value, out)
      expect([value, ...out]).toEqual([value, high, low])
    }
  })

  it("no two of 200,000 values share both halves", () => {
    const out = new Int32Array(2)
    const seen = new Set<bigint>()
    for (let i = 0; i < 100_000; i++) {
      for (const value of [i, `k${i}`]) {
        hashPair(value, out)
        seen.add((BigInt(out[0]) << 32n) | BigInt.asUintN(32, BigInt(out[1])))
      }
    }
    expect(seen.size).toBe(200_000)
  })
})
