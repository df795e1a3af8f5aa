/**
 * Watches over calls of the user's code that do not end: what waits for a promise, a timer or a socket of its own waits for
 * ever, since the simulator knows Effect's scheduler and clock only. What sleeps by Effect's clock wakes, however late.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Simulator } from "./Simulator.ts"

/** How long a process may wait for a call, though none of its calls sleeps, in virtual time, ms. */
const callMsMax = 300_000
/** How often is looked, in virtual time, ms. */
const lookEveryMs = 60_000

/** Thrown out of a history: it cannot be simulated. */
export class NotSimulated extends Error {}

const hangs = (operator: string): NotSimulated =>
  new NotSimulated(
    `a call of ${operator} has not ended after ${callMsMax / 60_000} minutes of virtual time, and does not sleep: it waits for what is not simulated. ` +
      "A promise, a timer or a socket of its own is none of Effect's: let it be a service, and give the test a layer " +
      "that answers by Effect alone (Effect.succeed, Effect.sleep, Ref)"
  )

interface Call {
  readonly operator: string
  readonly sinceMs: number
}

interface Watched {
  readonly calls: Set<Call>
  /** Sleeps of its calls that have not ended. */
  sleeps: number
  /** When the last of them ended. */
  wokeMs: number
  /** When it last showed that it lives: one that was killed or frozen does not. */
  aliveMs: number
}

/** The calls of one process. */
export interface ProcessCalls {
  /** An effect of the user, watched over. */
  readonly watch: <A, E, R>(operator: string, call: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** The same for one that makes what another runs in, and has ended when that one begins. */
  readonly watchOuter: <A, E, R, B, E2, R2>(
    operator: string,
    outer: (inner: Effect.Effect<A, E, R>) => Effect.Effect<B, E2, R2>,
    inner: Effect.Effect<A, E, R>
  ) => Effect.Effect<B, E2, R2>
  /** To be run in the process as long as it lives. */
  readonly alive: Effect.Effect<never>
}

/** The calls of all processes of a history. */
export class HangingCalls {
  readonly #processes: Array<Watched> = []

  /** A process starts. */
  processStarts(simulator: Simulator): ProcessCalls {
    const watched: Watched = { calls: new Set(), sleeps: 0, wokeMs: 0, aliveMs: simulator.nowMs }
    if (this.#processes.push(watched) === 1) this.#look(simulator, -1)
    const begins = (operator: string): Call => {
      const call = { operator, sinceMs: simulator.nowMs }
      watched.calls.add(call)
      return call
    }
    const ends = (call: Call) => Effect.sync(() => void watched.calls.delete(call))
    return {
      watch: (operator, effect) =>
        Effect.suspend(() => {
          const call = begins(operator)
          return Effect.ensuring(
            Effect.flatMap(Clock.Clock, (clock) =>
              Effect.provideService(effect, Clock.Clock, counting(clock, watched, simulator))
            ),
            ends(call)
          )
        }),
      watchOuter: (operator, outer, inner) =>
        Effect.flatMap(Clock.Clock, (clock) => {
          const call = begins(operator)
          const begun = Effect.andThen(ends(call), Effect.provideService(inner, Clock.Clock, clock))
          return Effect.ensuring(
            Effect.provideService(outer(begun), Clock.Clock, counting(clock, watched, simulator)),
            ends(call)
          )
        }),
      alive: Effect.forever(
        Effect.andThen(
          Effect.sleep(lookEveryMs / 2),
          Effect.sync(() => void (watched.aliveMs = simulator.nowMs))
        )
      )
    }
  }

  /** Throws where a history's steps are used up while a call sleeps: it does end, but not in so many. */
  cutOff({ nowMs }: Simulator, stepsMax: number): void {
    const asleep = this.#processes.find(({ sleeps, aliveMs }) => sleeps > 0 && nowMs - aliveMs < lookEveryMs)
    const [call] = asleep?.calls ?? []
    if (call === undefined) return
    throw new NotSimulated(
      `a history has no end after ${stepsMax} steps, since a call of ${call.operator} sleeps, and checkpoints are made all that while: let it sleep for less in the test`
    )
  }

  #look(simulator: Simulator, stepsBefore: number): void {
    simulator.later(lookEveryMs, () => {
      const now = simulator.nowMs
      for (const { calls, sleeps, wokeMs, aliveMs } of this.#processes) {
        if (sleeps > 0 || now - aliveMs >= lookEveryMs) continue
        for (const { operator, sinceMs } of calls)
          if (now - Math.max(sinceMs, wokeMs) >= callMsMax) throw hangs(operator)
      }
      // Where nothing but this look happens, nothing ever will.
      if (simulator.steps - stepsBefore > 1) this.#look(simulator, simulator.steps)
    })
  }
}

/** A clock whose sleeps are counted. */
const counting = (clock: Clock.Clock, watched: Watched, simulator: Simulator): Clock.Clock => ({
  ...clock,
  sleep: (duration) =>
    Effect.suspend(() => {
      watched.sleeps++
      return Effect.ensuring(
        clock.sleep(duration),
        Effect.sync(() => {
          watched.sleeps--
          watched.wokeMs = simulator.nowMs
        })
      )
    })
})
