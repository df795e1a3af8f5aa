/**
 * The memory budget of a query's state (rule A7): when its operators hold more, the query stops with an error that names
 * the one that holds most, before the process dies without a word.
 *
 * The sizes are the operators' own estimates, looked at a few times a second. Not in it are rows on their way, sources
 * and sinks, and what user code keeps; therefore the default leaves room.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { QueryError } from "../model/Errors.ts"
import { nodeHeapLimitBytes } from "./nodeHeap.ts"

/** What one instance of a keyed operator holds. */
export interface StateSize {
  readonly operator: string
  readonly keys: number
  readonly bytes: number
}

/** Bytes that JavaScript values may take in this process; a reference, so that a simulator can set it. */
export const HeapLimit: Context.Reference<number> = Context.Reference<number>("tidemark/HeapLimit", {
  defaultValue: nodeHeapLimitBytes
})

/** The share of the heap's limit that state may take when nobody says more. */
const standardShare = 0.6

/** The budget, bytes: what the user says, or its share of what this process may use. */
export const budgetBytes = (given: number | undefined): Effect.Effect<number> =>
  given === undefined ? Effect.map(HeapLimit, (limit) => Math.floor(limit * standardShare)) : Effect.succeed(given)

const units = ["bytes", "kB", "MB", "GB", "TB"] as const

/** `1.2 GB`. */
const sizeText = (bytes: number): string => {
  let value = bytes
  let unit = 0
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000
  return unit === 0 ? `${value} bytes` : `${value.toFixed(1)} ${units[unit]}`
}

const counted = (n: number): string => (n === 1 ? "1 key" : `${n.toLocaleString("en-US")} keys`)

/** Why a query with state of these sizes has to stop; undefined while it is within its budget. */
export const overBudget = (query: string, sizes: ReadonlyArray<StateSize>, budget: number): QueryError | undefined => {
  let total = 0
  for (const { bytes } of sizes) total += bytes
  if (total <= budget) return undefined
  const operators = new Map<string, { keys: number; bytes: number }>()
  for (const { operator, keys, bytes } of sizes) {
    const known = operators.get(operator) ?? { keys: 0, bytes: 0 }
    operators.set(operator, { keys: known.keys + keys, bytes: known.bytes + bytes })
  }
  const [[operator, most]] = [...operators].toSorted((a, b) => b[1].bytes - a[1].bytes)
  const holds = `${operator} holds ${sizeText(most.bytes)} for ${counted(most.keys)}`
  const message = `the state of query ${query} takes about ${sizeText(total)}, more than its budget of ${sizeText(budget)}: ${holds}. Let state end sooner (a shorter ttl, window, horizon or allowed lateness; fewer keys), or give it more: the option memoryBudgetBytes, and node --max-old-space-size`
  return new QueryError({ reason: "MemoryBudget", query, message })
}

/** Looks at an attempt's operators; fails when they hold more than the budget. */
export const watchMemory = (
  query: string,
  budget: number
): ((status: { readonly keys: () => ReadonlyArray<StateSize> }) => Effect.Effect<void, QueryError>) => {
  return ({ keys }) =>
    Effect.suspend(() => {
      const error = overBudget(query, keys(), budget)
      return error === undefined ? Effect.void : Effect.fail(error)
    })
}
