/**
 * The fiber round a keyed operator: windows, running aggregates, dedupe. It reads its edges, keeps their watermarks,
 * aligns barriers, and hands rows and the minimum of the watermarks (W_op, rule T3) to the pure operator.
 */
import * as Effect from "effect/Effect"
import type { RowChunk } from "../model/RowChunk.ts"
import { KeyedBatch, type KeyedOperator, type OperatorOutput } from "../streams/KeyedBatch.ts"
import type { Counters } from "../streams/Counters.ts"
import type { DedupeNode, RunningNode, WindowNode } from "../streams/Plan.ts"
import { DedupeState } from "../streams/state/DedupeState.ts"
import { GlobalState } from "../streams/state/GlobalState.ts"
import { SessionState } from "../streams/state/SessionState.ts"
import { timeWindows } from "../streams/state/SliceArithmetic.ts"
import { TimeWindowState } from "../streams/state/TimeWindowState.ts"
import type { ResultColumns } from "../streams/state/WindowResults.ts"
import type { Chain } from "./Chain.ts"
import { edgeBalances, Inbox, type Edge } from "./Edge.ts"
import type { Message, Sized } from "./Message.ts"
import type { OutEdge } from "./OutEdge.ts"
import type { Report, Task } from "./Task.ts"
import type { KeyedNode } from "./Topology.ts"

const boundsColumns = ["window_start", "window_end"] as const

/** The pure operator of a node. */
export const keyedOperator = (
  node: KeyedNode,
  ordered: boolean,
  counters: Counters
): KeyedOperator<KeyedBatch> | KeyedOperator<RowChunk> =>
  node.kind === "dedupe" ? dedupeOperator(node, ordered, counters) : aggregateOperator(node, ordered, counters)

const dedupeOperator = (node: DedupeNode, ordered: boolean, counters: Counters): DedupeState => {
  const { field, get } = node.id
  const id = get ?? ((row: unknown) => (row as { readonly [f: string]: unknown })[field as string])
  const late = node.late.kind === "to" ? "output" : node.late.kind
  return new DedupeState({ id, horizonMs: node.horizonMs, allowedLatenessMs: node.allowedLatenessMs, late, ordered }, counters)
}

const aggregateOperator = (
  node: WindowNode | RunningNode,
  ordered: boolean,
  counters: Counters
): KeyedOperator<KeyedBatch> => {
  const keyColumns = node.input.columns.length
  const columns: ResultColumns = {
    keys: node.input.columns.map((c) => c.name),
    bounds: node.kind === "window" ? boundsColumns : [],
    aggregates: node.aggregates.map((a) => a.name)
  }
  const options = { aggregates: node.aggregates.map((a) => a.spec), columns, ordered }
  if (node.kind === "running") return new GlobalState(keyColumns, { ...options, running: true }, counters)
  const keepsLateRows = node.late.kind === "to"
  switch (node.window.kind) {
    case "global":
      return new GlobalState(keyColumns, { ...options, running: false }, counters)
    case "session":
      return new SessionState(keyColumns, node.window.gapMs, { ...options, keepsLateRows }, counters)
    case "time": {
      const { sizeMs, slideMs, offsetMs } = node.window
      const { allowedLatenessMs } = node
      return new TimeWindowState(
        keyColumns,
        timeWindows(sizeMs, slideMs, offsetMs),
        { ...options, keepsLateRows, allowedLatenessMs },
        counters
      )
    }
  }
}

/** The edges of a task as barriers and watermarks see them: what aligned, what ended, the minimum. */
export class Alignment {
  readonly #inbox: Inbox
  readonly #watermarks: Array<number> = []
  readonly #ended: Array<boolean> = []
  /** The highest watermark of any edge; an end is none. */
  highest = -Infinity
  #aligned = 0
  #endedCount = 0

  constructor(inbox: Inbox) {
    this.#inbox = inbox
  }

