/**
 * The bank of internal consistency: a transfer is one input row that debits one account and credits another. In whatever
 * has been committed at any epoch, the balances of all accounts sum to 0, and in the end each is what the transfers say.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { EventStream, Memory, Query, Trigger } from "tidemark"
import { runHistory } from "../../src/testing/History.ts"
import { simulatedSource } from "../../src/testing/SimulatedLog.ts"
import { simulatedStartMs } from "../../src/testing/Simulator.ts"
import type { Life, Store, World } from "../../src/testing/World.ts"
import type { Verdict } from "./jobHistory.ts"
import { faultySinks, logFaultsOf, type WorldFaults } from "./worldFaults.ts"

/** One history of it. */
export interface BankCase extends WorldFaults {
  readonly seed: number
  readonly transfers: number
  readonly accounts: number
  readonly partitions: number
  readonly epochRows: number
  /** Transfers of a partition that come each millisecond. */
  readonly perMs: number
  readonly store: Store
  readonly lives: ReadonlyArray<Life>
}

interface Transfer {
  readonly from: number
  readonly to: number
  readonly amount: number
}

/** A number that looks random, of a number. */
const mix = (x: number): number => {
  let h = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

const transferOf = (c: BankCase, i: number): Transfer => {
  const from = mix(i ^ c.seed) % c.accounts
  // Another account, always.
  const to = (from + 1 + (mix(i + 1_000_003) % (c.accounts - 1))) % c.accounts
  return { from, to, amount: 1 + (mix(i ^ 0x5bd1e995) % 1000) }
}

/** Transfers of a partition: every so many of them. */
const rowsOf = (c: BankCase, partition: number) => ({
  length: Math.ceil((c.transfers - partition) / c.partitions),
  slice: (from: number, to: number): ReadonlyArray<Transfer> =>
    Array.from({ length: to - from }, (_, i) => transferOf(c, (from + i) * c.partitions + partition))
})

interface Balance {
  readonly account: number
  readonly balance: number
  readonly moves: number
}

/** What is wrong with the committed epochs: a sum that is not 0, or an end that is not what the transfers say. */
const judge = (c: BankCase, epochs: ReadonlyArray<Memory.CommittedEpoch<Balance>>): ReadonlyArray<string> => {
  const problems: Array<string> = []
  const accounts = new Map<number, Balance>()
  let total = 0
  let moves = 0
  for (const { epoch, rows } of epochs) {
    for (const row of rows) {
      const before = accounts.get(row.account)
      total += row.balance - (before?.balance ?? 0)
      moves += row.moves - (before?.moves ?? 0)
      accounts.set(row.account, row)
    }
    if (total !== 0) problems.push(`epoch ${epoch}: the balances sum to ${total}`)
    if (moves % 2 !== 0) problems.push(`epoch ${epoch}: half of a transfer is there`)
  }
  const wanted = new Float64Array(c.accounts)
  for (let i = 0; i < c.transfers; i++) {
    const { from, to, amount } = transferOf(c, i)
    wanted[from] -= amount
    wanted[to] += amount
  }
  if (moves !== 2 * c.transfers) problems.push(`${moves / 2} transfers were made, of ${c.transfers}`)
  for (const [account, balance] of wanted.entries()) {
    const got = accounts.get(account)?.balance ?? 0
    if (got !== balance) problems.push(`account ${account} ends with ${got}, not ${balance}`)
  }
  return problems.slice(0, 5)
}

/** Runs a case, and judges it. `committed`: epochs that brought something. */
export const runBank = (c: BankCase): Verdict & { readonly committed: number } => {
  const balances = Memory.sink<Balance>()
  const faulty = faultySinks(c)
  const logFaults = logFaultsOf(c.faults, c.partitions, (p) => `p${p}`)
  const subject = (world: World, life: Life) =>
    Effect.suspend(() => {
      const source = simulatedSource<Transfer>(world.simulator, simulatedStartMs, {
        name: "transfers",
        partitions: Array.from({ length: c.partitions }, (_, p) => ({
          name: `p${p}`,
          rows: rowsOf(c, p),
          arriveMs: (row: number) => Math.floor(row / c.perMs),
          stalledAt: []
        })),
        features: { bounded: true, endPosition: true, dynamicPartitions: false },
        faults: logFaults,
        onStruck: world.struck
      })
      const pipeline = EventStream.from(source).pipe(
        EventStream.flatMap(({ from, to, amount }) => [
          { account: from, amount: -amount },
          { account: to, amount }
        ]),
        EventStream.keyBy("account"),
        EventStream.aggregateRunning(({ count, sum }) => ({ balance: sum("amount"), moves: count })),
        EventStream.to(faulty(world, balances), { mode: "update" })
      )
      return Query.start(pipeline, {
        name: "bank",
        chunkRows: life.chunkRows,
        parallelism: life.parallelism,
        trigger: Trigger.every("20 millis", { maxEvents: c.epochRows }),
        restart: Schedule.spaced("50 millis"),
        restartLimit: { restarts: 1000, within: "1 minute" }
      })
    })
  const { seed, faults, lives, store, transfers } = c
  const history = runHistory({ seed, faults, lives, store, query: "bank", subject, stepsMax: 400_000 + transfers * 8 })
  const epochs = Effect.runSync(balances.epochs)
  const wrong = history.summary === undefined ? [] : judge(c, epochs)
  const problems = [...history.problems, ...wrong]
  return { history, problems, lost: wrong.length, duplicated: 0, events: transfers, committed: epochs.length }
}
