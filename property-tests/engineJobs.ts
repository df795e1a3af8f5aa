/**
 * Random queries for the laws of the engine: topologies, rows whose times fall on edges (k * slide and 1 beside it,
 * exactly a gap, exactly the watermark, exactly too late), hostile keys, ways to run them.
 */
import * as fc from "fast-check"
import type { Manner } from "../test/engine/run.ts"
import type { Dedupe, Job, Late, Partition, Row, Step, Windows } from "../test/oracle/Job.ts"

/** Where the next row of a partition stands. */
interface Move {
  readonly to: "edge" | "near" | "gap" | "watermark" | "lateness" | "back" | "bad"
  readonly k: number
  readonly d: number
  readonly pick: number
}

const move: fc.Arbitrary<Move> = fc.record({
  to: fc.oneof(
    { weight: 4, arbitrary: fc.constant<Move["to"]>("edge") },
    { weight: 4, arbitrary: fc.constant<Move["to"]>("near") },
    { weight: 2, arbitrary: fc.constant<Move["to"]>("gap") },
    { weight: 2, arbitrary: fc.constant<Move["to"]>("watermark") },
    { weight: 2, arbitrary: fc.constant<Move["to"]>("lateness") },
    { weight: 1, arbitrary: fc.constant<Move["to"]>("back") },
    { weight: 1, arbitrary: fc.constant<Move["to"]>("bad") }
  ),
  k: fc.integer({ min: -2, max: 5 }),
  d: fc.integer({ min: -1, max: 1 }),
  pick: fc.nat(1000)
})

const windows: fc.Arbitrary<Windows> = fc.oneof(
  { weight: 3, arbitrary: timeWindows() },
  { weight: 3, arbitrary: overlapping() },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("session" as const), gap: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 1, arbitrary: fc.constant<Windows>({ kind: "global" }) }
)

function timeWindows(): fc.Arbitrary<Windows> {
  return fc
    .record({ size: fc.integer({ min: 1, max: 12 }), slide: fc.integer({ min: 1, max: 14 }), offset: fc.nat(13) })
    .map(({ size, slide, offset }): Windows => ({ kind: "time", size, slide, offset: offset % slide }))
}

/** Each time in several windows, whose slices are shorter than their slide, or as long. */
function overlapping(): fc.Arbitrary<Windows> {
  return fc
    .record({ slide: fc.integer({ min: 2, max: 6 }), times: fc.integer({ min: 2, max: 4 }), more: fc.nat(2) })
    .map(({ slide, times, more }): Windows => ({ kind: "time", size: slide * times + more, slide, offset: 0 }))
}

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("keep" as const), modulo: fc.constant(4), rest: fc.nat(3) }),
  fc.record({ kind: fc.constant("plus" as const), by: fc.integer({ min: -3, max: 3 }) }),
  fc.record({ kind: fc.constant("split" as const), copies: fc.integer({ min: 1, max: 2 }) }),
  fc.record({
    kind: fc.constant("effect" as const),
    concurrency: fc.integer({ min: 1, max: 4 }),
    ordered: fc.boolean(),
    failRest: fc.nat(4)
  })
)
const simple = step.filter((s) => s.kind === "keep" || s.kind === "plus")

const hostileKeys: ReadonlyArray<unknown> = [
  "a",
  "b",
  "__proto__",
  "",
  "constructor",
  0,
  -0,
  1,
  1n,
  "1",
  "number:1",
  true,
  "\ud800",
  -1.5,
  2n ** 70n,
  Number.NaN,
  null,
  undefined,
  Infinity
]
const hostileValues: ReadonlyArray<unknown> = [0, -0, 5, -7, 3n, 2 ** 53 - 1, Number.NaN, "7", null, -Infinity]
const noInstants: ReadonlyArray<unknown> = [Number.NaN, "soon", null, undefined, Infinity, 8.64e15 + 1, {}]

