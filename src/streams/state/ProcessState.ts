/**
 * `EventStream.process`: calls a user's functions with the rows and timers of each key (rule A7). Pure and synchronous.
 *
 * Guarantees: of one key, rows come in the order of its edge, event timers in the order of their times, and no timer
 * after something that its time had passed. Fed by one partition alone, that holds between rows and timers too: before a
 * row with W_p come the timers up to W_p, wherever chunks were cut. Fed by several, timers wait for W_op (T3), and rows
 * of others come in between as they may: the one operator outside the promise that results do not depend on timing.
 *
 * An input row is forwarded or late (L1); what the functions give are new rows of the next edge. Nothing is held.
 */
import { Limits } from "../../model/Limits.ts"
import type { SnapshotValue } from "../../model/Snapshot.ts"
import { jsonText } from "../../model/Text.ts"
import type { Counters } from "../Counters.ts"
import type { KeyTuple } from "../KeyDictionary.ts"
import type { KeyedBatch, KeyedOperator, OperatorOutput } from "../KeyedBatch.ts"
import type { PlanNode, ProcessNode, ProcessSpec } from "../Plan.ts"
import { factsOf } from "../PlanFacts.ts"
import { type StateCodec, stateCodec } from "../StateCodec.ts"
import { AggregateFault } from "../UserCode.ts"
import { ProcessCall } from "./ProcessCall.ts"
import { ProcessKeys } from "./ProcessKeys.ts"
import { ProcessResults } from "./ProcessResults.ts"
import { restoreKeys, snapshotKeys } from "./ProcessSnapshot.ts"
import type { KeyTimer, TimeQueue } from "./Timers.ts"

/** Whether rows reach a node in the order of their partition, when they all come from one. */
const keepsOrder = (node: PlanNode): boolean => {
  switch (node.kind) {
    case "source":
      return true
    case "map":
    case "filter":
    case "flatMap":
    case "select":
    case "withEventTime":
    case "keyBy":
      return keepsOrder(node.input)
    case "mapEffect":
      return (node.ordered || !factsOf(node).timed) && keepsOrder(node.input)
    default:
      return false
  }
}

/**
 * The operator of a `process` node. `ordered`: someone downstream breaks ties by the total order. `isAlone`: says before
 * each batch whether all rows come by one edge. The node's `load` must have been awaited.
 */
export const processOperator = (
  node: ProcessNode,
  ordered: boolean,
  counters: Counters,
  isAlone: () => boolean
): KeyedOperator<KeyedBatch> =>
  new ProcessState(node, ordered, counters, keepsOrder(node.input) ? isAlone : () => false)

interface Stored {
  readonly watermark: Float64Array
  readonly next: number
  readonly keys: SnapshotValue
}

class ProcessState implements KeyedOperator<KeyedBatch> {
  readonly #spec: ProcessSpec
  readonly #late: ProcessNode["late"]["kind"]
  readonly #timed: boolean
  readonly #counters: Counters
  readonly #isAlone: () => boolean
  readonly #codec: StateCodec
  readonly #keys: ProcessKeys
  readonly #call: ProcessCall
  readonly #results: ProcessResults
  /** W_op, and what was sent: one falls behind the other only within a call of `advance`. */
  #watermark = -Infinity
  /** Highest W_p of a row. */
  #highest = -Infinity
  /** Timers set from here on wait for the next tick. */
  #tickSeq: number | undefined

