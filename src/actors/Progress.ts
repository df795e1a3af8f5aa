/** Where a query stands: a plain value for people, dashboards and tests, computed when asked. */
import type { Ledger } from "../model/Ledger.ts"
import type { QueryState } from "./Supervisor.ts"

/** One partition being read. */
export interface PartitionProgress {
  readonly source: string
  readonly partition: string
  /** Rows and dead rows read. */
  readonly rows: number
  /** W_p, ms since the epoch; none before the first row. */
  readonly watermark: number | undefined
  readonly idle: boolean
  readonly ended: boolean
}

/** One keyed operator, over all its instances. */
export interface OperatorProgress {
  readonly operator: string
  readonly keys: number
  /** W_op, the lowest of the instances; none before all partitions have spoken. */
  readonly watermark: number | undefined
}

/** One output, late output or dead-letter output. */
export interface OutputProgress {
  readonly name: string
  readonly role: "output" | "late" | "dead"
  readonly received: number
  readonly written: number
  readonly dead: number
}

/** A moment of a query. */
export interface QueryProgress {
  readonly name: string
  /** The last epoch committed; 0 before the first. */
  readonly epoch: number
  readonly restarts: number
  /** Rows and dead rows read by this attempt. */
  readonly rowsIn: number
  /** The plan's operators by their names in the ledger, inputs before what they feed. */
  readonly plan: ReadonlyArray<{ readonly operator: string; readonly kind: string }>
  readonly partitions: ReadonlyArray<PartitionProgress>
  readonly operators: ReadonlyArray<OperatorProgress>
  readonly outputs: ReadonlyArray<OutputProgress>
  /** Messages waiting in each task's inbox, and the most that one of its edges ever held. */
  readonly queues: ReadonlyArray<{ readonly task: string; readonly waiting: number; readonly peak: number }>
  /** The ledger as of the last epoch. */
  readonly ledger: Ledger
}

const known = (watermark: number): number | undefined => (watermark === -Infinity ? undefined : watermark)

/** Reads the progress off a query's live facts. */
export const progressOf = (state: QueryState): QueryProgress => {
  const readers = state.status?.readers ?? []
  const operators = new Map<string, { keys: number; watermark: number }>()
  for (const { operator, keys, watermark } of state.status?.keys() ?? []) {
    const sum = operators.get(operator) ?? { keys: 0, watermark: Infinity }
    operators.set(operator, { keys: sum.keys + keys, watermark: Math.min(sum.watermark, watermark) })
  }
  return {
    name: state.name,
    epoch: state.ledger.epoch,
    restarts: state.restarts,
    rowsIn: readers.reduce((sum, r) => sum + r.rows, 0),
    plan: [...state.topology.consumers.keys()].map((node) => ({
      operator: state.topology.nameOf(node),
      kind: node.kind
    })),
    partitions: readers.map((r) => ({
      source: r.source,
      partition: r.partition,
      rows: r.rows,
      watermark: known(r.watermark),
      idle: r.idle,
      ended: r.ended
    })),
    operators: [...operators].map(([operator, { keys, watermark }]) => ({
      operator,
      keys,
      watermark: known(watermark)
    })),
    outputs: (state.status?.sinks ?? []).map((s) => ({ ...s })),
    queues: state.status?.queues() ?? [],
    ledger: state.ledger
  }
}
