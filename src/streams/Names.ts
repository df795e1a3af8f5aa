/** Checks of names that a user gives: of result columns, operators and outputs. Nothing throws. */
import type { OptionProblem } from "../model/Errors.ts"
import { isObjectName } from "../model/ObjectStore.ts"
import { show } from "../model/Options.ts"

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
  problems.push({
    option,
    value: show(name),
    fix: 'must be 1 to 200 of A-Z a-z 0-9 . _ = -, not starting with a dot (try "by-category")'
  })
  return "invalid"
}
