/**
 * The state of an attempt's tasks as a checkpoint holds it: under which names, and how it is dealt out again when the
 * attempt after it is wider or narrower (rule C11).
 */
import type { Manifest, ReaderRecord } from "../checkpoint/Manifest.ts"
import type { TaskStates } from "../checkpoint/Chain.ts"
import type { SnapshotValue } from "../model/Snapshot.ts"

const operatorPrefix = "operator "

/** Names of task states. Operators and partitions may be called anything, so parts are told apart as JSON. */
export const stateKeys = {
  reader: (operator: string, partition: string): string => `reader ${JSON.stringify([operator, partition])}`,
  operator: (operator: string, instance: number): string => `${operatorPrefix}${JSON.stringify([operator, instance])}`,
  sink: (writer: string): string => `sink ${JSON.stringify([writer])}`
} as const

/** The state of one instance of a keyed operator. */
export interface OperatorState {
  readonly watermark: number
  readonly counters: SnapshotValue
  readonly operator: SnapshotValue
  /** Its input had ended, and everything that waited for it has come out (T11). */
  readonly ended: boolean
}

/** The state of a sink's task. */
export interface SinkState {
  readonly watermark: number
  readonly counters: SnapshotValue
  readonly received: number
  readonly written: number
  readonly dead: number
  /** Complete mode: the table. */
  readonly table: SnapshotValue
}

/** What an attempt goes on from. */
export class Recovered {
  readonly readers: ReadonlyArray<ReaderRecord>
  /** Operators whose input had ended, and which have let out everything that waited for it (T11). */
  readonly ended: ReadonlySet<string>
  readonly #states: TaskStates
  readonly #parallelism: number

  constructor(base: Manifest, states: TaskStates) {
    this.readers = base.readers
    const ended = [...states].filter(
      ([key, state]) => key.startsWith(operatorPrefix) && (state as unknown as OperatorState).ended
    )
    this.ended = new Set(ended.map(([key]) => (JSON.parse(key.slice(operatorPrefix.length)) as [string, number])[0]))
    this.#states = states
    this.#parallelism = base.parallelism
  }

  readerCounters(operator: string, partition: string): SnapshotValue | undefined {
    return this.#states.get(stateKeys.reader(operator, partition))
  }

  /**
   * The states that instance `instance` of `parallelism` reads: its own, or, when the width has changed, all of them, of
   * which it takes its keys. Counts go to the first instance then, since their sum is all that the ledger knows.
   */
  operatorStates(
    operator: string,
    instance: number,
    parallelism: number
  ): { readonly states: ReadonlyArray<OperatorState>; readonly isWhole: boolean; readonly takesCounts: boolean } {
    const isWhole = parallelism === this.#parallelism
    const instances = isWhole ? [instance] : Array.from({ length: this.#parallelism }, (_, i) => i)
    const states = instances
      .map((i) => this.#states.get(stateKeys.operator(operator, i)) as unknown as OperatorState | undefined)
      .filter((state) => state !== undefined)
    return { states, isWhole, takesCounts: isWhole || instance === 0 }
  }

  sinkState(writer: string): SinkState | undefined {
    return this.#states.get(stateKeys.sink(writer)) as unknown as SinkState | undefined
  }
}
