/**
 * Keyed operators without fibers, for the laws of snapshots: fleets of instances among which the keys are dealt as the
 * runtime deals them. Random ones are in `snapshotCases.ts`.
 */
import * as Schema from "effect/Schema"
import { RowChunk } from "../src/model/RowChunk.ts"
import type { SnapshotValue } from "../src/model/Snapshot.ts"
import { encodeStored } from "../src/model/StoredValue.ts"
import type { AggregateSpec } from "../src/streams/aggregates/Aggregate.ts"
import { aggregatesFor } from "../src/streams/aggregates/Aggregates.ts"
import { Counters } from "../src/streams/Counters.ts"
import { dealById, KeyedExchange } from "../src/streams/Exchange.ts"
import type { KeyedBatch, KeyedOperator, OperatorOutput } from "../src/streams/KeyedBatch.ts"
import { hashKey, KeyDelta, type KeyTuple, receiverOf } from "../src/streams/KeyDictionary.ts"
import { DedupeState } from "../src/streams/state/DedupeState.ts"
import { GlobalState } from "../src/streams/state/GlobalState.ts"
import { SessionState } from "../src/streams/state/SessionState.ts"
import { timeWindows } from "../src/streams/state/SliceArithmetic.ts"
import { TimeWindowState } from "../src/streams/state/TimeWindowState.ts"

/** An input row: the columns of its key, a number for sums, and anything. */
export interface SnapshotRow {
  readonly k: ReadonlyArray<unknown>
  readonly v: number | bigint
  readonly x: unknown
  readonly t: number
  /** W_p before it. */
  readonly w: number
  readonly ordinal: number
}

/** What an operator is told. */
export type Step =
  | { readonly kind: "rows"; readonly edge: number; readonly rows: ReadonlyArray<SnapshotRow> }
  | { readonly kind: "advance"; readonly watermark: number }
  | { readonly kind: "barrier" }
  /** Senders forget the keys they have told of: from here on only state keeps a key alive. */
  | { readonly kind: "renew" }

/** An operator, as data. */
export type Kind =
  | {
      readonly kind: "time"
      readonly size: number
      readonly slide: number
      readonly lateness: number
      readonly early: boolean
    }
  | { readonly kind: "session"; readonly gap: number }
  | { readonly kind: "global" | "running" }
  | { readonly kind: "dedupe"; readonly horizon: number | undefined; readonly lateness: number }

/** A query of one operator. */
export interface Case {
  readonly operator: Kind
  readonly columns: number
  readonly steps: ReadonlyArray<Step>
}

const { count, sum, avg, min, max, first, last, distinct, approxDistinct, percentile, percentiles, reduce } =
  aggregatesFor<SnapshotRow>()

/** Changes its state in place, hands back `y` of a merge with nothing, and keeps what JSON would change. */
const inPlace = reduce({
  state: Schema.Struct({ seen: Schema.mutable(Schema.Array(Schema.Unknown)), odd: Schema.Number }),
  zero: (): { seen: Array<unknown>; odd: number } => ({ seen: [], odd: -0 }),
  add: (s, row) => {
    s.seen.push(String(row.v))
    return s
  },
  merge: (x, y) => {
    if (x.seen.length === 0) return y
    x.seen.push(...y.seen)
    return x
  },
  result: ({ seen, odd }) => [odd, ...seen.map(String).toSorted()]
})

const specs: Readonly<Record<string, AggregateSpec>> = {
  count,
  sum: sum("v"),
  avg: avg("v"),
  min: min("v"),
  max: max("v"),
  first: first("x"),
  last: last("x"),
  distinct: distinct((row) => row.x as string),
  approx: approxDistinct((row) => row.x as string),
  median: percentile("v", 0.5),
  tails: percentiles("v", [0.01, 0.99], { accuracy: 0.05 }),
  quarters: reduce({
    state: Schema.BigInt,
    zero: () => 0n,
    add: (s, row) => s + BigInt(Number(row.v) * 4),
    merge: (x, y) => x + y
  }),
  inPlace,
  kept: reduce({ state: Schema.String, zero: () => "", add: (s, row) => `${s} ${row.t}:${String(row.v)}` })
}

const names = Object.keys(specs)
const aggregates = Object.values(specs)
const keyNames = (columns: number): ReadonlyArray<string> => ["a", "b"].slice(0, columns)

const operatorOf = (
  { operator: o, columns }: Case,
  counters: Counters
): KeyedOperator<KeyedBatch> | KeyedOperator<RowChunk> => {
  const bounds = o.kind === "running" ? ([] as const) : (["window_start", "window_end"] as const)
  const options = { aggregates, columns: { keys: keyNames(columns), bounds, aggregates: names }, ordered: true }
  switch (o.kind) {
    case "time": {
      const more = { allowedLatenessMs: o.lateness, early: o.early, keepsLateRows: true }
      return new TimeWindowState(columns, timeWindows(o.size, o.slide, 0), { ...options, ...more }, counters)
    }
    case "session":
      return new SessionState(columns, o.gap, { ...options, keepsLateRows: true }, counters)
    case "dedupe": {
      const id = (row: unknown): unknown => (row as SnapshotRow).k[0]
      const late = { allowedLatenessMs: o.lateness, late: "output", ordered: true } as const
      return new DedupeState({ id, horizonMs: o.horizon, ...late }, counters)
    }
    default:
      return new GlobalState(columns, { ...options, running: o.kind === "running" }, counters)
  }
}

