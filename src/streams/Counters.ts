/** Mutable counters behind an `OperatorBalance` (rule L1): one set per operator and task, plain additions. */
import type { OperatorBalance } from "../model/Ledger.ts"
import type { SnapshotValue } from "../model/Snapshot.ts"

const fields = [
  "in",
  "forwarded",
  "filtered",
  "contributed",
  "late",
  "outside",
  "dead",
  "duplicate",
  "quarantined",
  "partlyLate",
  "settled"
] as const

/** The counts of one operator in one task; they only grow. */
export class Counters {
  in = 0
  forwarded = 0
  filtered = 0
  contributed = 0
  late = 0
  outside = 0
  dead = 0
  duplicate = 0
  quarantined = 0
  partlyLate = 0
  settled = 0
  readonly dropped = new Map<string, number>()

  /** Counts rows dropped under a name the user chose. */
  drop(name: string, rows: number): void {
    this.dropped.set(name, (this.dropped.get(name) ?? 0) + rows)
  }

  /** The counts as they stand, for a checkpoint. */
  snapshot(): SnapshotValue {
    return [Float64Array.from(fields, (field) => this[field]), [...this.dropped].map(([name, rows]) => [name, rows])]
  }

  /** Adds what a snapshot holds. */
  restore(snapshot: SnapshotValue): void {
    const [counts, dropped] = snapshot as unknown as readonly [Float64Array, ReadonlyArray<readonly [string, number]>]
    fields.forEach((field, i) => {
      this[field] += counts[i]
    })
    for (const [name, rows] of dropped) this.drop(name, rows)
  }

  balance(operator: string, held: number, partition?: string): OperatorBalance {
    return {
      operator,
      ...(partition === undefined ? {} : { partition }),
      in: this.in,
      forwarded: this.forwarded,
      filtered: this.filtered,
      contributed: this.contributed,
      late: this.late,
      outside: this.outside,
      dead: this.dead,
      duplicate: this.duplicate,
      quarantined: this.quarantined,
      dropped: Object.fromEntries(this.dropped),
      partlyLate: this.partlyLate,
      held,
      settled: this.settled
    }
  }
}
