/** The suites of histories, by the first word of their tokens. */
import type * as fc from "fast-check"
import { jobCase } from "./cases.ts"
import { runCase, type Verdict } from "./jobHistory.ts"

/** A suite: random cases, and what becomes of one. */
export interface Suite<C> {
  readonly arbitrary: fc.Arbitrary<C>
  readonly run: (c: C) => Verdict
  readonly faultsOf: (c: C) => number
  /** Of a hundred histories of a release, so many are of it. */
  readonly share: number
}

const suite = <C>(s: Suite<C>): Suite<unknown> => s as unknown as Suite<unknown>

export const suites = {
  /** Random queries on bounded input: results are exactly the oracle's. */
  job: suite({ arbitrary: jobCase, run: runCase, faultsOf: (c) => c.faults.length, share: 100 })
} as const satisfies { readonly [name: string]: Suite<unknown> }

export type SuiteName = keyof typeof suites