const keyColumn = (c: number) => ({
  name: keyNames(2)[c],
  value: { get: (r: unknown) => (r as SnapshotRow).k[c], label: "k" }
})

const chunkOf = (edge: number, rows: ReadonlyArray<SnapshotRow>): RowChunk =>
  new RowChunk(
    rows.length,
    rows,
    undefined,
    { lane: edge, first: 0, ordinals: Float64Array.from(rows, (r) => r.ordinal) },
    1,
    Float64Array.from(rows, (r) => r.t),
    Float64Array.from(rows, (r) => r.w)
  )

/** Instances of an operator, and the exchanges before them. */
export class Fleet {
  readonly #case: Case
  readonly #counters: ReadonlyArray<Counters>
  readonly #operators: ReadonlyArray<KeyedOperator<KeyedBatch> | KeyedOperator<RowChunk>>
  #exchanges: ReadonlyArray<KeyedExchange>
  #generation = 0
  #watermark = -Infinity

  constructor(of: Case, instances: number) {
    this.#case = of
    this.#counters = Array.from({ length: instances }, () => new Counters())
    this.#operators = this.#counters.map((counters) => operatorOf(of, counters))
    this.#exchanges = this.#newExchanges()
  }

  #newExchanges(): ReadonlyArray<KeyedExchange> {
    return [0, 1].map(
      () =>
        new KeyedExchange({
          key: Array.from({ length: this.#case.columns }, (_, c) => keyColumn(c)),
          aggregates,
          receivers: this.#operators.length,
          needsRows: true,
          needsOrder: true
        })
    )
  }

  /** What all instances together give in a step: rows with event time and W_p, late rows, rows held and settled. */
  apply(step: Step): unknown {
    const emitted: Array<string> = []
    const out: OperatorOutput = {
      emit: ({ length, rows, times, watermarks, order }) => {
        for (let i = 0; i < length; i++) {
          const place = [order.lanes?.[i], order.ordinals?.[i]]
          emitted.push(JSON.stringify(encodeStored([rows[i], times[i], watermarks[i], place])))
        }
      },
      late: (rows) => emitted.push(...rows.map((row) => `late ${JSON.stringify(encodeStored(row))}`))
    }
    if (step.kind === "rows") this.#process(step.edge, step.rows, out)
    else if (step.kind === "renew") {
      this.#exchanges = this.#newExchanges()
      this.#generation++
    } else if (step.kind === "barrier") for (const operator of this.#operators) operator.barrier(out)
    else if (step.watermark > this.#watermark) {
      this.#watermark = step.watermark
      for (const operator of this.#operators) while (!operator.advance(step.watermark, out)) emitted.push("more")
    }
    return [emitted.toSorted(), this.held]
  }

  #process(edge: number, rows: ReadonlyArray<SnapshotRow>, out: OperatorOutput): void {
    const chunk = chunkOf(edge, rows)
    if (this.#case.operator.kind === "dedupe") {
      const id = { get: (row: unknown) => (row as SnapshotRow).k[0], label: "id" }
      dealById(chunk, id, this.#operators.length, (to, part) =>
        (this.#operators[to] as KeyedOperator<RowChunk>).process(edge, part, out)
      )
    } else {
      this.#exchanges[edge].deal(chunk, (to, batch) => {
        const { first, keys } = batch.delta
        Object.assign(batch, { delta: new KeyDelta(this.#generation, first, keys) })
        ;(this.#operators[to] as KeyedOperator<KeyedBatch>).process(edge, batch, out)
      })
    }
  }

  snapshot(): ReadonlyArray<SnapshotValue> {
    return this.#operators.map((operator) => operator.snapshot())
  }

  restore(snapshots: ReadonlyArray<SnapshotValue>, watermark: number): void {
    this.#watermark = watermark
    const n = this.#operators.length
    for (const [i, operator] of this.#operators.entries()) {
      operator.restore(snapshots, (key: KeyTuple) => receiverOf(hashKey(key), n) === i)
    }
  }

  get watermark(): number {
    return this.#watermark
  }

  get held(): number {
    return this.#operators.reduce((n, operator) => n + operator.held(), 0)
  }

  /** Keys known to all instances together. */
  get keys(): number {
    return this.#operators.reduce((n, operator) => n + operator.keys(), 0)
  }

  get bytes(): number {
    return this.#operators.reduce((n, operator) => n + operator.bytes(), 0)
  }

  /** The counts of all instances together. */
  get counts(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {}
    for (const counters of this.#counters) {
      for (const [name, n] of Object.entries(counters))
        if (typeof n === "number") counts[name] = (counts[name] ?? 0) + n
    }
    return counts
  }
}