/** What of a job says where its edges are. */
interface Shape {
  readonly windows: Windows | undefined
  readonly bound: number
  readonly lateness: number
  readonly hostile: boolean
  /** Rows are functions of (id, event time), so that copies are copies. */
  readonly copies: boolean
  readonly explicit: boolean
}

const timeOf = (shape: Shape, m: Move, last: number, watermark: number): unknown => {
  const w = shape.windows
  const step = w?.kind === "time" ? w.slide : w?.kind === "session" ? w.gap : 5
  const size = w?.kind === "time" ? w.size : step
  const offset = w?.kind === "time" ? w.offset : 0
  const known = watermark === -Infinity ? last : watermark
  switch (m.to) {
    case "edge":
      return offset + (Math.floor(last / step) + m.k) * step + m.d
    case "near":
      return last + m.k
    case "gap":
      return last + step + m.d
    case "watermark":
      return known + m.d
    case "lateness":
      // The last window over a time ends at most `size` after it: the edge of being late for all, or for some.
      return known - shape.lateness - (m.pick % (size + 1)) + m.d
    case "back":
      return last - 3 * step + m.d
    case "bad":
      return noInstants[m.pick % noInstants.length]
  }
}

const rowsOf = (shape: Shape, moves: ReadonlyArray<Move>, start: number, firstId: number): ReadonlyArray<Row> => {
  let last = start
  let highest = -Infinity
  let before: Row | undefined
  return moves.map((m, i): Row => {
    if (shape.copies && before !== undefined && m.pick % 4 === 0) return before
    const watermark = shape.explicit ? highest : highest - shape.bound
    const at = timeOf(shape, m, last, watermark)
    const mark = typeof at === "number" && Number.isSafeInteger(at) ? at - (m.pick % 4) : -1000
    if (typeof at === "number" && Math.abs(at) < 1e9) {
      last = at
      highest = Math.max(highest, shape.explicit ? mark : at)
    }
    const id = shape.copies ? m.pick % 6 : firstId + i
    const by = shape.copies && typeof at === "number" ? id * 31 + Math.floor(at) : m.pick
    const of = Math.abs(by) % 1000
    if (shape.hostile) {
      const key = hostileKeys[of % hostileKeys.length]
      const v = of % 3 === 0 ? hostileValues[of % hostileValues.length] : of
      return { id, at, key, v, mark }
    }
    before = { id, at, key: "abc"[of % 3], v: of % 50, mark }
    return before
  })
}

/** The least clock guard there is. */
const skewMs = 1000

/** When the broker took the row: at its time, or as long before as the clock guard allows, give or take a moment. */
const appendTimeOf = (row: Row, m: Move): number => {
  const at = typeof row.at === "number" && Math.abs(row.at) < 1e9 ? row.at : 0
  return m.pick % 3 === 0 ? at - skewMs - m.d : at
}

const shapes = fc.record({
  windows: fc.option(windows, { nil: undefined, freq: 8 }),
  bound: fc.integer({ min: 0, max: 8 }),
  lateness: fc.oneof(
    { weight: 3, arbitrary: fc.constant(0) },
    { weight: 2, arbitrary: fc.integer({ min: 1, max: 9 }) }
  ),
  kind: fc.constantFrom("hostile" as const, "stepped" as const, "dedupe" as const, "plain" as const),
  explicit: fc.boolean()
})

/** How large jobs are at most. */
export interface JobSize {
  readonly rowsMax: number
  readonly partitionsMin: number
  readonly partitionsMax: number
}

const movesOf = (size: JobSize): fc.Arbitrary<ReadonlyArray<ReadonlyArray<ReadonlyArray<Move>>>> => {
  const { rowsMax: maxLength, partitionsMin, partitionsMax } = size
  const partition = fc.array(move, maxLength > 20 ? { maxLength, size: "max" } : { maxLength })
  const partitions = fc.array(partition, { minLength: partitionsMin, maxLength: partitionsMax })
  return fc.array(partitions, { minLength: 1, maxLength: 2 })
}

