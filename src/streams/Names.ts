/**
 * Checks of what a user hands to the language: values of rows, functions, names. What is wrong becomes a problem of
 * the plan node (reported before the query starts); nothing throws, and the node gets a harmless stand-in.
 */
import type { OptionProblem } from "../model/Errors.ts"
import { isObjectName } from "../model/ObjectStore.ts"
import { show } from "./Options.ts"
import type { RowValue } from "./Plan.ts"

/** A field name or a function of a row, as a plan holds it. */
export const rowValue = (option: string, value: unknown, problems: Array<OptionProblem>): RowValue => {
  if (typeof value === "string") return { field: value, label: value }
  if (typeof value === "function") return { get: value as (row: unknown) => unknown, label: "<lambda>" }
  problems.push({ option, value: show(value), fix: "must be a field name or a function of a row" })
  return { get: () => undefined, label: "<invalid>" }
}

/** A function, or a problem and one that gives `undefined`. */
export const functionOf = <F extends (...args: never) => unknown>(option: string, f: F, problems: Array<OptionProblem>): F => {
  if (typeof f === "function") return f
  problems.push({ option, value: show(f), fix: "must be a function" })
  return (() => undefined) as unknown as F
}

/**
 * Names of columns of a result, each once. `__proto__` is refused: assigned to a plain object it would vanish and
 * change the object instead.
 */
export const checkColumns = (
  option: string,
  names: ReadonlyArray<string>,
  taken: ReadonlyMap<string, string>,
  problems: Array<OptionProblem>
): void => {
  const own = new Set<string>()
  for (const name of names) {
    if (typeof name !== "string" || name === "") {
      problems.push({ option, value: show(name), fix: "is not a column name (give it one character at least)" })
    } else if (name === "__proto__") {
      problems.push({ option, value: show(name), fix: "cannot be a column of a result (give it another name)" })
    } else if (taken.has(name)) {
      problems.push({ option, value: show(name), fix: `is taken: it is ${taken.get(name)} (give it another name)` })
    } else if (own.has(name)) {
      problems.push({ option, value: show(name), fix: "stands twice" })
    }
    own.add(name)
  }
}

/** Whether a name can stand in file names, metrics and manifests, as names of operators and outputs do. */
const isPlainName = (name: unknown): name is string =>
  typeof name === "string" && name !== "__proto__" && !name.includes("/") && isObjectName(name)

/** The name of an operator or output. */
export const checkName = (option: string, name: unknown, problems: Array<OptionProblem>): string => {
  if (isPlainName(name)) return name
  problems.push({ option, value: show(name), fix: 'must be 1 to 200 of A-Z a-z 0-9 . _ = -, not starting with a dot (try "by-category")' })
  return "invalid"
}
