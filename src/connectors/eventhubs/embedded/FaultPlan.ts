/** What goes wrong on request: the next operations that fail, and those that take longer. */
import { Refusal } from "./conditions.ts"
import type { AmqpError } from "./rhea.ts"
import type { Timers } from "./timers.ts"

/** What a client may ask for. */
export type Operation = "attach receiver" | "attach sender" | "send" | "put token" | "management"

/** See above. */
export class FaultPlan {
  readonly #timers: Timers
  readonly #failures: Array<{ readonly operation: Operation; left: number; readonly condition: string }> = []
  readonly #delaysMs = new Map<Operation, number>()

  constructor(timers: Timers) {
    this.#timers = timers
  }

  /** The next `count` operations of this kind fail with the condition. */
  failNext(operation: Operation, count: number, condition: string): void {
    if (count > 0) this.#failures.push({ operation, left: count, condition })
  }

  /** From now on, operations of this kind begin so much later; 0: at once. */
  delay(operation: Operation, ms: number): void {
    this.#delaysMs.set(operation, ms)
  }

  /** The error that this operation is to fail with, if it is. */
  take(operation: Operation): AmqpError | undefined {
    const i = this.#failures.findIndex((failure) => failure.operation === operation)
    if (i < 0) return undefined
    const failure = this.#failures[i]
    if (--failure.left === 0) this.#failures.splice(i, 1)
    return Refusal.injected(failure.condition)
  }

  /** Calls `run` when the operation is due: now, or after its delay. */
  whenDue(operation: Operation, run: () => void): void {
    const ms = this.#delaysMs.get(operation) ?? 0
    if (ms > 0) this.#timers.later(ms, run)
    else run()
  }
}
