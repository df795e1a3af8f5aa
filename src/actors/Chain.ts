/**
 * Wires the operators that run inside one task: from what the task produces (a source's rows, a keyed operator's
 * results) through fused operators to exchanges and sinks. Each task has its own instances.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { fieldOf, type RowChunk } from "../model/RowChunk.ts"
import { missingService } from "../model/MissingService.ts"
import { textOf } from "../model/Text.ts"
import { dealById, KeyedExchange, type RefusedRow } from "../streams/Exchange.ts"
import { factsOf } from "../streams/PlanFacts.ts"
import type {
  DedupeNode,
  EventTimeNode,
  FilterNode,
  MapEffectNode,
  MapNode,
  PlanNode,
  ProcessNode,
  RunningNode,
  SelectNode,
  SinkNode,
  WindowNode
} from "../streams/Plan.ts"
import {
  type ChunkTarget,
  eventTimeOperator,
  failureOf,
  fanOut,
  filterOperator,
  flatMapOperator,
  mapOperator,
  OperatorFailure,
  unionBranch
} from "../streams/Stateless.ts"
import { WatermarkGenerator } from "../streams/Watermark.ts"
import type { Sized } from "./Message.ts"
import type { HasWatermark, OutEdge } from "./OutEdge.ts"
import { Passage } from "./Passage.ts"
import type { Task } from "./Task.ts"
import type { KeyedNode, Topology } from "./Topology.ts"

/** What a chain needs of the attempt that builds it. */
export interface ChainContext {
  readonly topology: Topology
  /** The rows of the task come with broker append times (rule T8). */
  readonly hasAppendTime: boolean
  /** Ingestion time of the chunk in hand, ms. */
  readonly now: () => number
  /** Makes the edges from this task to all instances of a keyed stage. */
  readonly edgesTo: (node: KeyedNode) => ReadonlyArray<OutEdge>
  readonly edgeToSink: (node: SinkNode) => OutEdge
}

/** The operators of one task. */
export interface Chain {
  /** Takes what the task produces. */
  readonly head: ChunkTarget
  /** The watermark generators in it, with their nodes. */
  readonly generators: ReadonlyArray<{ readonly node: EventTimeNode; readonly generator: WatermarkGenerator }>
}

interface Wired {
  readonly target: ChunkTarget
  readonly ports: ReadonlyArray<OutEdge>
}

