/**
 * The ledger's words (rules L1-L4): what can become of an input row, and the balance of one operator.
 *
 * Counters only grow; `held` is read from the accumulators themselves, never from a counter beside them (L2).
 */

/** What became of the input rows of one operator since the query started. */
export interface OperatorBalance {
  readonly operator: string
  /** Present on readers: one balance per partition (L4). */
  readonly partition?: string
  readonly in: number
  readonly forwarded: number
  readonly filtered: number
  readonly contributed: number
  /** Late (T4), for windows: for all of them. Dropped or sent to a late output; not part of `dropped`. */
  readonly late: number
  /** In no window, because the slide is longer than the size. */
  readonly outside: number
  readonly dead: number
  readonly duplicate: number
  readonly quarantined: number
  /** Bad input, dropped by a name the user chose (`onBadInput: { dropAs }`). */
  readonly dropped: { readonly [name: string]: number }
  /** Of the contributed: late for some of their windows. Not part of the balance. */
  readonly partlyLate: number
  /** Operators with state: contributed rows still in it, and those whose state has been dropped. */
  readonly held: number
  readonly settled: number
}

/** What one edge carried: rows its sender sent and its receiver received (L3). */
export interface EdgeBalance {
  readonly edge: string
  readonly sent: number
  readonly received: number
}

/** What a sink did with what it received (L3). */
export interface SinkBalance {
  readonly sink: string
  readonly received: number
  readonly written: number
  readonly dead: number
}

/** The whole ledger of a query at one epoch. */
export interface Ledger {
  readonly epoch: number
  readonly operators: ReadonlyArray<OperatorBalance>
  readonly edges: ReadonlyArray<EdgeBalance>
  readonly sinks: ReadonlyArray<SinkBalance>
}

/** One equation that does not hold: a defect of tidemark, named. */
export interface Imbalance {
  readonly where: string
  readonly equation: string
  readonly left: number
  readonly right: number
}

const sumOf = (counts: { readonly [name: string]: number }): number => {
  let total = 0
  for (const name of Object.keys(counts)) total += counts[name]
  return total
}

/** Checks L1 to L3. An empty answer means: balanced. */
export const imbalances = (ledger: Ledger): ReadonlyArray<Imbalance> => {
  const found: Array<Imbalance> = []
  const check = (where: string, equation: string, left: number, right: number): void => {
    if (left !== right) found.push({ where, equation, left, right })
  }
  for (const o of ledger.operators) {
    const where = o.partition === undefined ? o.operator : `${o.operator}, partition ${o.partition}`
    const accounted =
      o.forwarded +
      o.filtered +
      o.contributed +
      o.late +
      o.outside +
      o.dead +
      o.duplicate +
      o.quarantined +
      sumOf(o.dropped)
    check(where, "in = the sum of its dispositions", o.in, accounted)
    check(where, "contributed = held + settled", o.contributed, o.held + o.settled)
  }
  for (const e of ledger.edges) check(e.edge, "sent = received", e.sent, e.received)
  for (const s of ledger.sinks) check(s.sink, "received = written + dead", s.received, s.written + s.dead)
  return found
}
