/**
 * The fiber round a keyed operator: windows, running aggregates, dedupe, process. It reads its edges, keeps their watermarks,
 * aligns barriers, and hands rows and the minimum of the watermarks (W_op, rule T3) to the pure operator.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { QueryError } from "../model/Errors.ts"
import { fieldOf, type RowChunk } from "../model/RowChunk.ts"
import { windowColumns } from "../model/WindowColumns.ts"
import { KeyedBatch, type KeyedOperator, type OperatorOutput } from "../streams/KeyedBatch.ts"
import type { Counters } from "../streams/Counters.ts"
import type { KeyTuple } from "../streams/KeyDictionary.ts"
import type { DedupeNode, RunningNode, WindowNode } from "../streams/Plan.ts"
import { DedupeState } from "../streams/state/DedupeState.ts"
import { processOperator } from "../streams/state/ProcessState.ts"
import { GlobalState } from "../streams/state/GlobalState.ts"
import { SessionState } from "../streams/state/SessionState.ts"
import { timeWindows } from "../streams/state/SliceArithmetic.ts"
import { TimeWindowState } from "../streams/state/TimeWindowState.ts"
import type { ResultColumns } from "../streams/state/WindowResults.ts"
import { StateFault } from "../streams/UserCode.ts"
import { Alignment } from "./Alignment.ts"
import type { Chain } from "./Chain.ts"
import { edgeBalances, Inbox, type Edge } from "./Edge.ts"
import type { Data, Message, Sized } from "./Message.ts"
import type { OutEdge } from "./OutEdge.ts"
import { type Report, snapshotting, type Task } from "./Task.ts"
import { type Recovered, stateKeys } from "./TaskState.ts"
import type { KeyedNode } from "./Topology.ts"

/** The pure operator of a node. `isAlone`: whether one edge alone feeds it. */
export const keyedOperator = (
  node: KeyedNode,
  ordered: boolean,
  counters: Counters,
  isAlone: () => boolean
): KeyedOperator<KeyedBatch> | KeyedOperator<RowChunk> => {
  if (node.kind === "dedupe") return dedupeOperator(node, ordered, counters)
  if (node.kind === "process") return processOperator(node, ordered, counters, isAlone)
  return aggregateOperator(node, ordered, counters)
}

const dedupeOperator = (node: DedupeNode, ordered: boolean, counters: Counters): DedupeState => {
  const { field, get } = node.id
  const id = get ?? ((row: unknown) => fieldOf(row, field as string))
  const late = node.late.kind === "to" ? "output" : node.late.kind
  return new DedupeState(
    { id, horizonMs: node.horizonMs, allowedLatenessMs: node.allowedLatenessMs, late, ordered },
    counters
  )
}

const aggregateOperator = (
  node: WindowNode | RunningNode,
  ordered: boolean,
  counters: Counters
): KeyedOperator<KeyedBatch> => {
  const keyColumns = node.input.columns.length
  const columns: ResultColumns = {
    keys: node.input.columns.map((c) => c.name),
    bounds: node.kind === "window" ? windowColumns : [],
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
      const { allowedLatenessMs, early } = node
      return new TimeWindowState(
        keyColumns,
        timeWindows(sizeMs, slideMs, offsetMs),
        { ...options, keepsLateRows, allowedLatenessMs, early },
        counters
      )
    }
  }
}

