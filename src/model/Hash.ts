/**
 * A hash of single values that is the same in every process, on every machine, for ever.
 *
 * Key groups (rule C11) and HyperLogLog sketches are stored in checkpoints and depend on it: changing a bit of it
 * changes where keys live. Golden values in `test/hash.test.ts` hold it fixed. Equal values have equal hashes; values
 * of different types are different (`1`, `1n`, `"1"`, `true`), `-0` is `0`, every NaN is one value.
 *
 * Canonical encoding, each under the tag of its type: text as UTF-16 code units, little endian (lone surrogates count
 * as they are); numbers as IEEE doubles, little endian; booleans as one word; bigints of 64 bits as two's complement,
 * little endian, greater ones as hexadecimal text; null and undefined as the tag alone. `hashValue` is MurmurHash3 x86
 * 32 (Austin Appleby, public domain) over that, seeded by the tag. Not cryptographic: whoever chooses keys can make
 * them collide.
 */

/** What can be hashed: the types of key columns, and the two ways of having no value. */
export type Hashable = string | number | boolean | bigint | null | undefined

const tagString = 0x53
const tagNumber = 0x4e
const tagBoolean = 0x42
const tagBigint = 0x49
const tagWideBigint = 0x57
const tagNull = 0x30
const tagUndefined = 0x55

const words = new DataView(new ArrayBuffer(8))
const isInt64 = (value: bigint): boolean => BigInt.asIntN(64, value) === value

const mixWord = (word: number): number => {
  const k = Math.imul(word, 0xcc9e2d51)
  return Math.imul((k << 15) | (k >>> 17), 0x1b873593)
}

const stepMixed = (h: number, mixed: number): number => {
  const x = h ^ mixed
  return (Math.imul((x << 13) | (x >>> 19), 5) + 0xe6546b64) | 0
}

const step = (h: number, word: number): number => stepMixed(h, mixWord(word))

const avalanche = (h: number): number => {
  let x = h ^ (h >>> 16)
  x = Math.imul(x, 0x85ebca6b)
  x ^= x >>> 13
  x = Math.imul(x, 0xc2b2ae35)
  return x ^ (x >>> 16)
}

const hashText = (text: string, seed: number): number => {
  const n = text.length
  let h = seed
  let i = 0
  for (; i + 1 < n; i += 2) h = step(h, text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16))
  if (i < n) h ^= mixWord(text.charCodeAt(i))
  return avalanche(h ^ (n * 2)) >>> 0
}

/** Both words of the scratch view, which holds the value's eight bytes. */
const hashScratch = (seed: number): number =>
  avalanche(step(step(seed, words.getInt32(0, true)), words.getInt32(4, true)) ^ 8) >>> 0

/**
 * The hash of a value: an unsigned 32-bit integer. `seed` chains hashes, so that the hash of a key of several columns
 * is `columns.reduce((h, value) => hashValue(value, h), 0)`; it is a 32-bit integer too, default 0.
 */
export const hashValue = (value: Hashable, seed = 0): number => {
  switch (typeof value) {
    case "string":
      return hashText(value, seed ^ tagString)
    case "number":
      words.setFloat64(0, value === 0 ? 0 : value !== value ? Number.NaN : value, true)
      return hashScratch(seed ^ tagNumber)
    case "bigint":
      if (!isInt64(value)) return hashText(value.toString(16), seed ^ tagWideBigint)
      words.setBigInt64(0, value, true)
      return hashScratch(seed ^ tagBigint)
    case "boolean":
      return avalanche(step(seed ^ tagBoolean, value ? 1 : 0) ^ 4) >>> 0
    default:
      return avalanche(seed ^ (value === null ? tagNull : tagUndefined)) >>> 0
  }
}

const highSeed = 0x9747b28c
const lowSeed = 0x3c6ef372

const setPair = (a: number, b: number, out: Int32Array): void => {
  const high = avalanche((a + Math.imul(b, 0x9e3779b1)) | 0)
  out[0] = high
  out[1] = avalanche((b + high) | 0)
}

/** `hashText` with both seeds in one pass. */
const pairOfText = (text: string, out: Int32Array): void => {
  const n = text.length
  let a = highSeed ^ tagString
  let b = lowSeed ^ tagString
  let i = 0
  for (; i + 1 < n; i += 2) {
    const mixed = mixWord(text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16))
    a = stepMixed(a, mixed)
    b = stepMixed(b, mixed)
  }
  const rest = i < n ? mixWord(text.charCodeAt(i)) : 0
  setPair(avalanche(a ^ rest ^ (n * 2)), avalanche(b ^ rest ^ (n * 2)), out)
}

/**
 * 64 bits of hash for sketches, as two signed 32-bit integers: `out[0]` is the high half. They are two hashes of the
 * same value with unrelated seeds, mixed into each other.
 */
export const hashPair = (value: Hashable, out: Int32Array): void => {
  if (typeof value === "string") pairOfText(value, out)
  else setPair(hashValue(value, highSeed), hashValue(value, lowSeed), out)
}
