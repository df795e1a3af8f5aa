/**
 * Feeds: what a source is replaced by in a simulation. Rows are random, and fall where something happens in the plan: on
 * the edges of windows and 1 ms beside them, exactly a gap apart, exactly at the watermark.
 */
import type * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import type { OptionProblem } from "../model/Errors.ts"
import { eventTimeMs } from "../model/EventTime.ts"
import { durationMs, has, integer, show } from "../model/Options.ts"
import { fieldOf } from "../model/RowChunk.ts"
import type { Source } from "../model/Source.ts"
import type { AnySource } from "../streams/Plan.ts"
import type { Hints } from "./planHints.ts"
import { type RowId, type RowMaker, rowMaker } from "./schemaRows.ts"
import { type Move, move, timeAfter } from "./times.ts"

/**
 * Options of {@link feed}. Rows that are given one by one stay in their order and partitions: `disorder`, `partitions` and
 * `rows` are for random ones, `keys` for those of a Schema.
 */
export interface FeedOptions<in out A, out Meta = unknown> {
  /** How far behind the newest row of its partition a row may be; default: in order. */
  readonly disorder?: Duration.Input
  /** Share of rows that are copies of an earlier one, from 0 to 1; default 0. */
  readonly duplicates?: number
  /** Share of rows that do not decode, from 0 to 1; default 0. */
  readonly poison?: number
  /** How many partitions, 1 to 64; default 1 to 3, and 1 where `process` sees the order of rows. */
  readonly partitions?: number
  /** Most rows of a partition, 1 to 10,000; default 20. */
  readonly rows?: number
  /** The field of the event time, where `withEventTime` has a function; default the one that it names. */
  readonly eventTime?: keyof A & string
  /** Distinct values of key fields that are strings, 1 to 10,000; default 3, with hostile ones beside them. */
  readonly keys?: number
  /** What the connector would know of a row, for `from(source, (row, meta) => ...)`; default partition and offset. */
  readonly meta?: (at: { readonly partition: string; readonly offset: number; readonly row: A }) => Meta
}

/** Where rows come from: a Schema of them, an `Arbitrary` of fast-check, or the rows themselves, partition by partition. */
export type Rows<A> = Schema.Schema<A> | fc.Arbitrary<A> | ReadonlyArray<ReadonlyArray<A>>

/** One partition of a history. */
export interface FeedPartition {
  readonly rows: ReadonlyArray<unknown>
  /** Indexes of rows that do not decode. */
  readonly poison: ReadonlyArray<number>
  readonly appendTimes?: ReadonlyArray<number>
}

/** Which of the feeds of a query it is. */
export interface FeedPlace {
  readonly feed: number
  readonly feeds: number
}

/** A feed, made by {@link feed}. */
export interface Feed {
  readonly source: AnySource
  readonly meta:
    | ((at: { readonly partition: string; readonly offset: number; readonly row: never }) => unknown)
    | undefined
  /** Random partitions for a plan; adds what is wrong to `problems`. */
  readonly partitions: (
    hints: Hints,
    problems: Array<OptionProblem>,
    place: FeedPlace
  ) => fc.Arbitrary<ReadonlyArray<FeedPartition>>
}

/**
 * Replaces a source of the topology by rows. `source` is the very value that the topology reads; what is wrong with rows or
 * options fails `check` with `InvalidOptions`.
 */
export const feed = <A, Meta, E, R>(
  source: Source<A, Meta, E, R>,
  rows: Rows<NoInfer<A>>,
  options: FeedOptions<NoInfer<A>, NoInfer<Meta>> = {}
): Feed => ({
  source: source as unknown as AnySource,
  meta: options.meta as Feed["meta"],
  partitions: (hints, problems, place) => {
    const settings = settingsOf(options as unknown as FeedOptions<never>, hints, problems)
    if (isArbitrary(rows)) return anyRows(rows, settings, hints)
    if (Array.isArray(rows) && rows.every((partition) => Array.isArray(partition)))
      return givenRows(rows as ReadonlyArray<ReadonlyArray<unknown>>, settings, hints)
    if (Schema.isSchema(rows)) return schemaRows(rows, settings, hints, problems, place)
    const fix = "must be a Schema, an Arbitrary of fast-check, or rows by partition: [[row, row], [row]]"
    problems.push({ option: "feed.rows", value: show(rows), fix })
    return fc.constant([])
  }
})