const doesNotFit = (task: Task, fault: StateFault): QueryError =>
  new QueryError({
    reason: "PlanChanged",
    query: task.query,
    message: `query ${task.query} cannot go on from its checkpoint: ${task.name}: ${fault.message}`,
    cause: fault
  })

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

  readonly #stateKey: string
  #ended = false
  /** Rows that have come since the attempt began. */
  #entered = 0
  #tickDue = false
  /** Something came out because time passed, not because input came. */
  hasStirred = false
  #clock: Clock.Clock = Clock.Clock.defaultValue()

  constructor(
    task: Task,
    node: KeyedNode,
    name: string,
    instance: number,
    ordered: boolean,
    report: (report: Report) => Effect.Effect<void>
  ) {
    this.task = task
    this.#report = report
    this.#stateKey = stateKeys.operator(name, instance)
    this.#alignment = new Alignment(this.inbox)
    const counters = task.counters(name, () => this.operator.held())
    const operator = keyedOperator(node, ordered, counters, () => this.inbox.edges.length === 1)
    this.operator = operator as unknown as KeyedOperator<never>
    let emitted = 0
    let late = 0
    this.#output = {
      emit: (chunk) => {
        emitted += chunk.length
        this.#chain?.head.push(chunk)
      },
      late: (rows) => {
        late += rows.length
        this.#late?.stage({ length: rows.length, bytes: rows.length * 64, rows } as Sized)
      }
    }
    task.tie(
      `into ${name}`,
      () => this.#entered,
      () => counters.in
    )
    if (node.kind === "dedupe")
      task.tie(
        `out of ${name}`,
        () => counters.forwarded,
        () => emitted
      )
    if (node.kind !== "running" && node.late.kind === "to")
      task.tie(
        `late rows of ${name}`,
        () => counters.late,
        () => late
      )
    task.tieDead()
  }

  wire(chain: Chain, late: OutEdge | undefined): void {
    this.#chain = chain
    this.#late = late
    if (late !== undefined) this.task.out.push(late)
  }

  /** Goes on from a checkpoint: of what the instances before it held, the keys that are now its own. Before `run`. */
  restore(from: ReturnType<Recovered["operatorStates"]>, isMine: (key: KeyTuple) => boolean): void {
    if (from.states.length === 0) return
    try {
      this.operator.restore(
        from.states.map((state) => state.operator),
        isMine
      )
    } catch (thrown) {
      throw thrown instanceof StateFault ? doesNotFit(this.task, thrown) : thrown
    }
    for (const state of from.states) {
      this.task.watermark = Math.max(this.task.watermark, state.watermark)
      this.#ended ||= state.ended
      if (from.takesCounts) this.task.restoreCounters(state.counters)
    }
  }

  /** Runs until the attempt's scope closes. */
  readonly run: Effect.Effect<never, unknown> = Effect.gen({ self: this }, function* () {
    this.#clock = yield* Clock.Clock
    // What comes after learns where this operator stands (C1).
    yield* this.task.flush
    for (;;) {
      if (this.#tickDue) yield* this.#tick() ?? Effect.void
      const edge = this.inbox.ready()
      if (edge === undefined) {
        yield* this.inbox.wait
        continue
      }
      const message = edge.poll() as Message<Sized>
      switch (message.tag) {
        case "data":
          // One operation a message at least: it is where the scheduler can give others their turn.
          yield* this.#data(edge, message) ?? Effect.void
          break
        case "watermark":
          yield* this.#advance(this.#alignment.watermark(edge, message.watermark)) ?? Effect.void
          break
        case "barrier":
          if (this.#alignment.barrier(edge)) yield* this.#barrier(message.epoch)
          break
        case "end": {
          const minimum = this.#alignment.watermark(edge, Infinity)
          if (this.#alignment.end(edge)) {
            this.#ended = true
            const left = this.#emit(Infinity, () => undefined)
            if (left !== undefined) yield* left
            // The last watermark is the highest of the inputs', in whichever order they ended.
            this.task.watermark = Math.max(this.task.watermark, this.#alignment.highest)
            yield* this.task.flush
            yield* this.task.broadcast({ tag: "end" })
          } else yield* this.#advance(minimum) ?? Effect.void
          break
        }
        default:
          break
      }
    }
  })

  /** Lets an operator that lives by the clock see it soon; says whether it does. From outside of its fiber. */
  wakeByClock(): void {
    if (this.operator.tick === undefined || this.#ended) return
    this.#tickDue = true
    this.inbox.wake()
  }

  /** Lets the operator emit what the clock has made due, part by part. */
  #tick(): Effect.Effect<void, unknown> | undefined {
    let done = false
    return this.task.step(
      () => {
        const output: OperatorOutput = {
          ...this.#output,
          emit: (chunk) => {
            this.hasStirred = true
            this.#output.emit(chunk)
          }
        }
        done = this.operator.tick?.(this.#clock.currentTimeMillisUnsafe(), output) ?? true
        this.#tickDue = !done
      },
      () => this.task.flushNow()
    )
  }

  /** Rows of one edge; what is left to run, if anything. */
  #data(edge: Edge, message: Data<Sized>): Effect.Effect<void, unknown> | undefined {
    const { payload } = message
    return this.task.step(
      () => {
        this.operator.tick?.(this.#clock.currentTimeMillisUnsafe(), this.#output)
        this.#entered += payload.length
        this.operator.process(edge.index, payload as never, this.#output)
        if (payload instanceof KeyedBatch) payload.release()
      },
      () =>
        message.watermark === undefined
          ? this.task.flushNow()
          : this.#advance(this.#alignment.watermark(edge, message.watermark))
    )
  }

  #advance(minimum: number): Effect.Effect<void, unknown> | undefined {
    if (minimum <= this.task.watermark) return this.task.flushNow()
    return this.#emit(minimum, () => {
      this.task.watermark = minimum
      return this.task.flushNow()
    })
  }

  /** Lets the operator emit up to a watermark, part by part, each sent before the next is made; then `after`. */
  #emit(watermark: number, after: () => Effect.Effect<void> | undefined): Effect.Effect<void, unknown> | undefined {
    let done = false
    return this.task.step(
      () => {
        done = this.operator.advance(watermark, this.#output)
      },
      () =>
        done
          ? after()
          : Effect.andThen(
              this.task.flush,
              Effect.suspend(() => this.#emit(watermark, after) ?? Effect.void)
            )
    )
  }

  #barrier(epoch: number): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function* () {
      const left = this.task.step(
        () => this.operator.barrier(this.#output),
        () => this.task.flushNow()
      )
      if (left !== undefined) yield* left
      const { value, pauseMs } = snapshotting(this.#clock, () => ({
        watermark: this.task.watermark,
        counters: this.task.snapshotCounters(),
        operator: this.operator.snapshot(),
        ended: this.#ended
      }))
      yield* this.#report({
        task: this.task.name,
        epoch,
        operators: this.task.balances(),
        edges: [...edgeBalances(this.inbox), ...this.task.losses()],
        state: { key: this.#stateKey, value },
        pauseMs
      })
      yield* this.task.broadcast({ tag: "barrier", epoch })
      this.#alignment.release()
    })
  }
}
