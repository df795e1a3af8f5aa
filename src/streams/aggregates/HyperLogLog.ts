/**
 * A HyperLogLog sketch (Flajolet et al. 2007; sparse form of Heule et al. 2013; estimator of Ertl 2017).
 *
 * How many different hashes it was given, from at most 16 KiB: 2^14 registers, standard error 1.04 / sqrt(2^14) =
 * 0.81 %, at any size (Ertl's estimator needs no bias tables and has no seam). While there are few, it keeps the first
 * 25 bits of each hash and the rank of the rest, and counts those: exact but for collisions (about n^2 / 2^26 too few).
 * The state is a function of the set of hashes alone, so the order of adds and merges is nothing to the result.
 */
const indexBits = 14
const registers = 1 << indexBits
/** Bytes of the dense form: one a register. */
export const denseBytes = registers
const sparseBits = 25
const sparseSize = 1 << sparseBits
/** Bits of the sparse index below the register's index. */
const belowBits = sparseBits - indexBits
const belowMask = (1 << belowBits) - 1
const rankBits = 6
const rankMask = (1 << rankBits) - 1
/** Greatest rank: of the 64 - 14 bits below the index, all zero. */
const rankMax = 64 - indexBits + 1
/** Entries up to which the sparse form is kept: its table, three quarters full, is then as large as the dense form. */
export const sparseEntriesMax = 3071

/** One sketch. Sparse while `dense` is undefined: an open-addressed table of (25-bit index, rank), 0 is free. */
export interface HyperLogLog {
  table: Int32Array
  entries: number
  dense: Uint8Array | undefined
}

const noTable = new Int32Array(0)

/** A sketch of nothing. */
export const makeHyperLogLog = (): HyperLogLog => ({ table: noTable, entries: 0, dense: undefined })

const insertInto = (table: Int32Array, entry: number): boolean => {
  const mask = table.length - 1
  const index = entry >>> rankBits
  let i = index & mask
  while (table[i] !== 0) {
    if (table[i] >>> rankBits === index) {
      if (entry > table[i]) table[i] = entry
      return false
    }
    i = (i + 1) & mask
  }
  table[i] = entry
  return true
}

const toDense = (h: HyperLogLog): void => {
  const dense = new Uint8Array(registers)
  for (const entry of h.table) if (entry !== 0) raise(dense, entry)
  h.dense = dense
  h.table = noTable
  h.entries = 0
}

const raise = (dense: Uint8Array, entry: number): void => {
  const index = entry >>> rankBits
  const below = index & belowMask
  const rank = below === 0 ? belowBits + (entry & rankMask) : Math.clz32(below) - (32 - belowBits) + 1
  const register = index >>> belowBits
  if (rank > dense[register]) dense[register] = rank
}

const addEntry = (h: HyperLogLog, entry: number): void => {
  if (h.dense !== undefined) {
    raise(h.dense, entry)
    return
  }
  if ((h.entries + 1) * 4 > h.table.length * 3) {
    const table = new Int32Array(Math.max(8, h.table.length * 2))
    for (const e of h.table) if (e !== 0) insertInto(table, e)
    h.table = table
  }
  if (insertInto(h.table, entry)) h.entries++
  if (h.entries > sparseEntriesMax) toDense(h)
}

/** Adds a hash of 64 bits: its high and its low half. */
export const addHash = (h: HyperLogLog, high: number, low: number): void => {
  const rest = high & 0x7f
  const rank = rest !== 0 ? Math.clz32(rest) - 24 : 8 + Math.clz32(low)
  addEntry(h, ((high >>> (32 - sparseBits)) << rankBits) | rank)
}

/** Adds everything `other` was given. `other` does not change. */
export const mergeHyperLogLog = (h: HyperLogLog, other: HyperLogLog): void => {
  for (const entry of other.table) if (entry !== 0) addEntry(h, entry)
  if (other.dense === undefined) return
  if (h.dense === undefined) toDense(h)
  const dense = h.dense ?? new Uint8Array(registers)
  for (let i = 0; i < registers; i++) if (other.dense[i] > dense[i]) dense[i] = other.dense[i]
}

const sigma = (share: number): number => {
  let x = share
  let y = 1
  let z = x
  for (let before = -1; before !== z; y += y) {
    x *= x
    before = z
    z += x * y
  }
  return z
}

const tau = (share: number): number => {
  if (share === 0 || share === 1) return 0
  let x = share
  let y = 1
  let z = 1 - x
  for (let before = -1; before !== z;) {
    x = Math.sqrt(x)
    before = z
    y *= 0.5
    z -= (1 - x) ** 2 * y
  }
  return z / 3
}

/** Ertl, "New cardinality estimation algorithms for HyperLogLog sketches", algorithm 6. */
const estimateDense = (dense: Uint8Array): number => {
  const histogram = new Float64Array(rankMax + 1)
  for (let i = 0; i < registers; i++) histogram[dense[i]] += 1
  let z = registers * tau(1 - histogram[rankMax] / registers)
  for (let rank = rankMax - 1; rank >= 1; rank--) z = 0.5 * (z + histogram[rank])
  z += registers * sigma(histogram[0] / registers)
  return (registers * registers) / (2 * Math.LN2 * z)
}

/** The estimate, a whole number. */
export const estimate = (h: HyperLogLog): number =>
  Math.round(h.dense === undefined ? -sparseSize * Math.log1p(-h.entries / sparseSize) : estimateDense(h.dense))
