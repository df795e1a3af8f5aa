/**
 * One history: processes of a query on one disk, under a plan of faults, until its input is read to its end.
 *
 * The runtime is the real one, as it ships: supervisor, attempts, checkpoints in files, sinks. Only its surroundings are
 * simulated: scheduler, clock, randomness, disk, partitions. A process that ends before the input does is started again, as
 * an operator's machine would do. What was wrong on the way is in `problems`; what the sinks hold is for laws to judge.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as References from "effect/References"
import { HeapLimit } from "../actors/MemoryBudget.ts"
import { factsOf, type QueryHandle } from "../actors/QueryHandle.ts"
import { makeRegistry, QueryRegistry } from "../actors/Registry.ts"
import type { QuerySummary } from "../actors/Supervisor.ts"
import { CheckpointStore } from "../checkpoint/CheckpointStore.ts"
import { LiveAttempts } from "../checkpoint/LiveAttempts.ts"
import { HostProcess, type Owner } from "../checkpoint/Owner.ts"
import { CompressionThread } from "../checkpoint/zlib.ts"
import { store } from "../connectors/files/FileObjectStore.ts"
import { FileSystem } from "../connectors/files/FileSystem.ts"
import { type FailpointHandler, Failpoints } from "../model/Failpoint.ts"
import type { ObjectStore } from "../model/ObjectStore.ts"
import { type Fault, type FaultKind, isProcessFault, isProcessKind, type ProcessFault } from "./Fault.ts"
import { diskFaults } from "./diskFaults.ts"
import { describeEnd, describeMoment, isFenced, isOthers, isTrouble } from "./endings.ts"
import { unnumbered } from "./failpoints.ts"
import { rotting } from "./rotting.ts"
import { faultNameOf } from "./faultNames.ts"
import { Seeded } from "./seeded.ts"
import { makeSimulatedDisk } from "./SimulatedDisk.ts"
import { SimulatedObjects, type StoreFault } from "./SimulatedStore.ts"
import { type SimulatedProcess, Simulator } from "./Simulator.ts"
import { type Found, Watching } from "./Watching.ts"
import { checkpointFolder, type Life, objectsIn, objectsOn, type Store, type Subject, type World } from "./World.ts"

/** A history to run. */
export interface HistoryOptions {
  readonly seed: number
  readonly faults: ReadonlyArray<Fault>
  /** Of the first process, of the second, and so on, round and round. */
  readonly lives: ReadonlyArray<Life>
  readonly query: string
  readonly store: Store
  readonly subject: Subject
  /** A history that takes more steps has no end; default 400,000: the usual one takes a few hundred. */
  readonly stepsMax?: number
  /** Hears what happens, with the virtual time of it. */
  readonly told?: (atMs: number, what: string) => void
}

/** What came of it. */
export interface HistoryResult {
  /** What must never be: defects, imbalances, watermarks that go back, queues over their bound, an end that never comes. */
  readonly problems: ReadonlyArray<string>
  /** The same, by the law that is broken. */
  readonly found: ReadonlyArray<Found>
  /** Of the last process; undefined when none came to the end. */
  readonly summary: QuerySummary | undefined
  readonly processes: number
  /** Faults that happened, by kind. */
  readonly faults: ReadonlyMap<FaultKind, number>
  /** Failpoints at which a process was ended, as `name:side`. */
  readonly killedAt: ReadonlyArray<string>
  /** Epochs that were made durable. */
  readonly epochs: number
  /** Rows that each of them read, drains left out. */
  readonly epochRows: ReadonlyArray<number>
  /** Processes that were fenced, and had never been frozen. */
  readonly overtaken: number
  /** Numbers that were passed over without a void. */
  readonly passedOver: number
  /** Epochs whose copy was put where no primary stood. */
  readonly copiesAlone: number
  readonly regressions: number
  readonly imbalances: number
  readonly steps: number
  /** It took more steps than it may. */
  readonly isCutOff: boolean
  readonly traceHash: string
}

