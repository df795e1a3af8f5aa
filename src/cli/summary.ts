/** What a query leaves on the screen when it ends: how it went, its ledger (rules L1 to L3), its dead letters. */
import type { QueryProgress } from "../actors/Progress.ts"
import { addBalances, imbalances, type Ledger, type OperatorBalance, type SinkBalance } from "../model/Ledger.ts"
import { resetCommand } from "./advice.ts"
import type { DeadSample } from "./DeadSamples.ts"
import { count, cut, many, oneLine, span } from "./words.ts"

/** How a query ended. */
export interface Outcome {
  readonly name: string
  readonly ended: "exhausted" | "drained" | "failed" | "timeout"
  /** Why, when it did not end well. */
  readonly error: string | undefined
  /** It failed because another process has taken it over, or runs it. */
  readonly owned?: "fenced" | "owned" | undefined
  /** The folder of its checkpoint, as it was said. */
  readonly checkpoint: string
  readonly progress: QueryProgress
  /** From the start of the queries to its end. */
  readonly elapsedMs: number
  readonly dead: { readonly place: string; readonly samples: ReadonlyArray<DeadSample> }
}

/** Whether an outcome is one to exit with 0 for. */
export const endedWell = (outcome: Outcome): boolean => outcome.ended === "exhausted" || outcome.ended === "drained"

const exchange = ".exchange"

/** One balance per operator, over all partitions, in the order of the plan. */
export const byOperator = (ledger: Ledger, plan: QueryProgress["plan"]): ReadonlyArray<OperatorBalance> => {
  const sums = new Map<string, OperatorBalance>()
  for (const balance of ledger.operators) {
    const known = sums.get(balance.operator)
    sums.set(balance.operator, known === undefined ? balance : addBalances(known, balance))
  }
  const place = new Map(plan.map(({ operator }, i) => [operator, i]))
  const placeOf = ({ operator }: OperatorBalance): number =>
    operator.endsWith(exchange)
      ? (place.get(operator.slice(0, -exchange.length)) ?? plan.length) - 0.5
      : (place.get(operator) ?? plan.length)
  return [...sums.values()].toSorted((a, b) => placeOf(a) - placeOf(b))
}

/** `in 48,210 = settled 47,002 + held 1,111 + late 97`. */
export const equation = (o: OperatorBalance): string => {
  const terms: ReadonlyArray<readonly [string, number]> = [
    ["forwarded", o.forwarded],
    ["settled", o.settled],
    ["held", o.held],
    ["filtered", o.filtered],
    ["duplicate", o.duplicate],
    ["late", o.late],
    ["outside every window", o.outside],
    ["quarantined", o.quarantined],
    ["dead", o.dead],
    ...Object.entries(o.dropped).map(([name, rows]) => [`dropped as ${oneLine(name)}`, rows] as const)
  ]
  const right = terms.filter(([, rows]) => rows > 0).map(([name, rows]) => `${name} ${count(rows)}`)
  const partly = o.partlyLate > 0 ? ` (${count(o.partlyLate)} of them late for some of their windows)` : ""
  return `in ${count(o.in)} = ${right.length === 0 ? "0" : right.join(" + ")}${partly}`
}

const sinkEquation = (s: SinkBalance): string =>
  `in ${count(s.received)} = written ${count(s.written)}${s.dead > 0 ? ` + dead ${count(s.dead)}` : ""}`

interface Line {
  readonly label: string
  readonly text: string
}

/** Sinks in the order of the plan; the last takes the dead letters that no source sends elsewhere. */
const sinkLines = ({ progress, dead }: Outcome): ReadonlyArray<Line> => {
  const own = progress.outputs.at(-1)
  return progress.outputs.flatMap((output): ReadonlyArray<Line> => {
    const { name, role } = output
    const sink = progress.ledger.sinks.find((balance) => balance.sink === name)
    if (sink === undefined || (role !== "output" && sink.received === 0)) return []
    const text = sinkEquation(sink)
    if (role === "output") return [{ label: name === "output" ? name : `output ${name}`, text }]
    if (role === "late") return [{ label: "late rows", text: `${text}  (${name})` }]
    return [{ label: "dead letters", text: `${text}  (${output === own ? `kept in ${dead.place}` : name})` }]
  })
}

/** Operators that pass on all they get say nothing, unless everything is to be said. */
const operatorLines = ({ progress }: Outcome, everything: boolean): ReadonlyArray<Line> => {
  const sources = new Set(progress.plan.filter(({ kind }) => kind === "source").map(({ operator }) => operator))
  return byOperator(progress.ledger, progress.plan)
    .filter((o) => everything || sources.has(o.operator) || o.in !== o.forwarded)
    .map((o) => ({ label: o.operator, text: equation(o) }))
}

