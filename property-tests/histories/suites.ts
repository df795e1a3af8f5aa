/** The suites of histories, by the first word of their tokens. */
import type * as fc from "fast-check"
import { runBank } from "./bankHistory.ts"
import { jobCase } from "./cases.ts"
import { runCopies } from "./copiesHistory.ts"
import { hubCase } from "./hubCases.ts"
import { runHub } from "./hubHistory.ts"
import { runCase, type Verdict } from "./jobHistory.ts"
import { copiesCase, processCase } from "./keyedCases.ts"
import { bankCase, liveCase, splitCase } from "./liveCases.ts"
import { runLive } from "./liveHistory.ts"
import { runProcess } from "./processHistory.ts"

/** A suite: random cases, and what becomes of one. */
export interface Suite<C> {
  readonly arbitrary: fc.Arbitrary<C>
  readonly run: (c: C) => Verdict
  readonly faultsOf: (c: C) => number
  /** Of a hundred histories of a release, so many are of it. */
  readonly share: number
}

const suite = <C>(s: Suite<C>): Suite<unknown> => s as unknown as Suite<unknown>

/** All of them; their shares add up to a hundred. */
export const suites = {
  /** Random queries on bounded input: results are exactly the oracle's. */
  job: suite({ arbitrary: jobCase, run: runCase, faultsOf: (c) => c.faults.length, share: 61 }),
  /** Two processes on one checkpoint, one of which was frozen, or is a rival. */
  split: suite({ arbitrary: splitCase, run: runCase, faultsOf: (c) => c.faults.length, share: 10 }),
  /** A live source: partitions that appear and fall idle, input that never ends. */
  live: suite({ arbitrary: liveCase, run: runLive, faultsOf: (c) => c.faults.length, share: 10 }),
  /** Transfers between accounts, whose balances sum to 0 at every committed epoch. */
  bank: suite({ arbitrary: bankCase, run: runBank, faultsOf: (c) => c.faults.length, share: 5 }),
  /** Keyed functions with state and timers, fed by one partition. */
  process: suite({ arbitrary: processCase, run: runProcess, faultsOf: (c) => c.faults.length, share: 4 }),
  /** Copies told by their id, within a horizon. */
  copies: suite({ arbitrary: copiesCase, run: runCopies, faultsOf: (c) => c.faults.length, share: 4 }),
  /** A live source that is an event hub: the source as it ships, over a simulated hub. */
  hub: suite({ arbitrary: hubCase, run: runHub, faultsOf: (c) => c.faults.length + c.hub.length, share: 6 })
} as const satisfies { readonly [name: string]: Suite<unknown> }

/** The first word of a token. */
export type SuiteName = keyof typeof suites
