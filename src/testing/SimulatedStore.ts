/**
 * A remote object store in the simulator, such as Azure Blob: each call takes its time, may fail, and may be done without a
 * reply. It replicates what it holds, and outlives processes and losses of power.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { StoreError } from "../model/Errors.ts"
import type { ObjectStore } from "../model/ObjectStore.ts"
import type { Simulator } from "./Simulator.ts"

/** What goes wrong at a call, counted over the calls of all processes. */
export interface StoreFault {
  readonly kind: "fails" | "no reply"
  readonly atCall: number
  readonly calls: number
}

/** The objects themselves, whoever reads and writes them. */
export class SimulatedObjects {
  readonly #objects = new Map<string, Uint8Array>()
  #sorted: ReadonlyArray<string> | undefined = []
  #calls = 0

  /** Names that begin with a prefix, sorted. */
  names(prefix: string): ReadonlyArray<string> {
    this.#sorted ??= [...this.#objects.keys()].sort()
    return this.#sorted.filter((name) => name.startsWith(prefix))
  }

  get(name: string): Uint8Array | undefined {
    return this.#objects.get(name)
  }

  set(name: string, bytes: Uint8Array): void {
    if (!this.#objects.has(name)) this.#sorted = undefined
    this.#objects.set(name, bytes)
  }

  /** The store as processes see it. */
  store(
    simulator: Simulator,
    faults: ReadonlyArray<StoreFault>,
    struck: (kind: StoreFault["kind"]) => void
  ): ObjectStore {
    const call = <A>(operation: StoreError["operation"], name: string, apply: () => A): Effect.Effect<A, StoreError> =>
      Effect.suspend(() => {
        const at = this.#calls++
        const fault = faults.find((f) => f.atCall <= at && at < f.atCall + f.calls)
        const failed = (what: string): Effect.Effect<never, StoreError> =>
          Effect.fail(
            new StoreError({ store: "remote", name, operation, message: `remote: ${operation} ${name}: ${what}` })
          )
        simulator.note(at)
        const wait = simulator.random.below(3) === 0 ? Effect.yieldNow : Effect.sleep(1 + simulator.random.below(12))
        if (fault === undefined) {
          const done = Effect.map(wait, apply)
          // Where a reply is on its way, the process may die before it comes.
          return simulator.random.below(4) === 0 ? Effect.tap(done, () => Effect.yieldNow) : done
        }
        struck(fault.kind)
        if (fault.kind === "fails") return Effect.andThen(wait, failed("simulated failure"))
        return Effect.andThen(Effect.map(wait, apply), Effect.andThen(Effect.yieldNow, failed("no reply")))
      })
    return {
      name: "remote",
      replicated: true,
      get: (name) => call("get", name, () => Option.fromUndefinedOr(this.get(name)?.slice())),
      put: (name, bytes) => call("put", name, () => this.set(name, bytes.slice())),
      putIfAbsent: (name, bytes) =>
        call("putIfAbsent", name, () => {
          if (this.#objects.has(name)) return false
          this.set(name, bytes.slice())
          return true
        }),
      list: (prefix, limit) => call("list", prefix, () => this.names(prefix).slice(0, limit)),
      delete: (name) =>
        call("delete", name, () => {
          if (this.#objects.delete(name)) this.#sorted = undefined
        })
    }
  }
}