  constructor(node: ProcessNode, ordered: boolean, counters: Counters, isAlone: () => boolean) {
    const { spec } = node
    const columns = node.input.columns.map((column) => column.name)
    this.#spec = spec
    this.#late = node.late.kind
    this.#timed = factsOf(node).timed
    this.#counters = counters
    this.#isAlone = isAlone
    this.#codec = stateCodec(spec.state)
    this.#keys = new ProcessKeys(columns.length, spec.ttlMs === "never" ? Infinity : spec.ttlMs)
    const options = { columns, timed: this.#timed, hasOnTimer: spec.onTimer !== undefined }
    this.#call = new ProcessCall(options, this.#keys, this.#codec)
    this.#results = new ProcessResults(this.#timed, ordered)
  }

  process(edge: number, batch: KeyedBatch, out: OperatorOutput): void {
    const { length: n, numbers, times, watermarks } = batch
    const ids = this.#keys.table.learn(edge, batch.delta)
    const isAlone = this.#timed && this.#isAlone()
    let late: Array<unknown> | undefined
    this.#counters.in += n
    for (let i = 0; i < n; i++) {
      const id = ids[numbers[i]]
      if (!this.#timed) {
        const { now } = this.#call
        this.#row(id, batch, i, now, now, -Infinity)
        continue
      }
      const w = watermarks[i]
      const t = times[i]
      if (w > this.#highest) this.#highest = w
      const watermark = isAlone && w > this.#watermark ? w : this.#watermark
      this.#fireDue(id, watermark)
      if (t < w && this.#late !== "forward") {
        this.#counters.late++
        if (this.#late === "to") (late ??= []).push(batch.rows?.[i])
      } else this.#row(id, batch, i, t, Math.max(t, w), watermark)
    }
    if (late !== undefined) out.late(late)
    this.#results.emit(this.#watermark, out)
  }

  /** `seenAt`: a late row counts as of its W_p, since what that has passed may have been freed. */
  #row(id: number, batch: KeyedBatch, i: number, time: number, seenAt: number, watermark: number): void {
    const call = this.#call
    const row = batch.rows?.[i]
    this.#counters.forwarded++
    this.#keys.open(id)
    call.enter(id, time, seenAt, watermark)
    try {
      this.#take(this.#spec.onRow(row, call.context), id)
    } catch (cause) {
      const { order } = batch
      const place = order === undefined ? undefined : { lane: order.lanes[i], ordinal: order.ordinals[i] }
      throw new AggregateFault(`process.onRow (key ${jsonText(call.record(id))})`, row, cause, place)
    }
    call.leave()
    this.#keys.settle(id)
    this.#fireDue(id, watermark)
  }

  /** The event timers of one key that are due, and those that they set for the same moment or before. */
  #fireDue(id: number, watermark: number): void {
    for (let due = this.#keys.dueOf(id, watermark); due !== undefined; due = this.#keys.dueOf(id, watermark))
      this.#fire(due, due.at, due.at)
  }

  /** A timer, in its time `time` and at this watermark. */
  #fire(timer: KeyTimer, time: number, watermark: number): void {
    const call = this.#call
    const { id, name, at, isEvent } = timer
    this.#keys.take(timer)
    call.enterTimer(timer, time, watermark)
    try {
      const given = { name, at, clock: isEvent ? "event" : "processing" } as const
      this.#take(this.#spec.onTimer?.(given, call.context), id)
    } catch (cause) {
      const which = `key ${jsonText(call.record(id))}, timer ${jsonText(name)} at ${at}`
      throw new AggregateFault(`process.onTimer (${which})`, undefined, cause)
    }
    call.leave()
    this.#keys.settle(id)
  }

  /** The rows that a function gave. */
  #take(given: unknown, id: number): void {
    if (given === undefined) return
    if (typeof given !== "object" || given === null || !(Symbol.iterator in given))
      throw new Error(
        `returned ${typeof given === "object" ? "an object" : jsonText(given)}: return a list of rows, or nothing`
      )
    const { time } = this.#call
    const tuple = this.#keys.table.keyOf(id)
    for (const row of given as Iterable<unknown>) this.#results.add(row, time, tuple)
  }

  advance(watermark: number, out: OperatorOutput): boolean {
    if (watermark === Infinity) return this.#end(out)
    if (!this.#fireUpTo(watermark, out)) return false
    this.#watermark = watermark
    if (this.#timed) this.#keys.free(watermark)
    return true
  }

  /** T11: what is due by the last watermark, then each timer that is still set; those set meanwhile are not. */
  #end(out: OperatorOutput): boolean {
    if (!this.#call.hasEnded && !this.#fireUpTo(Math.max(this.#watermark, this.#highest), out)) return false
    this.#call.hasEnded = true
    return this.#fireUpTo(Infinity, out)
  }

  /** Fires event timers in the order of their times; false when it stopped after a part. */
  #fireUpTo(watermark: number, out: OperatorOutput): boolean {
    return this.#fireAll(this.#keys.event, out, (timer) => timer.at <= watermark && this.#fireEvent(timer))
  }

  #fireEvent(timer: KeyTimer): boolean {
    this.#fire(timer, timer.at, timer.at)
    return true
  }

  #fireAll(queue: TimeQueue, out: OperatorOutput, fire: (timer: KeyTimer) => boolean): boolean {
    let done = false
    for (
      let fired = 0;
      !done && fired < Limits.resultsPerStepMax && this.#results.size < Limits.resultsPerStepMax;
      fired++
    ) {
      const timer = queue.first()
      done = timer === undefined || !fire(timer)
    }
    this.#results.emit(this.#watermark, out)
    return done
  }

  tick(nowMs: number, out: OperatorOutput): boolean {
    const keys = this.#keys
    this.#call.now = nowMs
    // A timer that sets itself for now again would never let go.
    const before = (this.#tickSeq ??= keys.processing.nextSeq)
    const done = this.#fireAll(keys.processing, out, (timer) => {
      if (timer.at > nowMs || timer.seq >= before) return false
      this.#fire(timer, this.#timed ? Math.max(this.#watermark, timer.since) : timer.at, this.#watermark)
      this.#fireDue(timer.id, this.#watermark)
      return true
    })
    if (!done) return false
    this.#tickSeq = undefined
    if (!this.#timed) keys.free(nowMs)
    return true
  }

  barrier(): void {
    // Rows leave as they come; nothing waits for the end of an epoch.
  }

  held(): number {
    return 0
  }

  keys(): number {
    return this.#keys.size
  }

  bytes(): number {
    return this.#keys.bytes()
  }

  snapshot(): SnapshotValue {
    return {
      watermark: Float64Array.of(this.#watermark, this.#highest),
      next: this.#results.next,
      keys: snapshotKeys(this.#keys, this.#spec.version)
    }
  }

  restore(snapshots: ReadonlyArray<SnapshotValue>, isMine: (key: KeyTuple) => boolean): void {
    for (const snapshot of snapshots) {
      const { watermark, next, keys } = snapshot as unknown as Stored
      this.#watermark = Math.max(this.#watermark, watermark[0])
      this.#highest = Math.max(this.#highest, watermark[1])
      this.#results.next = Math.max(this.#results.next, next)
      restoreKeys(this.#keys, keys, this.#spec, this.#codec, isMine)
    }
  }
}