const stepsMaxDefault = 400_000
/** Processes that fail one after the other, beside those that faults end. */
const processesMax = 40

interface Running {
  readonly process: SimulatedProcess
  readonly life: Life
  terminate: () => void
  /** All that an endless input will ever have. */
  isRead: boolean
  handle: QueryHandle<unknown> | undefined
}

class History {
  readonly #o: HistoryOptions
  readonly #world: World
  readonly #remote = new SimulatedObjects()
  readonly #watching: Watching
  readonly #faults: Array<ProcessFault>
  readonly #running: Array<Running> = []
  readonly #happened = new Map<FaultKind, number>()
  readonly #killedAt: Array<string> = []
  readonly #problems: Array<string> = []
  readonly #tell: (what: string) => void
  readonly #beforeDisk: ReturnType<typeof diskFaults>
  readonly #rot: ReturnType<typeof rotting>
  /** Something in its surroundings may fail a process. */
  readonly #mayFail: boolean
  #summary: QuerySummary | undefined
  #overtaken = 0
  #lives = 0
  #isOver = false
  /** In which process, and when, the next fault happens. */
  #armed: { readonly fault: ProcessFault; readonly running: Running; passages: number } | undefined
  /** Processes that wait for the one that took over from them. */
  readonly #asleep: Array<{ readonly sleeper: Running; readonly watched: Running }> = []

  constructor(o: HistoryOptions) {
    this.#o = o
    const simulator = new Simulator(o.seed)
    const disk = makeSimulatedDisk()
    this.#world = {
      simulator,
      disk,
      objects: o.store === "files" ? objectsOn(disk) : objectsIn(this.#remote),
      struck: (kind) => this.#count(kind)
    }
    this.#mayFail = o.faults.some((fault) => !isProcessFault(fault) || fault.kind === "rot")
    this.#beforeDisk = diskFaults(simulator, o.faults, (kind) => this.#count(kind))
    this.#rot = rotting(this.#world.objects, o.query, o.store)
    const { told } = o
    this.#tell = told === undefined ? () => undefined : (what) => told(simulator.nowMs, what)
    this.#watching = new Watching(this.#world.objects, o.query)
    this.#faults = o.faults.filter(isProcessFault)
  }

  run(): HistoryResult {
    const { simulator } = this.#world
    this.#start()
    this.#arm()
    const { stepsMax = stepsMaxDefault } = this.#o
    const stopped = simulator.run(() => this.#isOver, stepsMax)
    if (stopped === "stuck") this.#problems.push("nothing can happen any more, and the input is not read to its end")
    if (stopped === "limit") this.#problems.push(`no end after ${stepsMax} steps, with all faults over`)
    const found: ReadonlyArray<Found> = [
      ...this.#problems.map((what) => ({ law: "finishes" as const, what })),
      ...this.#watching.found
    ]
    return {
      problems: found.map(({ what }) => what),
      found,
      summary: this.#summary,
      processes: this.#lives,
      faults: this.#happened,
      killedAt: this.#killedAt,
      epochs: this.#watching.epochs,
      epochRows: this.#watching.epochRows,
      overtaken: this.#overtaken,
      passedOver: this.#watching.passedOver,
      copiesAlone: this.#watching.copiesAlone,
      regressions: this.#watching.regressions,
      imbalances: this.#watching.imbalances,
      steps: simulator.steps,
      isCutOff: stopped === "limit",
      traceHash: simulator.traceHash
    }
  }

  #count(kind: FaultKind): void {
    this.#happened.set(kind, (this.#happened.get(kind) ?? 0) + 1)
    if (!isProcessKind(kind)) this.#tell(`fault: ${faultNameOf(kind)}`)
  }