interface Settings {
  readonly disorderMs: number
  readonly duplicates: number
  readonly poison: number
  readonly partitions: { readonly minLength: number; readonly maxLength: number }
  readonly rowsMax: number
  readonly keys: number
  readonly timeField: string | undefined
}

const rowsMaxDefault = 20
const partitionsMaxDefault = 3

const settingsOf = (
  o: FeedOptions<never>,
  { time, isOrderSeen, source }: Hints,
  problems: Array<OptionProblem>
): Settings => {
  const share = (option: string, value: number | undefined): number => {
    if (value === undefined) return 0
    if (typeof value === "number" && value >= 0 && value <= 1) return value
    problems.push({ option: `feed.${option}`, value: show(value), fix: "must be a share from 0 to 1" })
    return 0
  }
  const int = (option: string, value: number | undefined, standard: number, max: number): number =>
    value === undefined ? standard : integer(`feed.${option}`, value, problems, { min: 1, max })
  const count = int("partitions", o.partitions, 0, 64)
  const timeField: string | undefined = o.eventTime ?? time?.field
  if (time !== undefined && timeField === undefined) {
    const fix = 'is told by a function in the plan: say which field it is, eventTime: "timestamp"'
    problems.push({ option: "feed.eventTime", value: source.name, fix })
  }
  return {
    disorderMs: o.disorder === undefined ? 0 : durationMs("feed.disorder", o.disorder, problems, { min: 0 }),
    duplicates: share("duplicates", o.duplicates),
    poison: share("poison", o.poison),
    partitions:
      count > 0
        ? { minLength: count, maxLength: count }
        : { minLength: 1, maxLength: isOrderSeen ? 1 : partitionsMaxDefault },
    rowsMax: int("rows", o.rows, rowsMaxDefault, 10_000),
    keys: int("keys", o.keys, 3, 10_000),
    timeField
  }
}

const isArbitrary = (u: unknown): u is fc.Arbitrary<unknown> =>
  has(u, "generate", "shrink") && typeof Reflect.get(u, "generate") === "function"

/** Chances in ten thousand, of a share. They come about at the upper end, so that shrinking takes them away. */
const chance = (share: number): fc.Arbitrary<number> =>
  share === 0 ? fc.constant(0) : fc.integer({ min: 0, max: 9_999 })
const isChosen = (n: number, share: number): boolean => share > 0 && n >= 10_000 * (1 - share)

interface Event {
  readonly fields: { readonly [field: string]: unknown }
  readonly move: Move
  readonly copy: number
  readonly bad: number
}

/** How many of the last rows a copy may be one of. */
const copiesBack = 4

const schemaRows = (
  schema: Schema.Top,
  s: Settings,
  hints: Hints,
  problems: Array<OptionProblem>,
  place: FeedPlace
): fc.Arbitrary<ReadonlyArray<FeedPartition>> => {
  const { keyFields, idFields } = hints
  const maker = rowMaker(schema, { timeField: s.timeField, keyFields, idFields, keys: s.keys }, problems)
  if (maker === undefined) return fc.constant([])
  const event: fc.Arbitrary<Event> = fc.record({
    fields: maker.fields,
    move,
    copy: chance(s.duplicates),
    bad: chance(s.poison)
  })
  return fc
    .array(fc.array(event, { maxLength: s.rowsMax, size: "max" }), { ...s.partitions, size: "max" })
    .map((partitions) =>
      partitions.map((events, number) => partitionOf(events, maker, s, hints, idsOf(number, s, place)))
    )
}

/** Ids of the rows of a partition: no other row of the same history has them, whatever feed it is of. */
const idsOf =
  (partition: number, s: Settings, { feed, feeds }: FeedPlace) =>
  (row: number): RowId => ({
    text: feeds === 1 ? `${partition}-${row}` : `${feed}-${partition}-${row}`,
    number: (row * s.partitions.maxLength + partition) * feeds + feed
  })

