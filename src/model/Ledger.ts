/**
 * The ledger's words (rules L1-L4): what can become of an input row, and the balance of one operator.
 *
 * Counters only grow; `held` is read from the accumulators themselves, never from a counter beside them (L2).
 *
 * Two bases: operators and sinks count from the first start of the query, since their counters are in the checkpoint and
 * go on across restarts and rescales. Edges count from the start of the present attempt: they join instances, of which
 * another parallelism has others, and each starts empty. So a ledger's edges must not be compared with its operators, nor
 * subtracted from those of an earlier epoch; that sent = received holds within each.
 */

/** What became of the input rows of one operator since the first start of the query, over all restarts. */
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

/**
 * What one edge carried since the present attempt started (not since the query did): rows its sender sent and its
 * receiver received up to the barrier (L3).
 */
export interface EdgeBalance {
  readonly edge: string
  readonly sent: number
  readonly received: number
}

/** What a sink did with what it received since the first start of the query, over all restarts (L3). */
export interface SinkBalance {
  readonly sink: string
  readonly received: number
  readonly written: number
  readonly dead: number
}

/**
 * The whole ledger of a query at one epoch, as it stands in the manifest (L4), in progress and in the JSON summary.
 * `edges` are of the attempt that made the epoch; all else is since the first start of the query.
 */
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

type CountField = {
  [F in keyof OperatorBalance]-?: OperatorBalance[F] extends number ? F : never
}[keyof OperatorBalance]

/** Every count of a balance, and whether it is a disposition; the compiler sees to it that none is missing. */
const counts = {
  in: false,
  forwarded: true,
  filtered: true,
  contributed: true,
  late: true,
  outside: true,
  dead: true,
  duplicate: true,
  quarantined: true,
  partlyLate: false,
  held: false,
  settled: false
} as const satisfies { readonly [F in CountField]: boolean }

/** What can become of an input row, beside being dropped by a name. */
export type Disposition = { [F in CountField]: (typeof counts)[F] extends true ? F : never }[CountField]

const countFields = Object.keys(counts) as ReadonlyArray<CountField>

/** Every disposition: of each input row exactly one counter of these, or one of `dropped`, goes up (L1). */
export const dispositions: ReadonlyArray<Disposition> = countFields.filter((f): f is Disposition => counts[f])

/** The sum of two balances of one operator; of a partition where both are of the same. */
export const addBalances = (a: OperatorBalance, b: OperatorBalance): OperatorBalance => {
  const { partition, dropped: _, ...sum }: { -readonly [F in keyof OperatorBalance]: OperatorBalance[F] } = a
  for (const f of countFields) sum[f] = a[f] + b[f]
  // Names are the user's: `__proto__` is one.
  const dropped = new Map(Object.entries(a.dropped))
  for (const [name, rows] of Object.entries(b.dropped)) dropped.set(name, (dropped.get(name) ?? 0) + rows)
  return {
    ...sum,
    ...(partition === undefined || partition !== b.partition ? {} : { partition }),
    dropped: Object.fromEntries(dropped)
  }
}

/** Checks L1 to L3. An empty answer means: balanced. */
export const imbalances = (ledger: Ledger): ReadonlyArray<Imbalance> => {
  const found: Array<Imbalance> = []
  const check = (where: string, equation: string, left: number, right: number): void => {
    if (left !== right) found.push({ where, equation, left, right })
  }
  for (const o of ledger.operators) {
    const where = o.partition === undefined ? o.operator : `${o.operator}, partition ${o.partition}`
    let accounted = 0
    for (const disposition of dispositions) accounted += o[disposition]
    for (const rows of Object.values(o.dropped)) accounted += rows
    check(where, "in = the sum of its dispositions", o.in, accounted)
    check(where, "contributed = held + settled", o.contributed, o.held + o.settled)
  }
  for (const e of ledger.edges) check(e.edge, "sent = received", e.sent, e.received)
  for (const s of ledger.sinks) check(s.sink, "received = written + dead", s.received, s.written + s.dead)
  return found
}
