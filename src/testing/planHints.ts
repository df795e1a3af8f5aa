/**
 * What a plan says of the rows of one of its sources: where the edges of time are, which fields are event times, keys and
 * ids. Feeds are made by it, so that rows fall on the edges that the plan has.
 */
import type { AnySource, PlanNode, QueryPlan } from "../streams/Plan.ts"
import { inputsOf } from "../streams/PlanFacts.ts"

/** Times at which something begins or ends: `offsetMs` and every `everyMs` from there. */
export interface Grid {
  readonly everyMs: number
  readonly offsetMs: number
}

/** Of one source in one plan. */
export interface Hints {
  readonly source: AnySource
  /** Event time: the field it is in; none where a function says it; undefined where there is no event time. */
  readonly time: { readonly field?: string } | undefined
  readonly keyFields: ReadonlySet<string>
  /** Fields by which copies are told from others: no two rows that are no copies may share them. */
  readonly idFields: ReadonlySet<string>
  readonly grids: ReadonlyArray<Grid>
  readonly gapsMs: ReadonlyArray<number>
  /** How far behind the newest row something happens: the watermark, the end of allowed lateness. */
  readonly behindMs: ReadonlyArray<number>
  /** A user's own code sees the rows in the order in which they come. */
  readonly isOrderSeen: boolean
  /** The clock guard is on, or the source has append times. */
  readonly needsAppendTimes: boolean
}

/** The nodes of a plan, each once, sources first. */
export const nodesOf = (plan: QueryPlan): ReadonlyArray<PlanNode> => {
  const seen = new Set<PlanNode>()
  const visit = (node: PlanNode): void => {
    if (seen.has(node)) return
    inputsOf(node).forEach(visit)
    seen.add(node)
  }
  for (const { sink } of plan.outputs) visit(sink.input)
  return [...seen]
}

/** The sources of a plan, each once. */
export const sourcesOf = (plan: QueryPlan): ReadonlyArray<AnySource> => [
  ...new Set(nodesOf(plan).flatMap((node) => (node.kind === "source" ? [node.source] : [])))
]

/**
 * Whether a user's own code comes after another operator by key: it then sees rows, and time, as the instances of that
 * operator hand them on, and its results may depend on timing, as with several partitions (rule A7).
 */
export const seesInstances = (plan: QueryPlan): boolean => {
  const keyed = new Set<PlanNode>()
  for (const node of nodesOf(plan)) {
    const isBelow = inputsOf(node).some((input) => keyed.has(input))
    if (node.kind === "process" && isBelow) return true
    if (isBelow || ["window", "running", "dedupe", "process"].includes(node.kind)) keyed.add(node)
  }
  return false
}

/** Collects what nodes downstream of a source say. */
export const hintsFor = (plan: QueryPlan, source: AnySource): Hints => {
  const below = new Set<PlanNode>()
  const keyFields = new Set<string>()
  const idFields = new Set<string>()
  const grids: Array<Grid> = []
  const gapsMs: Array<number> = []
  const behindMs: Array<number> = []
  let time: Hints["time"]
  let isOrderSeen = false
  let needsAppendTimes = source.features.appendTime
  for (const node of nodesOf(plan)) {
    const isMine = node.kind === "source" ? node.source === source : inputsOf(node).some((input) => below.has(input))
    if (!isMine) continue
    below.add(node)
    switch (node.kind) {
      case "withEventTime": {
        const { field } = node.spec.time
        time ??= field === undefined ? {} : { field }
        behindMs.push(node.spec.outOfOrdernessMs)
        if (typeof node.spec.maxFutureSkewMs === "number") needsAppendTimes = true
        break
      }
      case "keyBy":
        for (const { value } of node.columns) if (value.field !== undefined) keyFields.add(value.field)
        break
      case "dedupe":
        if (node.id.field !== undefined) idFields.add(node.id.field)
        behindMs.push(node.allowedLatenessMs)
        break
      case "window": {
        const { window } = node
        if (window.kind === "session") gapsMs.push(window.gapMs)
        if (window.kind === "time") {
          const { slideMs, sizeMs, offsetMs } = window
          grids.push({ everyMs: slideMs, offsetMs })
          if (sizeMs % slideMs !== 0) grids.push({ everyMs: slideMs, offsetMs: offsetMs + sizeMs })
        }
        if (node.allowedLatenessMs > 0) behindMs.push(node.allowedLatenessMs)
        break
      }
      case "process":
        isOrderSeen = true
        break
      default:
        break
    }
  }
  return { source, time, keyFields, idFields, grids, gapsMs, behindMs, isOrderSeen, needsAppendTimes }
}
