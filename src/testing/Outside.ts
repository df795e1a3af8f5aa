/**
 * What stands around the processes of one history, and outlives them: logs in the place of sources, tables in the place of
 * sinks, but for those that the user keeps.
 */
import * as Effect from "effect/Effect"
import { sink as memorySink, type MemorySink } from "../connectors/memory/MemorySink.ts"
import type { AnySink, Mode } from "../model/Sink.ts"
import type { AnySource, QueryPlan } from "../streams/Plan.ts"
import { copyOf } from "./copyOf.ts"
import { faultySink, type SinkFault } from "./faultySink.ts"
import type { ProcessCalls } from "./HangingCalls.ts"
import { type OwnSink, watchedSink } from "./ownSink.ts"
import { simulatedPlan } from "./simulatedPlan.ts"
import type { Simulator } from "./Simulator.ts"

/** What an output holds in the end, and the mode it was written in. */
export interface Output {
  readonly mode: Mode
  readonly rows: ReadonlyArray<unknown>
}

/** Where rows of the query go. */
interface Held {
  readonly mode: Mode
  readonly table: MemorySink<unknown>
  readonly own: OwnSink | undefined
}

/** What of a history's outside does not change with the process. */
export interface Surroundings {
  /** What stands for each source, in the order of `places`. */
  readonly sources: ReadonlyArray<AnySource>
  /** The index of a source of the user's. */
  readonly placeOf: (source: AnySource) => number
  readonly own: ReadonlyArray<OwnSink>
  readonly faults: ReadonlyArray<SinkFault>
  readonly struck: (kind: SinkFault["kind"]) => void
}

/** The outside of one history. */
export class Outside {
  readonly #outputs = new Map<string, Held>()
  readonly #late = new Map<number, Held>()
  readonly #dead = new Map<number, Held>()
  readonly #o: Surroundings
  readonly #calls: { calls: number; readonly struck: (kind: SinkFault["kind"]) => void }

  constructor(o: Surroundings) {
    this.#o = o
    this.#calls = { calls: 0, struck: o.struck }
  }

  /** A plan in one process. */
  plan(plan: QueryPlan, simulator: Simulator, calls: ProcessCalls): QueryPlan {
    let lates = 0
    const { sources, placeOf, faults } = this.#o
    const faulty = (sink: unknown): AnySink => faultySink(simulator, sink as AnySink, faults, this.#calls)
    const stands = <K>(into: Map<K, Held>, key: K, sink: AnySink, mode: Mode): AnySink => {
      const { table, own } = this.#held(into, key, sink, mode)
      if (own !== undefined) return faulty(watchedSink(sink, calls))
      const { modes, deletes, multiWriter } = sink.features
      return { ...faulty(table), features: { modes, deletes, multiWriter, guarantee: "exactly-once" } }
    }
    const ready = sources.map((source, at): AnySource =>
      source.deadLetters === undefined
        ? source
        : { ...source, deadLetters: stands(this.#dead, at, source.deadLetters, "append") }
    )
    return simulatedPlan(plan, {
      source: (source) => ready[placeOf(source)],
      output: (name, { sink, mode }) => stands(this.#outputs, name, sink, mode),
      late: (sink) => stands(this.#late, lates++, sink, "append"),
      watch: calls.watch
    })
  }

  /** What each output holds. */
  get outputs(): { readonly [name: string]: Output } {
    return Object.fromEntries([...this.#outputs].map(([name, held]) => [name, { mode: held.mode, rows: rowsIn(held) }]))
  }

  /** What late outputs hold. */
  get late(): ReadonlyArray<unknown> {
    return rowsOfAll(this.#late)
  }

  /** What the sinks of dead letters hold. */
  get dead(): ReadonlyArray<unknown> {
    return rowsOfAll(this.#dead)
  }

  #held<K>(into: Map<K, Held>, key: K, sink: AnySink, mode: Mode): Held {
    const known = into.get(key)
    if (known !== undefined) return known
    const own = this.#o.own.find((one) => one.sink === sink)
    const held: Held = { mode, table: memorySink({ name: sink.name }), own }
    into.set(key, held)
    return held
  }
}

/** Copies: what the user shows is the list that it goes on with. */
const rowsIn = ({ mode, table, own }: Held): ReadonlyArray<unknown> =>
  own === undefined ? Effect.runSync(mode === "append" ? table.rows : table.table) : own.rows().map(copyOf)

/** Rows of sinks, each sink once, wherever it stands. */
const rowsOfAll = (all: ReadonlyMap<number, Held>): ReadonlyArray<unknown> => {
  const held = [...all.values()]
  return held
    .filter(({ own }, i) => own === undefined || held.findIndex((other) => other.own === own) === i)
    .flatMap(rowsIn)
}
