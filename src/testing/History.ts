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
import { queryPrefix } from "../checkpoint/names.ts"
import { HostProcess, type Owner } from "../checkpoint/Owner.ts"
import { CompressionThread } from "../checkpoint/zlib.ts"
import { store } from "../connectors/files/FileObjectStore.ts"
import { FileSystem } from "../connectors/files/FileSystem.ts"
import { QueryError, SinkError, SourceError, StoreError } from "../model/Errors.ts"
import { type FailpointHandler, Failpoints } from "../model/Failpoint.ts"
import { FileError } from "../model/FileSystem.ts"
import type { ObjectStore } from "../model/ObjectStore.ts"
import { type Fault, type FaultKind, isProcessFault, type ProcessFault } from "./Fault.ts"
import { Seeded } from "./seeded.ts"
import { makeSimulatedDisk } from "./SimulatedDisk.ts"
import { SimulatedObjects, type StoreFault } from "./SimulatedStore.ts"
import { type SimulatedProcess, Simulator } from "./Simulator.ts"
import { Watching } from "./Watching.ts"
import { checkpointFolder, type Life, objectsIn, objectsOn, type Subject, type World } from "./World.ts"

/** A history to run. */
export interface HistoryOptions {
  readonly seed: number
  readonly faults: ReadonlyArray<Fault>
  /** Of the first process, of the second, and so on, round and round. */
  readonly lives: ReadonlyArray<Life>
  readonly query: string
  /** Where checkpoints are kept: in files on the simulated disk, or in a remote store. */
  readonly store: "files" | "remote"
  readonly subject: Subject
}

/** What came of it. */
export interface HistoryResult {
  /** What must never be: defects, imbalances, watermarks that go back, queues over their bound, an end that never comes. */
  readonly problems: ReadonlyArray<string>
  /** Of the last process; undefined when none came to the end. */
  readonly summary: QuerySummary | undefined
  readonly processes: number
  /** Faults that happened, by kind. */
  readonly faults: ReadonlyMap<FaultKind, number>
  /** Failpoints at which a process was ended, as `name:side`. */
  readonly killedAt: ReadonlyArray<string>
  /** Epochs that were made durable. */
  readonly epochs: number
  readonly regressions: number
  readonly imbalances: number
  readonly steps: number
  readonly traceHash: string
}

/** A history that takes more steps has no end: the usual one takes a few thousand. */
const stepsMax = 400_000
/** Processes that fail one after the other, with no fault left to explain it. */
const processesMax = 40

/** What may stop a process that nothing is wrong with but its surroundings. */
const isTrouble = (error: unknown): boolean =>
  error instanceof SinkError ||
  error instanceof SourceError ||
  error instanceof StoreError ||
  error instanceof FileError ||
  (error instanceof QueryError && (error.reason === "Checkpoint" || error.reason === "DrainTimeout"))

/** What stops a process because there is another. */
const isOthers = (error: unknown): boolean =>
  error instanceof QueryError && (error.reason === "Fenced" || error.reason === "Owned")

interface Running {
  readonly process: SimulatedProcess
  readonly life: Life
  terminate: () => void
  handle: QueryHandle<unknown> | undefined
}