  /** Notes a watermark; returns the minimum over the edges. An edge that has not spoken holds it at -Infinity. */
  watermark(edge: Edge, watermark: number): number {
    if (!(this.#watermarks[edge.index] >= watermark)) this.#watermarks[edge.index] = watermark
    if (watermark > this.highest && watermark !== Infinity) this.highest = watermark
    let min = Infinity
    for (let i = 0; i < this.#inbox.edges.length; i++) min = Math.min(min, this.#watermarks[i] ?? -Infinity)
    return min
  }

  /** Notes an end; returns whether all edges have ended. An ended edge no longer holds the minimum. */
  end(edge: Edge): boolean {
    if (this.#ended[edge.index] !== true) this.#endedCount++
    this.#ended[edge.index] = true
    return this.#endedCount === this.#inbox.edges.length
  }

  /** Holds the edge of a barrier; returns whether all edges have brought it. */
  barrier(edge: Edge): boolean {
    edge.held = true
    this.#aligned++
    return this.#aligned === this.#inbox.edges.length
  }

  /** After the barrier has been passed on: reads all edges again. */
  release(): void {
    this.#aligned = 0
    for (const edge of this.#inbox.edges) this.#inbox.release(edge)
  }
}

/** The actor of one instance of a keyed operator. */
export class WindowAggregator {
  readonly task: Task
  readonly inbox = new Inbox()
  readonly operator: KeyedOperator<never>
  readonly #report: (report: Report) => Effect.Effect<void>
  readonly #alignment: Alignment
  #chain: Chain | undefined
  #late: OutEdge | undefined
  readonly #output: OperatorOutput

  constructor(
    task: Task,
    node: KeyedNode,
    name: string,
    ordered: boolean,
    report: (report: Report) => Effect.Effect<void>
  ) {
    this.task = task
    this.#report = report
    this.#alignment = new Alignment(this.inbox)
    const operator = keyedOperator(node, ordered, task.counters(name, () => this.operator.held()))
    this.operator = operator as unknown as KeyedOperator<never>
    this.#output = {
      emit: (chunk) => this.#chain?.head.push(chunk),
      late: (rows) => this.#late?.stage({ length: rows.length, bytes: rows.length * 64, rows } as Sized)
    }
  }

  wire(chain: Chain, late: OutEdge | undefined): void {
    this.#chain = chain
    this.#late = late
    if (late !== undefined) this.task.out.push(late)
  }

  /** Runs until the attempt's scope closes. */
  readonly run: Effect.Effect<never, unknown> = Effect.gen({ self: this }, function* () {
    for (;;) {
      const edge = this.inbox.ready()
      if (edge === undefined) {
        yield* this.inbox.wait
        continue
      }
      const message = edge.poll() as Message<Sized>
      switch (message.tag) {
        case "data": {
          yield* this.#step(() => this.operator.process(edge.index, message.payload as never, this.#output))
          if (message.payload instanceof KeyedBatch) message.payload.release()
          if (message.watermark !== undefined) yield* this.#advance(this.#alignment.watermark(edge, message.watermark))
          else if (this.task.out.some((out) => out.isStaged)) yield* this.task.flush
          break
        }
        case "watermark":
          yield* this.#advance(this.#alignment.watermark(edge, message.watermark))
          break
        case "barrier":
          if (this.#alignment.barrier(edge)) yield* this.#barrier(message.epoch)
          break
        case "end": {
          const minimum = this.#alignment.watermark(edge, Infinity)
          if (this.#alignment.end(edge)) {
            yield* this.#step(() => this.operator.advance(Infinity, this.#output))
            // The last watermark is the highest of the inputs', in whichever order they ended.
            this.task.watermark = Math.max(this.task.watermark, this.#alignment.highest)
            yield* this.task.flush
            yield* this.task.broadcast({ tag: "end" })
          } else yield* this.#advance(minimum)
          break
        }
        default:
          break
      }
    }
  })

  /** One synchronous step of the operator and all that is fused behind it, then the effects it left. */
  #step(run: () => void): Effect.Effect<void, unknown> {
    try {
      run()
    } catch (thrown) {
      return this.task.failure(thrown)
    }
    return this.task.pending.length > 0 ? this.task.runPending : Effect.void
  }

  #advance(minimum: number): Effect.Effect<void, unknown> {
    if (minimum <= this.task.watermark) return this.task.flush
    return Effect.andThen(
      this.#step(() => this.operator.advance(minimum, this.#output)),
      Effect.suspend(() => {
        this.task.watermark = minimum
        return this.task.flush
      })
    )
  }

  #barrier(epoch: number): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function* () {
      yield* this.#step(() => this.operator.barrier(this.#output))
      yield* this.task.flush
      yield* this.#report({
        task: this.task.name,
        epoch,
        operators: this.task.balances(),
        edges: edgeBalances(this.inbox)
      })
      yield* this.task.broadcast({ tag: "barrier", epoch })
      this.#alignment.release()
    })
  }
}
