/**
 * A machine in a thread: processes of Effect fibers under one seeded scheduler and one virtual clock.
 *
 * Which ready task runs next, and when a fiber has to yield, is decided by the seed; time passes only when nothing is
 * ready. A process may be killed at any step (nothing of it runs again, no finalizer either), frozen (its tasks and timers
 * wait) and thawed, and its wall clock set. Everything that happens goes into one hash: the same seed gives the same trace
 * on any machine (FoundationDB's simulation, on the public `Scheduler` and `Clock` of Effect).
 *
 * What does not go through Effect's services is not simulated: a promise that is still pending when nothing else can
 * happen ends the run as `stuck`.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"
import { mayYield } from "../actors/TimeSliceScheduler.ts"
import { MinHeap } from "../streams/state/MinHeap.ts"
import { Seeded } from "./seeded.ts"

/** Most operations that a fiber does before another gets its turn; how many, the seed says. */
const yieldAfterMax = 48

/** Where virtual time begins, ms since the epoch. */
export const simulatedStartMs = 1_700_000_000_000

interface Task {
  readonly process: SimulatedProcess
  readonly run: () => void
}

interface Timer extends Task {
  cancelled: boolean
}

/** A process of the simulator. */
export interface SimulatedProcess {
  readonly id: number
  readonly state: "running" | "frozen" | "killed" | "ended"
  /** Never runs again: SIGKILL. */
  readonly kill: () => void
  /** SIGSTOP and SIGCONT. */
  readonly freeze: () => void
  readonly thaw: () => void
  /** Sets its wall clock forth or back; time that only passes is not touched. */
  readonly setClock: (byMs: number) => void
  /** Calls `act` once this many more tasks were run for it. One at a time. */
  readonly after: (steps: number, act: () => void) => void
}

class Process implements SimulatedProcess {
  readonly id: number
  state: SimulatedProcess["state"] = "running"
  /** Tasks that were run for it. */
  steps = 0
  clockMs = 0
  alarmAt = -1
  alarm: () => void = () => undefined
  /** What it would do, were it not frozen. */
  readonly held: Array<Task> = []
  readonly #simulator: Simulator

  constructor(id: number, simulator: Simulator) {
    this.id = id
    this.#simulator = simulator
  }

  kill(): void {
    if (this.state === "ended") return
    this.state = "killed"
    this.#simulator.note(this.id * 8 + 1)
    this.held.length = 0
  }

  freeze(): void {
    if (this.state !== "running") return
    this.state = "frozen"
    this.#simulator.note(this.id * 8 + 2)
  }

  thaw(): void {
    if (this.state !== "frozen") return
    this.state = "running"
    this.#simulator.note(this.id * 8 + 3)
    for (const task of this.held.splice(0)) this.#simulator.ready(task)
  }

  setClock(byMs: number): void {
    this.clockMs += byMs
  }

  after(steps: number, act: () => void): void {
    this.alarmAt = this.steps + steps
    this.alarm = act
  }
}

/** How a run of the simulator came to its end. */
export type Stopped =
  /** What was waited for is so. */
  | "done"
  /** Nothing can happen any more. */
  | "stuck"
  /** It took more steps than it may. */
  | "limit"

/** The machine. One thread, synchronous: nothing happens outside of {@link Simulator.run}. */
export class Simulator {
  /** For the choices of the world: disks, brokers, faults. */
  readonly random: Seeded
  /** Tasks run so far, of all processes. */
  steps = 0
  #nowMs = simulatedStartMs
  #hash = 0x811c9dc5
  #ready: Array<Task> = []
  readonly #timers = new MinHeap<Timer>()
  readonly #order: Seeded
  #untilYield = 0
  #processes = 0

  constructor(seed: number) {
    this.random = new Seeded(seed ^ 0x5bd1e995)
    this.#order = new Seeded(seed)
  }

  /** Virtual time, ms since the epoch. */
  get nowMs(): number {
    return this.#nowMs
  }