const verdict = (ledger: Ledger): string => {
  const found = imbalances(ledger)
  if (found.length > 0) {
    const first = found[0]
    return `NOT balanced, a defect in tidemark: ${first.where}: ${first.equation} does not hold (${count(first.left)}, ${count(first.right)})`
  }
  const operators = new Set(ledger.operators.map((o) => o.operator)).size
  const checked = [many(operators, "operator"), many(ledger.edges.length, "edge"), many(ledger.sinks.length, "sink")]
  return `balanced: every row is accounted for (${checked.join(", ")})`
}

/** How a query went, in a line. */
export const headline = ({ ended, progress, elapsedMs, name }: Outcome): string => {
  const how = { exhausted: "all input read", drained: "stopped", failed: "FAILED", timeout: "CUT OFF" }[ended]
  const rate = elapsedMs > 0 ? ` (${count(Math.round((progress.rowsIn * 1000) / elapsedMs))} rows/s)` : ""
  const restarts = progress.restarts > 0 ? `, ${many(progress.restarts, "restart")}` : ""
  const { continued, epoch } = progress
  const from = continued === undefined || continued.epoch === 0 ? "" : ` (went on from ${count(continued.epoch)})`
  return `${name}  ${how}: ${many(progress.rowsIn, "row")} in ${span(elapsedMs)}${rate}, epoch ${count(epoch)}${from}${restarts}`
}

const remarks = ({ name, ended, owned, progress, checkpoint }: Outcome): ReadonlyArray<string> => {
  const { attempt, continued, epoch, ledger, rowsIn } = progress
  if (attempt === 0) return ["This run changed nothing."]
  // Where the query stands by now, only the one that has it knows.
  if (owned === "fenced") return []
  const since = continued === undefined || continued.epoch === 0 || rowsIn > 0 ? undefined : continued.epoch
  if (ended === "exhausted") {
    if (since === undefined) return []
    return [`Nothing new to read since epoch ${count(since)}; \`${resetCommand(name, checkpoint)}\` begins anew.`]
  }
  if (ended === "drained") {
    if (epoch === 0) return ["Nothing was read: the next run begins anew."]
    const held = ledger.operators.reduce((sum, o) => sum + o.held, 0)
    const open = held > 0 ? ` ${many(held, "row")} ${held === 1 ? "is" : "are"} in state that is kept.` : ""
    const nothing = since === undefined ? "" : `Nothing new to read since epoch ${count(since)}. `
    return [`${nothing}The next run goes on from epoch ${count(epoch)}.${open}`]
  }
  return [
    epoch === 0
      ? "No epoch was finished: there are no results."
      : `What came after epoch ${count(epoch)} is not in the results yet: the next run goes on from there.`
  ]
}

/** The summary of one query, a line each. */
export const summaryLines = (outcome: Outcome, everything: boolean): ReadonlyArray<string> => {
  const { ledger } = outcome.progress
  const lines = [headline(outcome)]
  if (ledger.epoch > 0) {
    if (outcome.progress.continued !== undefined) lines.push("  ledger since the first run:")
    const table = [...operatorLines(outcome, everything), ...sinkLines(outcome)]
    const width = Math.max(...table.map(({ label }) => label.length))
    for (const { label, text } of table) lines.push(`  ${oneLine(label).padEnd(width)}  ${text}`)
    for (const sample of outcome.dead.samples) {
      lines.push(`    ${oneLine(sample.place)}  ${sample.reason}: ${cut(oneLine(sample.detail), 120)}`)
    }
    lines.push(`  ledger ${verdict(ledger)}`)
  }
  for (const remark of remarks(outcome)) lines.push(`  ${remark}`)
  return lines
}

/** The same as one line of JSON. */
export const summaryJson = ({ name, ended, error, progress, elapsedMs, dead }: Outcome): string =>
  JSON.stringify({
    query: name,
    ended,
    ...(error === undefined ? {} : { error }),
    rows: progress.rowsIn,
    elapsedMs,
    epoch: progress.epoch,
    continuedFrom: progress.continued?.epoch ?? null,
    guarantee: progress.guarantee.delivery,
    restarts: progress.restarts,
    balanced: imbalances(progress.ledger).length === 0,
    dead: { kept: dead.place, samples: dead.samples },
    ledger: progress.ledger
  })
