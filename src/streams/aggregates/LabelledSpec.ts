/**
 * An aggregate from its label, as a checkpoint has it: enough to read what its columns hold. What it reads of a row is
 * not known, so it takes no rows.
 */
import type { RowValue } from "../Plan.ts"
import type { AggregateSpec } from "./Aggregate.ts"
import { approxDistinct } from "./ApproxDistinct.ts"
import { avg } from "./Avg.ts"
import { count } from "./Count.ts"
import { distinct } from "./Distinct.ts"
import { first, last } from "./FirstLast.ts"
import { max, min } from "./MinMax.ts"
import { percentile, percentiles } from "./Percentiles.ts"
import { sum } from "./Sum.ts"

const simple: ReadonlyMap<string, (value: RowValue) => AggregateSpec> = new Map([
  ["sum", sum],
  ["avg", avg],
  ["min", min],
  ["max", max],
  ["first", first],
  ["last", last],
  ["distinct", distinct],
  ["approxDistinct", approxDistinct]
])

const valueOf = (label: string): RowValue => ({ label, get: () => undefined })

/** `delay, 0.5, 0.95, accuracy 0.02`: the field, then the quantiles; fields of such names are read wrong. */
const quantilesOf = (name: string, args: string): AggregateSpec | undefined => {
  const [, rest, accuracy] = /^(.*?)(?:, accuracy ([0-9.e-]+))?$/s.exec(args) ?? ["", args]
  const options = accuracy === undefined ? undefined : { accuracy: Number(accuracy) }
  const parts = (rest ?? "").split(", ")
  const quantiles: Array<number> = []
  while (parts.length > 1 && quantiles.length < (name === "percentile" ? 1 : Infinity)) {
    const q = Number(parts.at(-1))
    if (parts.at(-1) === "" || !(q >= 0 && q <= 1)) break
    quantiles.unshift(q)
    parts.pop()
  }
  if (name === "percentiles") return percentiles(valueOf(parts.join(", ")), quantiles, options)
  return quantiles.length === 1 ? percentile(valueOf(parts.join(", ")), quantiles[0], options) : undefined
}

/** The built-in aggregate of a label; undefined for a user's own, whose functions no label holds. */
export const specOfLabel = (label: string): AggregateSpec | undefined => {
  if (label === "count") return count
  const [, name, args] = /^([a-zA-Z]+)\((.*)\)$/s.exec(label) ?? []
  if (name === undefined || args === undefined) return undefined
  if (name === "percentile" || name === "percentiles") return quantilesOf(name, args)
  return simple.get(name)?.(valueOf(args))
}