  /** A number that differs where two runs did not do the same. */
  get traceHash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0")
  }

  /** Counts something that happened into the trace. */
  note(what: number): void {
    this.#hash = Math.imul(this.#hash ^ what, 0x01000193)
    this.#hash ^= this.#hash >>> 15
  }

  /** The same for a text. */
  noteText(what: string): void {
    let hash = this.#hash
    for (let i = 0; i < what.length; i++) hash = Math.imul(hash ^ what.charCodeAt(i), 0x01000193)
    this.#hash = hash ^ (hash >>> 15)
  }

  /** Starts a process; it does nothing before the next {@link Simulator.run}. */
  spawn(
    program: Effect.Effect<unknown, unknown>,
    onEnd: (exit: Exit.Exit<unknown, unknown>) => void
  ): SimulatedProcess {
    const process = new Process(++this.#processes, this)
    const scheduler: Scheduler.Scheduler = {
      executionMode: "async",
      shouldYield: (fiber) => {
        if (!mayYield(fiber) || --this.#untilYield > 0) return false
        this.#untilYield = 1 + this.#order.below(yieldAfterMax)
        return true
      },
      makeDispatcher: () => ({
        scheduleTask: (run) => this.ready({ process, run }),
        // Only synchronous callers flush, and there are none in a fiber that was forked.
        flush: () => undefined
      })
    }
    const own = program.pipe(
      Effect.provideService(Clock.Clock, this.#clock(process)),
      Effect.provideService(Random.Random, randomOf(this.random.fork())),
      Effect.provideService(Scheduler.Scheduler, scheduler)
    )
    const start = (): void => {
      const fiber: Fiber.Fiber<unknown, unknown> = Effect.runFork(own, { scheduler })
      fiber.addObserver((exit) => {
        if (process.state === "killed") return
        process.state = "ended"
        onEnd(exit)
      })
    }
    this.ready({ process, run: start })
    return process
  }

  /** Runs tasks, and lets time pass where there are none, until `until` holds or nothing can happen, at most `stepsMax`. */
  run(until: () => boolean, stepsMax: number): Stopped {
    const limit = this.steps + stepsMax
    while (!until()) {
      if (this.steps >= limit) return "limit"
      const task = this.#next()
      if (task === undefined) return "stuck"
      const process = task.process as Process
      if (process.state === "killed") continue
      if (process.state === "frozen") {
        process.held.push(task)
        continue
      }
      this.steps++
      this.note(process.id)
      task.run()
      if (++process.steps === process.alarmAt) process.alarm()
    }
    return "done"
  }

  /** Calls back after virtual time, outside of any process. */
  later(ms: number, act: () => void): void {
    this.#timers.push(this.#nowMs + ms, { process: new Process(0, this), run: act, cancelled: false })
  }

  /** Lets a task run when its turn comes. */
  ready(task: Task): void {
    this.#ready.push(task)
  }

  #next(): Task | undefined {
    const ready = this.#ready
    if (ready.length > 0) {
      const at = ready.length === 1 ? 0 : this.#order.below(ready.length)
      const task = ready[at]
      ready[at] = ready[ready.length - 1]
      ready.length--
      return task
    }
    while (this.#timers.size > 0) {
      const at = this.#timers.minKey()
      const timer = this.#timers.pop()
      if (timer.cancelled || timer.process.state === "killed") continue
      if (at > this.#nowMs) this.#nowMs = at
      this.note(Math.floor(at))
      return timer
    }
    return undefined
  }

  #clock(process: Process): Clock.Clock {
    const wall = (): number => Math.floor(this.#nowMs + process.clockMs)
    const nanos = (ms: number): bigint => BigInt(Math.floor(ms * 1000)) * 1000n
    return {
      currentTimeMillisUnsafe: wall,
      currentTimeMillis: Effect.sync(wall),
      currentTimeNanosUnsafe: () => nanos(this.#nowMs + process.clockMs),
      currentTimeNanos: Effect.sync(() => nanos(this.#nowMs + process.clockMs)),
      monotonicTimeNanosUnsafe: () => nanos(this.#nowMs - simulatedStartMs),
      monotonicTimeNanos: Effect.sync(() => nanos(this.#nowMs - simulatedStartMs)),
      sleep: (duration) =>
        Effect.callback<void>((resume) => {
          const timer: Timer = { process, run: () => resume(Effect.void), cancelled: false }
          const ms = Duration.toMillis(duration)
          // A moment for the way through the scheduler, so that no two timers of a run are quite the same.
          if (Number.isFinite(ms)) this.#timers.push(this.#nowMs + ms + this.#order.chance() / 1000, timer)
          return Effect.sync(() => {
            timer.cancelled = true
          })
        })
    }
  }
}

/** Effect's random numbers, by a seed. */
const randomOf = (seeded: Seeded): (typeof Random.Random)["Service"] => ({
  nextIntUnsafe: () => seeded.below(0x1_0000_0000) - 0x8000_0000,
  nextDoubleUnsafe: () => seeded.chance()
})