const partitionOf = (
  events: ReadonlyArray<Event>,
  maker: RowMaker,
  s: Settings,
  hints: Hints,
  idOf: (row: number) => RowId
): FeedPartition => {
  const rows: Array<unknown> = []
  const times: Array<number> = []
  const poison: Array<number> = []
  let highest = timeAfter.start
  let last = highest
  events.forEach(({ fields, move: to, copy, bad }, i) => {
    const at = rows.length
    const back = at - 1 - (to.pick % Math.min(copiesBack, Math.max(1, at)))
    const isCopy = isChosen(copy, s.duplicates) && at > 0 && times[back] >= highest - s.disorderMs
    const time = isCopy ? times[back] : timeAfter(to, last, highest, s.disorderMs, hints)
    const row = isCopy ? rows[back] : maker.finish(fields, time, idOf(i))
    if (row === undefined) return
    if (isChosen(bad, s.poison)) poison.push(at)
    rows.push(row)
    times.push(time)
    if (isCopy) return
    last = time
    highest = Math.max(highest, time)
  })
  return { rows, poison, ...appended(times, hints) }
}

/** A broker takes a row when it has happened: not before any row that it took earlier. */
const appended = (times: ReadonlyArray<number>, { needsAppendTimes }: Hints): Partial<FeedPartition> => {
  if (!needsAppendTimes) return {}
  let highest = -Infinity
  return {
    appendTimes: times.map((time) => {
      if (time > highest) highest = time
      return Number.isFinite(highest) ? highest : timeAfter.start
    })
  }
}

const timesOf = (rows: ReadonlyArray<unknown>, field: string | undefined): ReadonlyArray<number> =>
  rows.map((row) => (field === undefined ? Number.NaN : eventTimeMs(fieldOf(row, field))))

const anyRows = (row: fc.Arbitrary<unknown>, s: Settings, hints: Hints): fc.Arbitrary<ReadonlyArray<FeedPartition>> => {
  const event = fc.record({ row, pick: fc.nat(0x3fff_ffff), copy: chance(s.duplicates), bad: chance(s.poison) })
  return fc
    .array(fc.array(event, { maxLength: s.rowsMax, size: "max" }), { ...s.partitions, size: "max" })
    .map((partitions) =>
      partitions.map((events) => {
        const arrivals = timesOf(
          events.map((e) => e.row),
          s.timeField
        ).map((time, i) => time + (events[i].pick % (s.disorderMs + 1)))
        const isTimed = arrivals.every((time) => Number.isFinite(time))
        const order = events.map((_, i) => i)
        if (isTimed) order.sort((a, b) => arrivals[a] - arrivals[b])
        const rows: Array<unknown> = []
        const poison: Array<number> = []
        for (const i of order) {
          if (isChosen(events[i].bad, s.poison)) poison.push(rows.length)
          rows.push(events[i].row)
          if (isChosen(events[i].copy, s.duplicates)) rows.push(events[i].row)
        }
        return { rows, poison, ...appended(timesOf(rows, s.timeField), hints) }
      })
    )
}

/** One row of so many is left out, so that there is something to shrink. */
const leftOut = 40

const givenRows = (
  given: ReadonlyArray<ReadonlyArray<unknown>>,
  s: Settings,
  hints: Hints
): fc.Arbitrary<ReadonlyArray<FeedPartition>> => {
  const kept = (rows: ReadonlyArray<unknown>) =>
    fc.tuple(
      ...rows.map((row) =>
        fc.record({
          row: fc.constant(row),
          stays: fc.integer({ min: 0, max: leftOut }),
          copy: chance(s.duplicates),
          bad: chance(s.poison)
        })
      )
    )
  return fc.tuple(...given.map(kept)).map((partitions) =>
    partitions.map((events) => {
      const rows: Array<unknown> = []
      const poison: Array<number> = []
      for (const { row, stays, copy, bad } of events) {
        if (stays === 0) continue
        if (isChosen(bad, s.poison)) poison.push(rows.length)
        rows.push(row)
        if (isChosen(copy, s.duplicates)) rows.push(row)
      }
      return { rows, poison, ...appended(timesOf(rows, s.timeField), hints) }
    })
  )
}
