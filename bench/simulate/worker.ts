/** One worker of `simulate`: searches a batch of histories at a time, as it is told, and sends what came of it. */
import { parentPort } from "node:worker_threads"
import { ready, search } from "../../property-tests/histories/search.ts"
import type { SuiteName } from "../../property-tests/histories/suites.ts"

/** A batch: of which suite, from which seed, how many. */
export interface Batch {
  readonly suite: SuiteName
  readonly seed: number
  readonly runs: number
}

await ready()
parentPort?.on("message", ({ suite, seed, runs }: Batch) => parentPort?.postMessage(textOf(search(suite, seed, runs))))
parentPort?.postMessage("ready")

/** As JSON: what a case holds may be no value that can be cloned. */
function textOf(value: unknown): string {
  return JSON.stringify(value, (_, v: unknown) => (typeof v === "bigint" ? `${v}n` : v))
}
