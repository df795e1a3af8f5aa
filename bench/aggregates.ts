/**
 * What one row costs each aggregate, in nanoseconds, on 10,000 slots in random order: `node bench/aggregates.ts`.
 * The best of several rounds, since the machine has other work. Not part of any check.
 */
import type { Accumulators, AggregateSpec, BatchOrder } from "../src/streams/aggregates/Aggregate.ts"
import { approxDistinct } from "../src/streams/aggregates/ApproxDistinct.ts"
import { avg } from "../src/streams/aggregates/Avg.ts"
import { count } from "../src/streams/aggregates/Count.ts"
import { distinct } from "../src/streams/aggregates/Distinct.ts"
import { first, last } from "../src/streams/aggregates/FirstLast.ts"
import { max, min } from "../src/streams/aggregates/MinMax.ts"
import { percentile } from "../src/streams/aggregates/Percentiles.ts"
import { sum } from "../src/streams/aggregates/Sum.ts"
import type { Column } from "../src/model/Source.ts"

const slotCount = 10_000
const batchRows = 1024
const batches = 1000
const rounds = 7
const value = { field: "v", label: "v" }

let state = 12345
const next = (bound: number): number => {
  state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
  return Math.floor((state / 0x80000000) * bound)
}

const slots = Array.from({ length: 64 }, () => Int32Array.from({ length: batchRows }, () => next(slotCount)))
const columns: { readonly [kind: string]: ReadonlyArray<Column> } = {
  integers: slots.map(() => Float64Array.from({ length: batchRows }, () => next(100_000))),
  cents: slots.map(() => Float64Array.from({ length: batchRows }, () => next(100_000) / 100)),
  array: slots.map(() => Array.from({ length: batchRows }, () => next(100_000) / 100)),
  text: slots.map(() => Array.from({ length: batchRows }, () => `customer-${next(5000)}`))
}
const order: BatchOrder = {
  times: Float64Array.from({ length: batchRows }, (_, i) => i),
  lanes: Array.from({ length: batchRows }, () => 0),
  ordinals: Float64Array.from({ length: batchRows }, (_, i) => i),
  subs: new Float64Array(batchRows)
}

const run = (specs: ReadonlyArray<AggregateSpec>, input: ReadonlyArray<Column>): number => {
  let best = Infinity
  for (let round = 0; round < rounds; round++) {
    const all: Array<Accumulators> = specs.map((spec) => spec.make())
    for (const a of all) a.reserve(slotCount)
    const start = process.hrtime.bigint()
    for (let b = 0; b < batches; b++) {
      for (const a of all) a.addBatch(slots[b & 63], input[b & 63], 0, batchRows, order)
    }
    best = Math.min(best, Number(process.hrtime.bigint() - start) / (batches * batchRows))
  }
  return best
}

const report = (name: string, specs: ReadonlyArray<AggregateSpec>, kinds: ReadonlyArray<string>): void => {
  const figures = kinds.map((kind) => `${kind} ${run(specs, columns[kind]).toFixed(1)}`)
  console.log(`${name.padEnd(24)} ns per row: ${figures.join("  ")}`)
}

const numeric = ["integers", "cents", "array"]
report("count+sum+min+max", [count, sum(value), min(value), max(value)], numeric)
report("count", [count], numeric)
report("sum", [sum(value)], numeric)
report("avg", [avg(value)], numeric)
report("min", [min(value)], numeric)
report("first", [first(value)], numeric)
report("last", [last(value)], numeric)
report("percentile", [percentile(value, 0.95)], numeric)
report("distinct", [distinct(value)], ["text"])
report("approxDistinct", [approxDistinct(value)], ["text"])