const dedupes: fc.Arbitrary<Dedupe> = fc.record({
  late: fc.constantFrom<Dedupe["late"]>("forward", "drop", "output"),
  lateness: fc.integer({ min: 0, max: 3 })
})

/** Jobs of any shape. */
export const jobs = (size: JobSize): fc.Arbitrary<Job> =>
  fc
    .record({
      shape: shapes,
      moves: movesOf(size),
      before: fc.array(step, { maxLength: 2 }),
      after: fc.array(step, { maxLength: 2 }),
      branches: fc.option(fc.tuple(fc.array(simple, { maxLength: 1 }), fc.array(simple, { maxLength: 1 })), {
        freq: 3
      }),
      dedupe: dedupes,
      keyed: fc.boolean(),
      late: fc.constantFrom<Late>("drop", "output"),
      chained: fc.option(fc.integer({ min: 1, max: 20 }), { nil: undefined, freq: 3 }),
      early: fc.boolean(),
      appended: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) })
    })
    .map(({ shape: s, moves, before, after, branches, dedupe, keyed, late, chained, early, appended }): Job => {
      const timed = s.windows?.kind === "time"
      const lateness = timed ? s.lateness : 0
      const shape: Shape = {
        windows: s.windows,
        bound: s.bound,
        lateness,
        hostile: s.kind === "hostile",
        copies: s.kind === "dedupe",
        explicit: s.explicit
      }
      const sources = moves.map((partitions, source) =>
        partitions.map((of, p): Partition => {
          const rows = rowsOf(shape, of, p * 3, source * 1000 + p * 100)
          return appended ? { rows, appendTimes: rows.map((row, i) => appendTimeOf(row, of[i])) } : { rows }
        })
      )
      const chains = s.windows !== undefined && lateness === 0 && s.kind !== "hostile" && chained !== undefined
      return {
        sources,
        before: s.kind === "stepped" ? before : [],
        watermark: s.explicit ? "explicit" : s.bound,
        ...(appended ? { maxFutureSkew: skewMs } : {}),
        after: s.kind === "stepped" ? after : [],
        ...(s.kind === "stepped" && branches !== null ? { branches } : {}),
        ...(s.kind === "dedupe" ? { dedupe: { ...dedupe, lateness: Math.min(dedupe.lateness, lateness) } } : {}),
        keyed: keyed || s.kind === "hostile",
        ...(s.windows === undefined ? {} : { windows: s.windows }),
        lateness,
        ...(timed && early && !chains ? { early } : {}),
        late,
        ...(chains ? { chained } : {})
      }
    })

/** A small job of any shape. */
export const job: fc.Arbitrary<Job> = jobs({ rowsMax: 14, partitionsMin: 0, partitionsMax: 3 })

/** Modes that a job's results may be written in (A4). */
export const modesOf = (j: Job): ReadonlyArray<Manner["mode"]> =>
  j.windows === undefined || j.lateness > 0 || j.early === true
    ? ["update", "complete"]
    : ["append", "update", "complete"]

/** Three manners that differ in everything that results must not depend on. */
export const manners = (j: Job): fc.Arbitrary<ReadonlyArray<Manner>> => {
  const seed = fc.integer({ min: 1, max: 1 << 30 })
  const mode = fc.constantFrom(...modesOf(j))
  const manner = (chunkRows: number, parallelism: number): fc.Arbitrary<Manner> =>
    fc.record({
      chunkRows: fc.constant(chunkRows),
      parallelism: fc.constant(parallelism),
      epochMs: fc.constantFrom(1, 1000),
      columns: fc.boolean(),
      pace: fc.oneof(fc.constant(0), seed),
      order: fc.oneof(fc.constant(0), seed),
      mode
    })
  return fc.tuple(manner(1, 3), manner(7, 2), manner(1024, 1))
}

/** How often a law is tried: as said, or as `TIDEMARK_RUNS` says, for a long search by hand. */
export const runs = (usual: number): number => Number(process.env["TIDEMARK_RUNS"] ?? usual)
