/**
 * Laws: what must hold of every history of a user's query. The built-in ones need no model; `Law.model` compares with a
 * plain function of the rows, `Law.make` says anything of an `Outcome`.
 */
import * as Effect from "effect/Effect"
import { describeDifference, differenceOf } from "./compareRows.ts"
import type { Outcome } from "./Outcome.ts"
import { kindOf, verdictOf } from "./verdicts.ts"
import type { Broken } from "./Watching.ts"

export type { Outcome } from "./Outcome.ts"

/** A law: what of an outcome breaks it, in sentences. */
export interface Law {
  readonly name: string
  readonly check: (outcome: Outcome) => ReadonlyArray<string>
}

/** What differs in what two histories of the same rows wrote. */
const differs = (wanted: Outcome, got: Outcome): ReadonlyArray<string> => [
  ...Object.entries(wanted.outputs).flatMap(([name, { rows }]) =>
    describeDifference(name, differenceOf(rows, got.outputs[name]?.rows ?? [], wanted.rows))
  ),
  ...describeDifference("late rows", differenceOf(wanted.late, got.late, wanted.rows)),
  ...describeDifference("dead letters", differenceOf(wanted.dead, got.dead))
]

/** A run, by the words for it. */
type Run = readonly [what: string, outcome: Outcome]

/** Where one of two runs of the same rows comes to its end and the other does not, that is what differs. */
const compared = (wanted: Run, got: Run): ReadonlyArray<string> => {
  const [ended, open] = [wanted, got].toSorted(([, a], [, b]) => Number(b.isFinished) - Number(a.isFinished))
  if (open[1].isFinished) return differs(wanted[1], got[1])
  if (!ended[1].isFinished) return []
  return [`${ended[0]} comes to its end, and ${open[0]} does not: ${open[1].broken("finishes").join("; ")}`]
}

/** Whether it came to the same as the batch: then nothing about it mattered. */
const equalsBatch = (outcome: Outcome): boolean =>
  outcome.isFinished && outcome.batch().isFinished && differs(outcome.batch(), outcome).length === 0

/**
 * Faults do not show in results: they equal those of an undisturbed run of the same rows, as a multiset in append, as the
 * last row of each key in update, as the last table in complete; late rows and dead letters too.
 */
export const exactlyOnce: Law = {
  name: "exactlyOnce",
  check: (outcome) => {
    if (!outcome.isFinished || equalsBatch(outcome)) return []
    return compared(["the run without faults", outcome.undisturbed()], ["the run with faults", outcome])
  }
}

/** Read as a stream, in chunks, by several instances, rows give what they give all at once. */
export const batchEqualsStream: Law = {
  name: "batchEqualsStream",
  check: (outcome) =>
    equalsBatch(outcome) ? [] : compared(["the batch", outcome.batch()], ["the stream", outcome.undisturbed()])
}

/** Results do not depend on how many instances of each operator there are: the processes of histories have 1 to 3. */
export const parallelism: Law = {
  name: "parallelism",
  check: (outcome) =>
    equalsBatch(outcome)
      ? []
      : compared(
          ["a run of one instance", outcome.undisturbed(1)],
          ["a run of three instances", outcome.undisturbed(3)]
        )
}

const always = (name: Broken): Law => ({ name, check: (outcome) => outcome.broken(name) })

/** Every row is accounted for, at every operator, at every epoch (rules L1-L4). */
export const ledgerBalances: Law = always("ledgerBalances")
/** Watermarks and positions never go back, across restarts too (rule T2). */
export const watermarksNeverGoBack: Law = always("watermarksNeverGoBack")
/** No queue is ever fuller than it may be. */
export const queuesStayBounded: Law = always("queuesStayBounded")
/** The input is read to its end once the faults are over. Always checked: the other laws are about histories that end. */
export const finishes: Law = always("finishes")

/** What is checked when nobody says otherwise: all of the above. */
export const standard: ReadonlyArray<Law> = [
  finishes,
  ledgerBalances,
  exactlyOnce,
  batchEqualsStream,
  parallelism,
  watermarksNeverGoBack,
  queuesStayBounded
]

/** What a model expects: the rows of the only output, or those of several by name. */
export type Expected = ReadonlyArray<unknown> | { readonly [output: string]: ReadonlyArray<unknown> }

/**
 * Results equal what a plain function makes of the rows: all that were fed, partition by partition, copies and late ones
 * included (the second argument has them by feed). The order of results does not matter.
 */
export const model = <A = unknown>(
  name: string,
  expected: (rows: ReadonlyArray<A>, outcome: Outcome) => Expected
): Law => ({
  name,
  check: (outcome) => {
    if (!outcome.isFinished) return []
    const wanted: unknown = expected(outcome.rows as ReadonlyArray<A>, outcome)
    const names = Object.keys(outcome.outputs)
    if (Array.isArray(wanted) && names.length !== 1)
      return [`the query has the outputs ${names.join(", ")}: let the model return rows by output, { name: rows }`]
    const byName = Array.isArray(wanted) ? { [names[0]]: wanted } : wanted
    if (!isPlain(byName))
      return [`the model returned ${kindOf(wanted)}: let it return a list of rows, or { name: rows }`]
    return Object.entries(byName).flatMap(([output, rows]) => {
      if (!Object.hasOwn(outcome.outputs, output))
        return [`the model has rows of ${output}, and the query has the outputs ${names.join(", ")}`]
      if (!Array.isArray(rows)) return [`the model has ${kindOf(rows)} for ${output}: let it be a list of rows`]
      return describeDifference(output, differenceOf(rows, outcome.outputs[output].rows, outcome.rows))
    })
  }
})

const isPlain = (value: unknown): value is object => {
  if (typeof value !== "object" || value === null || Effect.isEffect(value)) return false
  const proto: unknown = Object.getPrototypeOf(value)
  return proto === Object.prototype || proto === null
}

/**
 * A law of one's own: returns what is wrong, as a sentence or several, or `false`; or throws, as `expect` does. Asked of
 * histories that came to their end. It waits for nothing: an async function is no law.
 */
export const make = (
  name: string,
  check: (outcome: Outcome) => boolean | string | ReadonlyArray<string> | undefined | void
): Law => ({ name, check: (outcome) => (outcome.isFinished ? verdictOf(check(outcome)) : []) })