/** Makes the operators that follow `root` inside this task, each once, wired down to exchanges and sinks. */
export const wireChain = (task: Task, root: PlanNode, context: ChainContext): Chain => {
  const { topology } = context
  const generators: Array<{ readonly node: EventTimeNode; readonly generator: WatermarkGenerator }> = []
  const wired = new Map<PlanNode | SinkNode, Wired>()

  const follow = (w: Wired, watermark: HasWatermark | undefined): Wired => {
    for (const port of w.ports) port.follow(watermark)
    return w
  }
  const after = (node: PlanNode, watermark: HasWatermark | undefined): Wired => {
    const next = (topology.consumers.get(node) ?? []).map((consumer) => enter(consumer, node, watermark))
    return { target: fanOut(next.map((w) => w.target)), ports: next.flatMap((w) => w.ports) }
  }
  /** The target through which rows of `from` enter `node`, following one more watermark. */
  const enter = (node: PlanNode | SinkNode, from: PlanNode, watermark: HasWatermark | undefined): Wired => {
    const known = wired.get(node)
    const w = known === undefined ? make(node, watermark) : follow(known, watermark)
    wired.set(node, w)
    if (node.kind !== "union" || !topology.needsOrder) return w
    const out = new Passage(w.target)
    const into = new Passage(unionBranch(node.inputs[0] === from ? 0 : 1, out))
    task.tie(
      `through ${topology.nameOf(node)}`,
      () => into.rows,
      () => out.rows
    )
    return { target: into, ports: w.ports }
  }
  const make = (node: PlanNode | SinkNode, watermark: HasWatermark | undefined): Wired => {
    if (node.kind === "sink") {
      const edge = context.edgeToSink(node)
      return follow({ target: { push: (chunk) => edge.stage(chunk) }, ports: [edge] }, watermark)
    }
    if (node.kind === "window" || node.kind === "running" || node.kind === "process") return keyedPort(node, watermark)
    if (node.kind === "dedupe") return dedupePort(node, watermark)
    const name = topology.nameOf(node)
    if (node.kind === "withEventTime") {
      const generator = new WatermarkGenerator(node.spec, context.hasAppendTime)
      generators.push({ node, generator })
      const next = after(node, generator)
      const timed = (out: ChunkTarget): ChunkTarget =>
        eventTimeOperator(name, generator, task.counters(name), context.now, task.buryRow, out)
      // Its ports follow the generator alone, whatever else the rows before it followed.
      return { target: watched(task, name, timed, next.target), ports: [] }
    }
    const next = after(node, watermark)
    if (node.kind === "source" || node.kind === "union" || node.kind === "keyBy") return next
    if (node.kind === "flatMap") {
      const made = { rows: 0 }
      const flat = (out: ChunkTarget): ChunkTarget =>
        flatMapOperator(name, node.f, topology.outputsPerRowMax, task.counters(name), made, out)
      return { target: watched(task, name, flat, next.target, () => made.rows), ports: next.ports }
    }
    return { target: watched(task, name, (out) => operator(task, node, name, out), next.target), ports: next.ports }
  }
  /** An exchange to the instances of a keyed stage; `deal` puts the parts of a chunk on its ports. */
  const port = (
    node: KeyedNode,
    watermark: HasWatermark | undefined,
    deal: (
      receivers: number,
      send: (receiver: number, part: Sized) => void
    ) => (chunk: RowChunk) => ReadonlyArray<RefusedRow>
  ): Wired => {
    const ports = context.edgesTo(node)
    const name = `${topology.nameOf(node)}.exchange`
    const counters = task.counters(name)
    let dealt = 0
    const put = deal(ports.length, (receiver, part) => {
      dealt += part.length
      ports[receiver].stage(part)
    })
    task.tie(
      `out of ${name}`,
      () => counters.forwarded,
      () => dealt
    )
    const push = (chunk: RowChunk): void => {
      const refused = guarded(name, chunk, () => put(chunk))
      counters.in += chunk.length
      counters.forwarded += chunk.length - refused.length
      counters.dead += refused.length
      for (const r of refused) task.buryRow(name, chunk, r.index, r.reason, r.detail)
    }
    return follow({ target: { push }, ports }, watermark)
  }
  const keyedPort = (node: WindowNode | RunningNode | ProcessNode, watermark: HasWatermark | undefined): Wired =>
    port(node, watermark, (receivers, send) => {
      const exchange = new KeyedExchange({
        key: node.input.columns,
        aggregates: node.kind === "process" ? [] : node.aggregates.map((a) => a.spec),
        receivers,
        needsRows: node.kind === "process" || (node.kind === "window" && node.late.kind === "to"),
        // A row of a process is known by its place when its function fails on it.
        needsOrder: topology.needsOrder || node.kind === "process"
      })
      return (chunk) => exchange.deal(chunk, send)
    })
  const dedupePort = (node: DedupeNode, watermark: HasWatermark | undefined): Wired =>
    port(node, watermark, (receivers, send) => (chunk) => dealById(chunk, node.id, receivers, send))

  return { head: after(root, root.kind === "source" ? undefined : task).target, generators }
}

/** Key, id and aggregate functions are user code too. */
const guarded = <A>(name: string, chunk: RowChunk, run: () => A): A => {
  try {
    return run()
  } catch (thrown) {
    throw failureOf(name, chunk, thrown)
  }
}

/**
 * An operator between two places where its rows are counted: what comes in is what it counts as such, and what it says
 * that it passed on comes out. `made`: rows that it says it made, where these are not those that it forwarded.
 */
