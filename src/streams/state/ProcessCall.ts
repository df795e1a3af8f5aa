/**
 * The call of a user's function that is going on, and the context it is given: state, timers and times of the key in
 * hand. One object serves all calls, and throws when it is used outside of them.
 */
import { Limits } from "../../model/Limits.ts"
import { show } from "../../model/Options.ts"
import { textOf } from "../../model/Text.ts"
import type { StateCodec } from "../StateCodec.ts"
import type { ProcessKeys } from "./ProcessKeys.ts"
import { KeyTimer } from "./Timers.ts"

/** The name of a timer that was given none. */
const standardName = "timer"

/** What stays the same from call to call. */
export interface ProcessCallOptions {
  readonly columns: ReadonlyArray<string>
  readonly timed: boolean
  readonly hasOnTimer: boolean
}

/** A call: the operator says what it is about, the context what the user asks for. */
export class ProcessCall {
  readonly #o: ProcessCallOptions
  readonly #keys: ProcessKeys
  readonly #codec: StateCodec
  /** The key in hand; -1: none. */
  #id = -1
  #timer: KeyTimer | undefined
  /** Event time of the row or timer; what comes out has it. */
  time = 0
  /** What counts for expiry: the moment that looks at the state, and the one that sets it. */
  #seenAt = 0
  #setAt = 0
  #watermark = -Infinity
  #late = false
  /** Processing time. */
  now = 0
  /** The input has ended: event timers are set no more (T11). */
  hasEnded = false
  /** What user code gets. */
  readonly context: object

  constructor(options: ProcessCallOptions, keys: ProcessKeys, codec: StateCodec) {
    this.#o = options
    this.#keys = keys
    this.#codec = codec
    this.context = this.#makeContext()
  }

  /** A row of event time `time` (processing time without). What counts for its key's state is time `seenAt`. */
  enter(id: number, time: number, seenAt: number, watermark: number): void {
    this.#id = id
    this.#timer = undefined
    this.time = time
    this.#seenAt = seenAt
    this.#setAt = seenAt
    this.#watermark = watermark
    this.#late = time < seenAt
  }

  /** A timer that has fired, at event time `time` (processing time without). */
  enterTimer(timer: KeyTimer, time: number, watermark: number): void {
    this.enter(timer.id, time, time, watermark)
    this.#timer = timer
    if (!this.#o.timed) this.#setAt = this.now
  }

  leave(): void {
    this.#id = -1
  }

  /** The columns of a key as a record. */
  record(id: number): { readonly [column: string]: unknown } {
    const tuple = this.#keys.table.keyOf(id)
    const record: { [column: string]: unknown } = {}
    for (let c = 0; c < this.#o.columns.length; c++) record[this.#o.columns[c]] = tuple[c]
    return record
  }

  #inHand(): number {
    if (this.#id < 0)
      throw new Error("the context of process is used after its call: read and set state and timers inside of it only")
    return this.#id
  }

  #get(): unknown {
    const json = this.#keys.stateAt(this.#inHand(), this.#seenAt)
    if (json === undefined) return undefined
    try {
      return this.#codec.open(json)
    } catch (cause) {
      const help = "what the checkpoint holds does not fit the Schema: raise version and give migrate"
      throw new Error(`state.get: ${help}: ${textOf(cause)}`, { cause })
    }
  }

  #set(state: unknown): void {
    const id = this.#inHand()
    if (state === undefined) throw new Error("state.set(undefined): call state.clear() to make it absent")
    try {
      this.#keys.set(id, this.#codec.seal(state), this.#setAt)
    } catch (cause) {
      throw new Error(`state.set: the value does not fit the state's Schema: ${textOf(cause)}`, { cause })
    }
    this.#seenAt = Math.max(this.#seenAt, this.#setAt)
  }

  #setTimer(method: string, isEvent: boolean, at: unknown, name: unknown): void {
    const id = this.#inHand()
    if (typeof at !== "number" || !Number.isFinite(at))
      throw new Error(`${method}(${show(at)}): must be epoch milliseconds`)
    if (typeof name !== "string") throw new Error(`${method}: the name ${show(name)} is no text`)
    if (!this.#o.hasOnTimer) throw new Error(`${method}: process has no onTimer that it could call`)
    if (isEvent && this.hasEnded) return this.#keys.cancel(id, name)
    // Whole milliseconds, not before it is wanted, and not in the past: what fires has a time that is not late.
    const due = Math.max(Math.ceil(at) + 0, isEvent ? this.#watermark : this.now)
    const by = this.#timer
    const repeats = by !== undefined && by.isEvent === isEvent && by.at === due ? by.repeats + 1 : 0
    if (repeats > Limits.timerRepeatsMax)
      throw new Error(`${method}: timers have set each other ${repeats} times for the moment they fired at, ${due}`)
    this.#keys.setTimer(new KeyTimer(id, name, due, isEvent, this.#seenAt, repeats))
  }

  #makeContext(): object {
    const call = this
    const state = Object.freeze({
      get: () => this.#get(),
      set: (value: unknown) => this.#set(value),
      clear: () => this.#keys.clear(this.#inHand())
    })
    const { timed } = this.#o
    return Object.freeze({
      get key() {
        return call.record(call.#inHand())
      },
      state,
      get now() {
        call.#inHand()
        return call.now
      },
      get time() {
        call.#inHand()
        return timed ? call.time : undefined
      },
      get watermark() {
        call.#inHand()
        return timed ? call.#watermark : undefined
      },
      get late() {
        call.#inHand()
        return call.#late
      },
      onEventTime: (at: unknown, name: unknown = standardName) => {
        if (!timed) throw new Error("onEventTime: there is no event time: call EventStream.withEventTime first")
        this.#setTimer("onEventTime", true, at, name)
      },
      onProcessingTime: (at: unknown, name: unknown = standardName) => {
        this.#setTimer("onProcessingTime", false, at, name)
      },
      cancel: (name: unknown = standardName) => {
        if (typeof name === "string") this.#keys.cancel(this.#inHand(), name)
      }
    })
  }
}
