/** `EventStream.keyBy`: which columns say what belongs together. Builds the plan node. */
import type { OptionProblem } from "../model/Errors.ts"
import { rowValue } from "./Arguments.ts"
import { checkColumns } from "./Names.ts"
import { show } from "../model/Options.ts"
import type { KeyByNode, KeyColumnSpec, PlanNode } from "./Plan.ts"
import { checkNeeds } from "./PlanFacts.ts"
import type { FinalRows, Holds, KeyColumn, Keyed, Refused, Stage } from "./Stage.ts"
import { type EventStream, streamOf } from "./StreamValue.ts"

/**
 * Groups rows by fields, `keyBy("category", "region")`, by named functions, `keyBy({ region: (row) => row.location })`,
 * or, without arguments, all rows together. Key columns are the first columns of every result. A row whose key is not a
 * string, number, boolean or bigint becomes a dead letter.
 */
export const keyBy: {
  (): <A, E, R, S extends FinalRows>(self: EventStream<A, E, R, S>) => EventStream<A, E, R, Keyed<{}, S["time"]>>
  <A, O extends Record<string, (row: A) => KeyColumn>>(
    columns: O & Record<string, (row: A) => KeyColumn>
  ): <E, R, S extends FinalRows>(
    self: EventStream<A, E, R, S>
  ) => EventStream<A, E, R, Keyed<{ readonly [P in keyof O]: ReturnType<O[P]> }, S["time"]>>
  <A>(columns: Record<string, (row: A) => unknown>): NotAKey
  <A, F extends keyof A & string>(
    ...fields: readonly [F, ...Array<F>]
  ): <E, R, S extends FinalRows>(
    self: EventStream<A & Holds<F, KeyColumn>, E, R, S>
  ) => EventStream<A, E, R, Keyed<Pick<A, F>, S["time"]>>
} = ((...columns: ReadonlyArray<unknown>) =>
  (self: EventStream<unknown, unknown, unknown, Stage>) =>
    streamOf(keyByNode("keyBy", self.plan, columns))) as never

type NotAKey = Refused<"the columns of a key are strings, numbers, booleans or bigints">

/** The node for the arguments of `keyBy`. */
export const keyByNode = (operator: string, input: PlanNode, args: ReadonlyArray<unknown>): KeyByNode => {
  const problems: Array<OptionProblem> = []
  checkNeeds(operator, input, { final: true }, problems)
  const columns = keyColumns(args, problems)
  checkColumns(
    operator,
    columns.map((c) => c.name),
    new Map(),
    problems
  )
  return { kind: "keyBy", input, columns, problems }
}

const keyColumns = (args: ReadonlyArray<unknown>, problems: Array<OptionProblem>): ReadonlyArray<KeyColumnSpec> => {
  const [first] = args
  if (args.length === 1 && typeof first === "object" && first !== null && !Array.isArray(first)) {
    const names = Object.keys(first)
    if (names.length === 0) {
      problems.push({
        option: "keyBy",
        value: show(first),
        fix: "names no column (call keyBy() for one key over all rows)"
      })
    }
    return names.map((name) => ({
      name,
      value: rowValue(`keyBy.${name}`, (first as { readonly [name: string]: unknown })[name], problems)
    }))
  }
  return args.map((field) => {
    if (typeof field !== "string") {
      problems.push({
        option: "keyBy",
        value: show(field),
        fix: "must be a field name, or one record of named functions"
      })
    }
    const name = typeof field === "string" ? field : "invalid"
    return { name, value: { field: name, label: name } }
  })
}