const watched = (
  task: Task,
  name: string,
  make: (out: ChunkTarget) => ChunkTarget,
  next: ChunkTarget,
  made?: () => number
): ChunkTarget => {
  const counters = task.counters(name)
  const out = new Passage(next)
  const into = new Passage(make(out))
  task.tie(
    `into ${name}`,
    () => into.rows,
    () => counters.in
  )
  task.tie(`out of ${name}`, made ?? (() => counters.forwarded), () => out.rows)
  return into
}

const operator = (
  task: Task,
  node: MapNode | SelectNode | FilterNode | MapEffectNode,
  name: string,
  next: ChunkTarget
): ChunkTarget => {
  switch (node.kind) {
    case "map":
      return mapOperator(name, node.f, task.counters(name), next)
    case "select": {
      const columns = node.columns
      return mapOperator(name, (row) => project(row, columns), task.counters(name), next)
    }
    case "filter":
      return filterOperator(name, node.f, task.counters(name), next)
    case "mapEffect":
      return effectOperator(task, node, name, next)
  }
}

const project = (row: unknown, columns: ReadonlyArray<string>): unknown => {
  const out: { [column: string]: unknown } = {}
  for (const column of columns) out[column] = fieldOf(row, column)
  return out
}

const effectOf = (given: Effect.Effect<unknown, unknown>): Effect.Effect<unknown, unknown> =>
  Effect.isEffect(given) ? given : Effect.die(new TypeError(`${textOf(given)} is no Effect`))

/** Leaves its chunks to be run as effects; the step is not done before they are (rule T13). */
const effectOperator = (task: Task, node: MapEffectNode, name: string, next: ChunkTarget): ChunkTarget => {
  const counters = task.counters(name)
  const run = node.f as (row: unknown) => Effect.Effect<unknown, unknown>
  // Rows that have no watermark yet keep the partition's order, from which it will be computed (T2).
  const ordered = node.ordered || !factsOf(node).timed
  const push = (chunk: RowChunk): void => {
    counters.in += chunk.length
    const { rows } = chunk
    const out: Array<unknown> = []
    const from: Array<number> = []
    const one = (row: unknown, i: number): Effect.Effect<void, unknown> => {
      // A function that throws, an effect that dies and a value that is no effect are all user code that failed.
      const attempted = Effect.catchDefect(
        Effect.suspend(() => effectOf(run(row))),
        (cause) => {
          if (missingService(cause) !== undefined) return Effect.die(cause)
          return node.onError === "restart"
            ? task.failure(new OperatorFailure(name, chunk, i, cause))
            : Effect.fail(cause)
        }
      )
      if (node.onError === "restart") {
        return Effect.map(
          Effect.tapError(attempted, () => Effect.sync(() => task.noteFailedRow(chunk, i))),
          (value) => done(i, value)
        )
      }
      return Effect.map(Effect.result(attempted), (result) => {
        if (Result.isSuccess(result)) return done(i, result.success)
        counters.dead++
        task.buryRow(name, chunk, i, "user-code", textOf(result.failure))
      })
    }
    const done = (i: number, value: unknown): void => {
      out.push(value)
      from.push(i)
    }
    const finish = (): Effect.Effect<void, unknown> => {
      counters.forwarded += from.length
      if (from.length === 0) return Effect.void
      const order = ordered ? from.map((_, k) => k).sort((a, b) => from[a] - from[b]) : from.map((_, k) => k)
      const picked = chunk.pick(
        Int32Array.from(order, (k) => from[k]),
        from.length,
        order.map((k) => out[k])
      )
      try {
        next.push(picked)
        return Effect.void
      } catch (thrown) {
        return task.failure(thrown)
      }
    }
    task.pending.push(
      Effect.andThen(
        Effect.forEach(rows, one, { concurrency: node.concurrency, discard: true }),
        Effect.suspend(finish)
      )
    )
  }
  return { push }
}
