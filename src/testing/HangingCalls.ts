/**
 * Watches over calls of the user's code that do not end: what waits for a promise, a timer or a socket of its own waits for
 * ever, since the simulator knows Effect's scheduler and clock only.
 */
import * as Effect from "effect/Effect"
import type { Simulator } from "./Simulator.ts"

/** How long a call may take, in virtual time, ms. */
const callMsMax = 300_000
/** How often is looked, in virtual time, ms. */
const lookEveryMs = 60_000

/** Thrown out of a history: it cannot be simulated. */
export class NotSimulated extends Error {
  readonly operator: string

  constructor(operator: string) {
    super(
      `a call of ${operator} has not ended after ${callMsMax / 60_000} minutes of virtual time: it waits for what is not simulated. ` +
        "A promise, a timer or a socket of its own is none of Effect's: let it be a service, and give the test a layer " +
        "that answers by Effect alone (Effect.succeed, Effect.sleep, Ref)"
    )
    this.operator = operator
  }
}

interface Watched {
  readonly calls: Map<number, { readonly operator: string; readonly sinceMs: number }>
  /** When it last showed that it lives: one that was killed or frozen does not. */
  aliveMs: number
}

/** The calls of one process. */
export interface ProcessCalls {
  /** A call begins; what is returned is to be called at its end. */
  readonly begins: (operator: string) => () => void
  /** To be run in the process as long as it lives. */
  readonly alive: Effect.Effect<never>
}

/** The calls of all processes of a history. */
export class HangingCalls {
  readonly #processes: Array<Watched> = []

  /** A process starts. */
  processStarts(simulator: Simulator): ProcessCalls {
    const watched: Watched = { calls: new Map(), aliveMs: simulator.nowMs }
    let number = 0
    if (this.#processes.push(watched) === 1) this.#look(simulator, -1)
    return {
      begins: (operator) => {
        const mine = number++
        watched.calls.set(mine, { operator, sinceMs: simulator.nowMs })
        return () => void watched.calls.delete(mine)
      },
      alive: Effect.forever(
        Effect.andThen(
          Effect.sleep(lookEveryMs / 2),
          Effect.sync(() => void (watched.aliveMs = simulator.nowMs))
        )
      )
    }
  }

  #look(simulator: Simulator, stepsBefore: number): void {
    simulator.later(lookEveryMs, () => {
      const alive = this.#processes.filter(({ aliveMs }) => simulator.nowMs - aliveMs < lookEveryMs)
      for (const { operator, sinceMs } of alive.flatMap(({ calls }) => [...calls.values()]))
        if (simulator.nowMs - sinceMs >= callMsMax) throw new NotSimulated(operator)
      // Where nothing but this look happens, nothing ever will.
      if (simulator.steps - stepsBefore > 1) this.#look(simulator, simulator.steps)
    })
  }
}
