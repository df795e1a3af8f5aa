/**
 * From the logical plan to what runs: which sources, keyed stages and sinks there are, who consumes what, and the
 * names under which operators appear in the ledger, errors and (later) checkpoints.
 *
 * Names are the user's, or derived from structure: the kind and its number in the order of the outputs.
 */
import type { OptionProblem } from "../model/Errors.ts"
import type { AnySink, Mode, Sink } from "../model/Sink.ts"
import type { Source } from "../model/Source.ts"
import { guardSink } from "./Guard.ts"
import { factsOf, inputsOf } from "../streams/PlanFacts.ts"
import type {
  DedupeNode,
  EventTimeNode,
  PlanNode,
  ProcessNode,
  QueryPlan,
  RunningNode,
  SinkNode,
  SourceNode,
  WindowNode
} from "../streams/Plan.ts"

/** A sink with its requirements met: fibers inherit the services of the query. */
export type ReadySink = Sink<unknown, Mode, unknown, never>

/** A source with its requirements met. */
export type ReadySource = Source<unknown, unknown, unknown, never>

/** Operators with state by key: each gets fibers of its own, behind a hash exchange. */
export type KeyedNode = WindowNode | RunningNode | DedupeNode | ProcessNode

/** One sink as the query runs it: an output, a late output or the dead letters. */
export interface SinkStage {
  /** The writer's name: unique in the query. */
  readonly name: string
  readonly role: "output" | "late" | "dead"
  readonly sink: ReadySink
  readonly mode: Mode
  readonly identity: ReadonlyArray<string>
  readonly keepMs: number | undefined
}

/** What runs, and how it hangs together; derived once from the plan, read by every attempt. */
export interface Topology {
  readonly sources: ReadonlyArray<SourceNode>
  readonly keyed: ReadonlyArray<KeyedNode>
  readonly sinks: ReadonlyArray<SinkStage>
  readonly consumers: ReadonlyMap<PlanNode, ReadonlyArray<PlanNode | SinkNode>>
  readonly nameOf: (node: PlanNode) => string
  /** The stage of an output node, of a late sink, or of a source's (else the query's) dead letters. */
  readonly stageOf: (at: SinkNode | AnySink) => SinkStage
  readonly dead: SinkStage
  /** Timed streams that meet somewhere downstream share idleness and alignment (T7, T14): one of them stands for all. */
  readonly meetingOf: (node: EventTimeNode) => EventTimeNode
  /** Some aggregate breaks ties by the total order, so rows carry their place in it. */
  readonly needsOrder: boolean
  /** How many outputs of one row a flatMap tells apart in that order. */
  readonly outputsPerRowMax: number
  readonly problems: ReadonlyArray<OptionProblem>
}

const isKeyed = (node: PlanNode): node is KeyedNode =>
  node.kind === "window" || node.kind === "running" || node.kind === "dedupe" || node.kind === "process"

/** Lays out a plan. `deadLetters` takes what no source's own dead-letter sink does. */
export const layOut = (plan: QueryPlan, deadLetters: AnySink): Topology => {
  const consumers = new Map<PlanNode, Array<PlanNode | SinkNode>>()
  const names = new Map<PlanNode, string>()
  const problems: Array<OptionProblem> = []
  const order: Array<PlanNode> = []
  const counts = new Map<string, number>()
  const taken = new Set<string>()

  const visit = (node: PlanNode): void => {
    if (names.has(node)) return
    names.set(node, "")
    for (const input of inputsOf(node)) {
      visit(input)
      link(input, node)
    }
    names.set(node, nameFor(node))
    order.push(node)
    problems.push(...node.problems)
    if (node.kind === "source") problems.push(...(node.source.problems ?? []))
  }
  const link = (from: PlanNode, to: PlanNode | SinkNode): void => {
    const known = consumers.get(from)
    if (known === undefined) consumers.set(from, [to])
    else known.push(to)
  }
  const nameFor = (node: PlanNode): string => {
    const kind = node.kind === "source" ? `source ${node.source.name}` : node.kind
    let name = node.name
    // The exchange before a keyed operator counts under a name of its own.
    while (name === undefined || taken.has(name) || taken.has(`${name}.exchange`)) {
      const n = (counts.get(kind) ?? 0) + 1
      counts.set(kind, n)
      if (node.name !== undefined && n === 1) {
        problems.push({ option: "EventStream.named", value: `"${node.name}"`, fix: "names two operators of one query" })
      }
      name = node.kind === "source" && n === 1 ? kind : `${kind}-${n}`
    }
    taken.add(name)
    if (isKeyed(node)) taken.add(`${name}.exchange`)
    return name
  }

  const stages = new Map<unknown, SinkStage>()
  const sinks: Array<SinkStage> = []
  const addStage = (key: unknown, made: SinkStage): SinkStage => {
    const known = stages.get(key)
    if (known !== undefined) return known
    // Outputs come first and keep their names, such as "dead"; a writer's name must be its own.
    let stage = made
    for (let n = 2; sinks.some((other) => other.name === stage.name); n++)
      stage = { ...made, name: `${made.name}-${n}` }
    stages.set(key, stage)
    sinks.push(stage)
    problems.push(...(stage.sink.problems ?? []))
    return stage
  }
  for (const output of plan.outputs) {
    visit(output.sink.input)
    link(output.sink.input, output.sink)
    problems.push(...output.sink.problems)
    addStage(output.sink, outputStage(output.name, output.sink))
  }
  checkShared(plan, problems)
  checkPublished(
    order.filter((node) => node.kind === "source"),
    problems
  )
  for (const node of order) if (node.kind === "withEventTime") checkOneOrder(node.input, problems)
  for (const node of order) {
    if (isKeyed(node) && node.kind !== "running" && node.late.kind === "to") {
      addStage(node.late.sink, sideStage(`late-${names.get(node) ?? ""}`, "late", node.late.sink))
    }
  }
  for (const node of order) {
    if (node.kind !== "source" || node.source.deadLetters === undefined) continue
    addStage(node.source.deadLetters, sideStage(`dead-${names.get(node) ?? ""}`, "dead", node.source.deadLetters))
  }
  const dead = addStage(deadLetters, sideStage("dead", "dead", deadLetters))

  return {
    sources: order.filter((node) => node.kind === "source"),
    keyed: order.filter(isKeyed),
    sinks,
    consumers,
    nameOf: (node) => names.get(node) ?? node.kind,
    stageOf: (at) => stages.get(at) ?? dead,
    dead,
    meetingOf: meetings(order),
    outputsPerRowMax: outputsPerRowMax(order),
    needsOrder: order.some(
      (node) => (node.kind === "window" || node.kind === "running") && node.aggregates.some((a) => a.spec.needsOrder)
    ),
    problems
  }
}