/** `sink[3].commit.sent` counts as `sink[i].commit.sent`. */
const general = (failpoint: string): string => failpoint.replace(/\[\d+\]/, "[i]")

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
  /** Something in its surroundings may fail a process. */
  readonly #mayFail: boolean
  #summary: QuerySummary | undefined
  /** Objects of which a bit went bad, and what they were then: they may have been written again since. */
  readonly #rotten = new Map<string, string>()
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
      struck: (kind) => this.#count(kind),
      exhausted: () => {
        for (const { terminate } of this.#running) terminate()
      }
    }
    this.#mayFail = o.faults.some((fault) => !isProcessFault(fault) || fault.kind === "rot")
    this.#watching = new Watching(this.#world.objects, o.query)
    this.#faults = o.faults.filter(isProcessFault)
  }

  run(): HistoryResult {
    const { simulator } = this.#world
    this.#start()
    this.#arm()
    const stopped = simulator.run(() => this.#isOver, stepsMax)
    if (stopped === "stuck") this.#problems.push("nothing can happen any more, and the input is not read to its end")
    if (stopped === "limit") this.#problems.push(`no end after ${stepsMax} steps, with all faults over`)
    return {
      problems: [...this.#problems, ...this.#watching.problems],
      summary: this.#summary,
      processes: this.#lives,
      faults: this.#happened,
      killedAt: this.#killedAt,
      epochs: this.#watching.epochs,
      regressions: this.#watching.regressions,
      imbalances: this.#watching.imbalances,
      steps: simulator.steps,
      traceHash: simulator.traceHash
    }
  }

  #count(kind: FaultKind): void {
    this.#happened.set(kind, (this.#happened.get(kind) ?? 0) + 1)
  }

  #fail(problem: string): void {
    this.#problems.push(problem)
    this.#isOver = true
  }

  #start(): Running {
    const { lives, subject } = this.#o
    const life = lives[this.#lives++ % lives.length]
    const number = this.#lives
    let terminate: (() => void) | undefined
    let isTerminated = false
    const signal = Effect.callback<void>((resume) => {
      terminate = () => resume(Effect.void)
      if (isTerminated) terminate()
    })
    const program = Effect.scoped(
      Effect.gen({ self: this }, function* () {
        const handle = yield* subject(this.#world, life)
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
    const process = disk.process((call, what) => this.#beforeDisk(call, what))
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

  /** A call to the disk takes a turn, or some time, and may fail. */
  #beforeDisk(call: number, what: string): Effect.Effect<void, FileError> {
    const { simulator } = this.#world
    const fault = this.#diskFault()
    if (fault !== undefined) {
      this.#count(fault)
      const code = fault === "disk full" ? "NoSpace" : "Other"
      return Effect.fail(new FileError({ code, operation: what, path: what, message: `${what}: simulated ${fault}` }))
    }
    simulator.note(call)
    const pace = simulator.random.below(8)
    return pace === 0 ? Effect.sleep(1 + simulator.random.below(3)) : pace < 5 ? Effect.yieldNow : Effect.void
  }

  #store(): ObjectStore {
    if (this.#o.store === "files") return store(checkpointFolder)
    const faults = this.#o.faults.flatMap((fault): ReadonlyArray<StoreFault> => {
      if (fault.kind !== "store fails" && fault.kind !== "store no reply") return []
      return [{ ...fault, kind: fault.kind === "store fails" ? "fails" : "no reply" }]
    })
    return this.#remote.store(this.#world.simulator, faults, (kind) => this.#count(`store ${kind}`))
  }

  #diskCalls = 0
  #diskFault(): "disk full" | "disk error" | "too many files" | undefined {
    const at = this.#diskCalls++
    for (const fault of this.#o.faults) {
      if (fault.kind !== "disk full" && fault.kind !== "disk error" && fault.kind !== "too many files") continue
      if (fault.atCall <= at && at < fault.atCall + fault.calls) return fault.kind
    }
    return undefined
  }

  #failpoints(number: number): FailpointHandler {
    return (name, when) =>
      Effect.suspend(() => {
        const running = this.#running[number - 1]
        if (name === "manifest.copy" && when === "after") this.#watching.epoch()
        const armed = this.#armed
        if (armed === undefined || armed.running !== running || !("failpoint" in armed.fault.at)) return Effect.void
        const { at } = armed.fault
        if (at.failpoint !== general(name) || at.when !== when || ++armed.passages < at.passage) return Effect.void
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
    if (fault.kind === "rot") this.#rot(fault.seed)
    this.#wake(running)
    if (!this.#running.some(({ process }) => process.state === "running")) this.#start()
    this.#arm()
  }

  /** Whoever slept until this process was over goes on. */
  #wake(over: Running): void {
    for (const { sleeper, watched } of this.#asleep) if (watched === over) sleeper.process.thaw()
  }

  /** One file of the checkpoint of which there are two goes bad. */
  #rot(seed: number): void {
    const { objects } = this.#world
    // A store that replicates itself has one copy of a state (C6).
    const doubled = this.#o.store === "files" ? /\/(primary|copy|data)\// : /\/(primary|copy)\//
    // Of two copies one stays good: where both are bad there is nothing to go on from, and that is not what is asked here.
    const isRotten = (name: string): boolean => {
      const bytes = this.#rotten.get(name)
      return bytes !== undefined && bytes === textOf(objects.get(name))
    }
    const names = objects
      .names(queryPrefix(this.#o.query))
      .filter((name) => doubled.test(name) && !isRotten(otherCopyOf(name)))
    if (names.length === 0) return
    const random = new Seeded(seed)
    const name = random.pick(names)
    objects.rot(name, random.below(1 << 20), random.below(8))
    this.#rotten.set(name, textOf(objects.get(name)))
  }

  #judge(handle: QueryHandle<unknown>, summary: QuerySummary): void {
    this.#watching.ledger("the end", summary.ledger)
    this.#watching.queues(factsOf(handle))
  }

  #ended(running: Running, exit: Exit.Exit<QuerySummary, unknown>): void {
    const { simulator } = this.#world
    simulator.note(running.process.id * 8 + (Exit.isSuccess(exit) ? 5 : 6))
    this.#wake(running)
    if (Exit.isFailure(exit)) {
      const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
      const isExpected = isTrouble(error) ? this.#mayFail : isOthers(error)
      if (!isExpected) return this.#fail(`process ${running.process.id} ended with ${Cause.pretty(exit.cause)}`)
    } else if (exit.value.ended === "exhausted") this.#summary = exit.value
    if (this.#running.some(({ process }) => process.state === "running" || process.state === "frozen")) {
      if (this.#armed === undefined || this.#armed.running === running) this.#arm()
      return
    }
    if (this.#summary !== undefined) {
      this.#isOver = true
      return
    }
    if (this.#lives >= processesMax) return this.#fail(`${processesMax} processes did not come to the end of the input`)
    this.#start()
    if (this.#armed === undefined || this.#armed.running === running) this.#arm()
  }
}

const textOf = (bytes: Uint8Array | undefined): string => (bytes === undefined ? "" : bytes.join())

const otherCopyOf = (name: string): string => {
  if (name.includes("/primary/")) return name.replace("/primary/", "/copy/")
  if (name.includes("/copy/")) return name.replace("/copy/", "/primary/")
  return name.endsWith(".a") ? name.replace(/a$/, "b") : name.replace(/b$/, "a")
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