  #fail(problem: string): void {
    this.#problems.push(problem)
    this.#isOver = true
  }

  #start(): Running {
    const { lives, subject } = this.#o
    const life = lives[this.#lives++ % lives.length]
    const number = this.#lives
    this.#tell(`process ${number} starts: parallelism ${life.parallelism}, chunks of ${life.chunkRows}`)
    let terminate: (() => void) | undefined
    let isTerminated = false
    const signal = Effect.callback<void>((resume) => {
      terminate = () => resume(Effect.void)
      if (isTerminated) terminate()
    })
    const program = Effect.scoped(
      Effect.gen({ self: this }, function* () {
        const handle = yield* subject(this.#world, life, () => {
          running.isRead = true
          running.terminate()
        })
        running.handle = handle
        const summary = yield* Effect.raceFirst(handle.await, Effect.andThen(signal, handle.drain))
        this.#judge(handle, summary)
        return summary
      })
    )
    const process = this.#world.simulator.spawn(this.#surrounded(program, number, life), (exit) =>
      this.#ended(running, exit as Exit.Exit<QuerySummary, unknown>)
    )
    const running: Running = {
      process,
      life,
      handle: undefined,
      isRead: false,
      terminate: () => {
        isTerminated = true
        terminate?.()
      }
    }
    this.#running.push(running)
    return running
  }

  /** Everything that is not the program: its disk, its checkpoint, its place in the world. */
  #surrounded(
    program: Effect.Effect<QuerySummary, unknown, CheckpointStore>,
    number: number,
    life: Life
  ): Effect.Effect<unknown, unknown> {
    const { disk } = this.#world
    const self: Omit<Owner, "attemptId"> = {
      host: life.elsewhere ? `host-${number}` : "here",
      bootId: "boot",
      pidNamespace: "pids",
      container: "none",
      pid: number,
      startedAt: String(number)
    }
    const isGone = (owner: Owner): boolean =>
      owner.host === self.host && !this.#running.some((r) => r.process.id === owner.pid && isThere(r.process))
    const process = disk.process(this.#beforeDisk)
    return program.pipe(
      Effect.provideService(FileSystem, process.fs),
      Effect.provideService(CheckpointStore, { objects: this.#store() }),
      Effect.provideService(HostProcess, {
        self: Effect.succeed(self),
        isGone: (owner) => Effect.sync(() => isGone(owner))
      }),
      Effect.provideService(LiveAttempts, new Map()),
      Effect.provideService(QueryRegistry, makeRegistry()),
      Effect.provideService(HeapLimit, 1 << 30),
      Effect.provideService(CompressionThread, "here"),
      Effect.provideService(Failpoints, this.#failpoints(number)),
      Effect.provideService(References.MinimumLogLevel, "None")
    )
  }

  #store(): ObjectStore {
    if (this.#o.store === "files") return store(checkpointFolder)
    const faults = this.#o.faults.flatMap((fault): ReadonlyArray<StoreFault> => {
      if (fault.kind !== "store fails" && fault.kind !== "store no reply") return []
      return [{ ...fault, kind: fault.kind === "store fails" ? "fails" : "no reply" }]
    })
    return this.#remote.store(this.#world.simulator, faults, (kind) => this.#count(`store ${kind}`))
  }

  #failpoints(number: number): FailpointHandler {
    return (name, when) =>
      Effect.suspend(() => {
        const running = this.#running[number - 1]
        if (name === "takeover.primary" && when === "after") this.#watching.takeover()
        if (name === "manifest.copy" && when === "after") {
          this.#watching.epoch()
          this.#tell(`process ${number}: an epoch is durable`)
        }
        const armed = this.#armed
        if (armed === undefined || armed.running !== running || !("failpoint" in armed.fault.at)) return Effect.void
        const { at } = armed.fault
        if (at.failpoint !== unnumbered(name) || at.when !== when || ++armed.passages < at.passage) return Effect.void
        this.#strike(running, armed.fault)
        // A process that is frozen here goes on here.
        return isThere(running.process) ? Effect.yieldNow : Effect.never
      })
  }

  /** The next fault lies in wait in the process that was started last. */
  #arm(): void {
    this.#armed = undefined
    const running = this.#running.findLast((r) => r.process.state === "running")
    if (running === undefined) return
    const fault = this.#faults.shift()
    if (fault === undefined) return
    this.#armed = { fault, running, passages: 0 }
    if ("steps" in fault.at) running.process.after(fault.at.steps, () => this.#strike(running, fault))
  }

  #strike(running: Running, fault: ProcessFault): void {
    if (this.#isOver || this.#armed?.fault !== fault) return
    const { simulator } = this.#world
    this.#armed = undefined
    this.#tell(`process ${running.process.id}: ${faultNameOf(fault.kind)}${describeMoment(fault.at)}`)
    this.#count(fault.kind)
    simulator.noteText(fault.kind)
    switch (fault.kind) {
      case "kill":
      case "rot":
      case "power loss":
        this.#kill(running, fault)
        break
      case "sigterm":
        running.terminate()
        break
      case "clock jump":
        running.process.setClock(fault.byMs)
        this.#arm()
        break
      case "second":
        this.#start()
        this.#arm()
        break
      case "freeze": {
        running.process.freeze()
        const watched = this.#start()
        this.#asleep.push({ sleeper: running, watched })
        if (fault.wakeAfter > 0) simulator.later(fault.wakeAfter, () => running.process.thaw())
        this.#arm()
        break
      }
    }
  }

  #kill(running: Running, fault: Extract<ProcessFault, { readonly kind: "kill" | "rot" | "power loss" }>): void {
    const { disk } = this.#world
    if ("failpoint" in fault.at) this.#killedAt.push(`${fault.at.failpoint}:${fault.at.when}`)
    running.process.kill()
    if (fault.kind === "power loss") {
      // The machine goes, and all that ran on it.
      for (const other of this.#running) other.process.kill()
      const random = new Seeded(fault.seed)
      disk.losePower(() => random.chance())
    }
    if (fault.kind === "rot") this.#rot(new Seeded(fault.seed))
    this.#wake(running)
    if (!this.#running.some(({ process }) => process.state === "running")) this.#start()
    this.#arm()
  }

  /** Whoever slept until this process was over goes on. */
  #wake(over: Running): void {
    for (const { sleeper, watched } of this.#asleep) if (watched === over) sleeper.process.thaw()
  }

  #judge(handle: QueryHandle<unknown>, summary: QuerySummary): void {
    this.#watching.ledger("the end", summary.ledger)
    this.#watching.queues(factsOf(handle))
  }

  #ended(running: Running, exit: Exit.Exit<QuerySummary, unknown>): void {
    const { simulator } = this.#world
    simulator.note(running.process.id * 8 + (Exit.isSuccess(exit) ? 5 : 6))
    this.#wake(running)
    this.#tell(`process ${running.process.id} ${describeEnd(exit)}`)
    if (Exit.isFailure(exit)) {
      const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
      if (isFenced(error) && !this.#asleep.some(({ sleeper }) => sleeper === running)) this.#overtaken++
      const isExpected = isTrouble(error) ? this.#mayFail : isOthers(error)
      if (!isExpected) return this.#fail(`process ${running.process.id} ended with ${Cause.pretty(exit.cause)}`)
    } else if (exit.value.ended === "exhausted" || running.isRead) this.#summary = exit.value
    if (this.#running.some(({ process }) => process.state === "running" || process.state === "frozen")) {
      if (this.#armed === undefined || this.#armed.running === running) this.#arm()
      return
    }
    if (this.#summary !== undefined) {
      this.#isOver = true
      return
    }
    if (this.#lives >= processesMax + this.#o.faults.length)
      return this.#fail(`${this.#lives} processes did not come to the end of the input`)
    this.#start()
    if (this.#armed === undefined || this.#armed.running === running) this.#arm()
  }
}

const isThere = (process: SimulatedProcess): boolean => process.state === "running" || process.state === "frozen"

/** Runs a history to its end. Synchronous, and a function of its options alone. */
export const runHistory = (o: HistoryOptions): HistoryResult => {
  // Errors are values here, made and forgotten by the dozen: where they were made costs more than all else about them.
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return new History(o).run()
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}