/**
 * The index of an output among all that come of one row of a source is one number (A1): each union on the way doubles
 * it, each flatMap multiplies it. What is left of 53 bits after the unions is shared by the flatMaps.
 */
const outputsPerRowMax = (order: ReadonlyArray<PlanNode>): number => {
  const unions = new Map<PlanNode, number>()
  const flatMaps = new Map<PlanNode, number>()
  for (const node of order) {
    // Results of a keyed operator have a place of their own.
    const inputs = isKeyed(node) ? [] : inputsOf(node)
    const most = (of: ReadonlyMap<PlanNode, number>): number =>
      Math.max(0, ...inputs.map((input) => of.get(input) ?? 0))
    unions.set(node, most(unions) + (node.kind === "union" ? 1 : 0))
    flatMaps.set(node, most(flatMaps) + (node.kind === "flatMap" ? 1 : 0))
  }
  const bits = (53 - Math.max(0, ...unions.values())) / Math.max(1, ...flatMaps.values())
  return 2 ** Math.max(0, Math.floor(bits))
}

/** Joins the timed streams above each node into one group. */
const meetings = (order: ReadonlyArray<PlanNode>): ((node: EventTimeNode) => EventTimeNode) => {
  const parent = new Map<EventTimeNode, EventTimeNode>()
  const find = (node: EventTimeNode): EventTimeNode => {
    const up = parent.get(node) ?? node
    return up === node ? node : find(up)
  }
  /** One timed stream above each node visited so far; inputs come before the nodes that read them. */
  const above = new Map<PlanNode, EventTimeNode>()
  for (const node of order) {
    if (node.kind === "withEventTime") above.set(node, node)
    for (const input of inputsOf(node)) {
      const theirs = above.get(input)
      if (theirs === undefined) continue
      const mine = above.get(node)
      if (mine === undefined) above.set(node, theirs)
      else if (node.kind !== "withEventTime" && find(mine) !== find(theirs)) parent.set(find(theirs), find(mine))
    }
  }
  return find
}

const outputStage = (name: string, node: SinkNode): SinkStage => ({
  name,
  role: "output",
  sink: guardSink(node.sink as unknown as ReadySink),
  mode: node.mode,
  identity: factsOf(node.input).identity ?? [],
  keepMs: node.keepMs
})

const sideStage = (name: string, role: "late" | "dead", sink: AnySink): SinkStage => ({
  name,
  role,
  sink: guardSink(sink as unknown as ReadySink),
  mode: "append",
  identity: [],
  keepMs: undefined
})

/**
 * T2: a watermark is computed in the order of each partition. Rows of a source that was split and joined again have
 * none: how the parts interleave depends on where chunks are cut.
 */
const checkOneOrder = (input: PlanNode, problems: Array<OptionProblem>): void => {
  const known = new Map<PlanNode, ReadonlySet<PlanNode>>()
  const sources = (node: PlanNode): ReadonlySet<PlanNode> => {
    const before = known.get(node)
    if (before !== undefined) return before
    const found = node.kind === "source" ? new Set([node]) : joined(node)
    known.set(node, found)
    return found
  }
  const joined = (node: PlanNode): ReadonlySet<PlanNode> => {
    const [first, ...others] = inputsOf(node).map(sources)
    const all = new Set(first)
    for (const source of others.flatMap((other) => [...other])) {
      if (all.has(source) && source.kind === "source") {
        problems.push({
          option: "EventStream.withEventTime",
          value: `rows of ${source.source.name}, split and joined again by a union`,
          fix: "have no one order that a watermark could follow: call withEventTime before the stream is split"
        })
      }
      all.add(source)
    }
    return all
  }
  sources(input)
}

/** A source that publishes positions publishes those of one reading. */
const checkPublished = (sources: ReadonlyArray<SourceNode>, problems: Array<OptionProblem>): void => {
  for (const [i, { source }] of sources.entries()) {
    if (source.committed === undefined || sources.findIndex((other) => other.source === source) === i) continue
    const fix = "publishes positions, and is read twice: read it by one EventStream.from, and split its rows"
    problems.push({ option: "EventStream.from", value: source.name, fix })
  }
}

/** Two outputs may share one sink only when it takes several writers (rule M1). */
const checkShared = (plan: QueryPlan, problems: Array<OptionProblem>): void => {
  const seen = new Map<unknown, string>()
  for (const { name, sink } of plan.outputs) {
    const other = seen.get(sink.sink)
    if (other !== undefined && !sink.sink.features.multiWriter) {
      problems.push({
        option: `output ${name}`,
        value: sink.sink.name,
        fix: `is also the sink of output ${other}: give each its own`
      })
    }
    seen.set(sink.sink, name)
  }
}
