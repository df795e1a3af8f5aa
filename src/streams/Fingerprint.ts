/**
 * What of a plan must not change silently (rules C7, C8): its fingerprint, as a checkpoint keeps it.
 *
 * In it is what results depend on: fields, windows, keys, aggregates, event time, modes, sinks, and how operators hang
 * together. Not in it is what they do not depend on: parallelism, chunk sizes, triggers, restarts, idleness, alignment.
 * A function stands in it as `<lambda>`: what it does cannot be seen, only the version that `EventStream.named` gave
 * it. Names of sources and sinks are those their connectors show to people, which hold no secrets.
 *
 * A parameter that has its default is left out, so that a later release may add parameters without changing the
 * fingerprints of plans that do not use them.
 */
import type { OperatorFingerprint, PlanFingerprint, PlanValue } from "../model/PlanFingerprint.ts"
import type { AnySink } from "../model/Sink.ts"
import type {
  DedupeNode,
  EventTimeSpec,
  KeyByNode,
  NamedAggregate,
  PlanNode,
  ProcessNode,
  QueryPlan,
  RowValue,
  SinkNode,
  WindowNode
} from "./Plan.ts"
import { inputsOf } from "./PlanFacts.ts"

/** The names that operators and writers run under; they are given by the one who lays the plan out. */
export interface FingerprintNames {
  readonly nameOf: (node: PlanNode) => string
  /** The writer of an output, of a late output's sink, of a source's sink for dead letters. */
  readonly writerOf: (at: SinkNode | AnySink) => string
}

type Parameters = { readonly [name: string]: PlanValue }
type Parts = Pick<OperatorFingerprint, "parameters" | "state">

const lambda = "<lambda>"

/** Milliseconds; JSON has no infinity. */
const span = (ms: number): PlanValue => (Number.isFinite(ms) ? ms : "forever")

const optional = (name: string, ms: number | undefined): Parameters => (ms === undefined ? {} : { [name]: span(ms) })

const valueOf = (value: RowValue): PlanValue => value.field ?? value.label

const eventTime = (spec: EventTimeSpec): Parameters => ({
  time: valueOf(spec.time),
  ...(spec.zone === undefined || spec.zone === "UTC" ? {} : { zone: spec.zone }),
  ...(spec.explicit === undefined ? { outOfOrdernessMs: span(spec.outOfOrdernessMs) } : { watermark: lambda }),
  ...(spec.maxFutureSkewMs === undefined
    ? {}
    : { maxFutureSkewMs: spec.maxFutureSkewMs === "off" ? "off" : span(spec.maxFutureSkewMs) })
})

const keyOf = (node: KeyByNode): PlanValue => node.columns.map(({ name, value }) => ({ name, of: valueOf(value) }))

const aggregatesOf = (aggregates: ReadonlyArray<NamedAggregate>): PlanValue =>
  aggregates.map(({ name, spec }) => ({
    name,
    label: spec.label,
    // A reducer without `merge` keeps rows where one with it keeps a state.
    ...(spec.needsOrder ? { ordered: true } : {})
  }))

const windowParameters = (node: WindowNode): Parameters => ({
  key: keyOf(node.input),
  window: { ...node.window },
  late: node.late.kind,
  ...(node.allowedLatenessMs > 0 ? { allowedLatenessMs: span(node.allowedLatenessMs) } : {}),
  ...(node.early ? { early: true } : {}),
  aggregates: aggregatesOf(node.aggregates)
})

const windowState = { time: "slices", session: "sessions", global: "keys" } as const

const dedupeParameters = (node: DedupeNode): Parameters => ({
  id: valueOf(node.id),
  late: node.late.kind,
  ...(node.allowedLatenessMs > 0 ? { allowedLatenessMs: span(node.allowedLatenessMs) } : {}),
  ...optional("horizonMs", node.horizonMs)
})

const processParts = (node: ProcessNode): Parts => {
  const { spec } = node
  return {
    parameters: {
      key: keyOf(node.input),
      late: node.late.kind,
      ttl: spec.ttlMs === "never" ? "never" : span(spec.ttlMs),
      f: lambda
    },
    state: { of: "process", version: spec.version, migrates: [...spec.migrate.keys()] }
  }
}

const partsOf = (node: PlanNode): Parts => {
  switch (node.kind) {
    case "source":
      return {
        parameters: { source: node.source.name, ...(node.select === undefined ? {} : { select: lambda }) },
        state: { of: "positions" }
      }
    case "map":
    case "filter":
    case "flatMap":
      return { parameters: { f: lambda } }
    case "mapEffect":
      return { parameters: { f: lambda, onError: node.onError } }
    case "select":
      return { parameters: { columns: node.columns } }
    case "withEventTime":
      return { parameters: eventTime(node.spec), state: { of: "watermarks" } }
    case "dedupe":
      return { parameters: dedupeParameters(node), state: { of: "ids" } }
    case "window":
      return { parameters: windowParameters(node), state: { of: windowState[node.window.kind] } }
    case "running":
      return {
        parameters: { key: keyOf(node.input), aggregates: aggregatesOf(node.aggregates) },
        state: { of: "keys" }
      }
    case "process":
      return processParts(node)
    case "union":
    case "keyBy":
      return { parameters: {} }
  }
}

/** The fingerprint of a plan. A key is part of the operator behind it, so `keyBy` is not an operator of its own here. */
export const fingerprintOf = (plan: QueryPlan, { nameOf, writerOf }: FingerprintNames): PlanFingerprint => {
  const operators: Array<OperatorFingerprint> = []
  const seen = new Set<PlanNode>()
  const ordered: Array<PlanNode> = []
  const visit = (node: PlanNode): void => {
    if (seen.has(node)) return
    seen.add(node)
    for (const input of inputsOf(node)) visit(input)
    ordered.push(node)
  }
  const nameBehindKey = (node: PlanNode): string => nameOf(node.kind === "keyBy" ? node.input : node)
  for (const { sink } of plan.outputs) visit(sink.input)
  for (const node of ordered) {
    if (node.kind === "keyBy") continue
    const { parameters, ...state } = partsOf(node)
    operators.push({
      name: nameOf(node),
      kind: node.kind,
      inputs: inputsOf(node).map(nameBehindKey),
      parameters: node.version === undefined ? parameters : { ...parameters, version: node.version },
      ...state
    })
  }
  for (const { name, sink } of plan.outputs) {
    const parameters = { sink: sink.sink.name, mode: sink.mode, ...optional("keepMs", sink.keepMs) }
    const state = sink.mode === "complete" ? { state: { of: "table" } } : {}
    const output = { name: `output ${name}`, kind: "output", inputs: [nameBehindKey(sink.input)] }
    operators.push({ ...output, parameters: { ...parameters, writer: writerOf(sink) }, ...state })
  }
  const side = (name: string, kind: string, of: PlanNode, sink: AnySink): void => {
    operators.push({ name, kind, inputs: [nameOf(of)], parameters: { sink: sink.name, writer: writerOf(sink) } })
  }
  for (const node of ordered) {
    if ((node.kind === "window" || node.kind === "dedupe" || node.kind === "process") && node.late.kind === "to")
      side(`late output of ${nameOf(node)}`, "late output", node, node.late.sink)
    if (node.kind === "source" && node.source.deadLetters !== undefined)
      side(`dead letters of ${nameOf(node)}`, "dead letters", node, node.source.deadLetters)
  }
  return { operators }
}
