/** `EventStream.keyBy`: which columns say what belongs together. Builds the plan node. */
import type { OptionProblem } from "../model/Errors.ts"
import { checkColumns, rowValue } from "./Names.ts"
import { show } from "./Options.ts"
import type { KeyByNode, KeyColumnSpec, PlanNode } from "./Plan.ts"
import { checkNeeds } from "./PlanFacts.ts"
import type { FinalRows, KeyColumn, KeyedBy } from "./Stage.ts"
import { type EventStream, streamOf } from "./StreamValue.ts"

/** Field names, or one record of named functions; nothing means one key for all rows. */
export type KeyArguments<A> = ReadonlyArray<keyof A & string> | readonly [{ readonly [name: string]: (row: A) => KeyColumn }]

/** The key's columns with their types. */
export type KeyOf<A, C> = C extends ReadonlyArray<keyof A & string>
  ? Pick<A, C[number]>
  : C extends readonly [infer O]
    ? { readonly [P in keyof O]: O[P] extends (row: never) => infer V ? V : never }
    : never

/** Rows whose key fields hold values that a key may have. */
export type KeyFields<C> = C extends ReadonlyArray<infer F extends string> ? { readonly [P in F]: KeyColumn } : unknown

/**
 * Groups rows by fields, `keyBy("category", "region")`, by named functions, `keyBy({ region: (row) => row.location })`,
 * or, without arguments, all rows together. Key columns are the first columns of every result. A row whose key is not a
 * string, number, boolean or bigint becomes a dead letter.
 */
export const keyBy =
  <A, const C extends KeyArguments<A>>(...columns: C) =>
  <E, R, S extends FinalRows>(
    self: EventStream<A & KeyFields<C>, E, R, S>
  ): EventStream<A, E, R, KeyedBy<KeyOf<A, C>, S["time"]>> =>
    streamOf(keyByNode("keyBy", self.plan, columns))

/** The node for the arguments of `keyBy`. */
export const keyByNode = (operator: string, input: PlanNode, args: ReadonlyArray<unknown>): KeyByNode => {
  const problems: Array<OptionProblem> = []
  checkNeeds(operator, input, { final: true }, problems)
  const columns = keyColumns(args, problems)
  checkColumns(operator, columns.map((c) => c.name), new Map(), problems)
  return { kind: "keyBy", input, columns, problems }
}

const keyColumns = (args: ReadonlyArray<unknown>, problems: Array<OptionProblem>): ReadonlyArray<KeyColumnSpec> => {
  const [first] = args
  if (args.length === 1 && typeof first === "object" && first !== null) {
    const names = Object.keys(first)
    if (names.length === 0) {
      problems.push({ option: "keyBy", value: show(first), fix: "names no column (call keyBy() for one key over all rows)" })
    }
    return names.map((name) => ({
      name,
      value: rowValue(`keyBy.${name}`, (first as { readonly [name: string]: unknown })[name], problems)
    }))
  }
  return args.map((field) => {
    if (typeof field !== "string") {
      problems.push({ option: "keyBy", value: show(field), fix: "must be a field name, or one record of named functions" })
    }
    return { name: String(field), value: { field: String(field), label: String(field) } }
  })
}
