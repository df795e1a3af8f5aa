/**
 * A world for the checkpoint protocol: one store, a table, a folder, and attempts of the real code that move only when a
 * driver says so, one call at a time. An attempt that is never moved again has crashed, or is frozen; both look alike.
 *
 * What must never be: a row lost or doubled in a sink, an epoch in a sink whose manifest is not in both copies, a sink
 * changed for an epoch after a later one, state of another epoch than its positions, an owner that has to stop.
 */
import { Cause, Clock, Duration, Effect, Exit, type Fiber, Option, References, Result } from "effect"
import type * as TakeOverModule from "../../src/checkpoint/TakeOver.ts"
import type { Manifest } from "../../src/checkpoint/Manifest.ts"
import { decodeChainBytes } from "../../src/checkpoint/ManifestCodec.ts"
import { numberOfName } from "../../src/checkpoint/names.ts"
import { HostProcess } from "../../src/checkpoint/Owner.ts"
import { StoreError } from "../../src/model/Errors.ts"
import type { ObjectStore } from "../../src/model/ObjectStore.ts"
import type { Prepared } from "../../src/model/Sink.ts"
import type { Random } from "../engine/random.ts"
import { QueueScheduler } from "./QueueScheduler.ts"
import { countsFault, type Data, emptySinks, isComplete, type Rows, shownCounts, type Sinks } from "./worldSinks.ts"

/** The modules under test: the repository's, or a copy with a fault planted. */
export interface Modules {
  readonly takeOver: typeof TakeOverModule.takeOver
}

/** Loads them from a source folder. */
export const modulesOf = async (src: string): Promise<Modules> =>
  (await import(/* @vite-ignore */ `${src}/checkpoint/TakeOver.ts`)) as Modules

/** How a world is made. */
export interface WorldOptions {
  readonly modules: Modules
  readonly rows: number
  readonly retained: number
}

/** A call of an attempt that waits for its turn. `kind`: what the driver may do with it. */
export interface Pending {
  readonly attempt: number
  readonly label: string
  /** `late`: the attempt has given it up, and it may still take effect. */
  kind: "call" | "late" | "pause" | "timeout"
  readonly run: () => void
  /** For puts-if-absent: it fails, having taken effect or not. */
  readonly lose?: (applied: boolean) => void
}

/** How long heartbeats, and those who watch for them, wait. Owners beat once only: nothing else depends on it here. */
const heartbeatMs = 123_457
/** The coordinator gives a state up that takes longer. */
const giveUpMs = 77_000

/** Each attempt is a process of its own. */
let nextPid = 100

/** One world and what happened in it. */
export class World {
  readonly options: WorldOptions
  readonly objects: Map<string, Uint8Array>
  readonly sinks: Sinks
  /** Data epochs that a primary, and a copy, of each number ever carried. */
  readonly ever: Map<number, { primary?: number; copy?: number }>
  readonly pending: Array<Pending> = []
  readonly trace: Array<string> = []
  readonly outcomes: Array<"done" | "fenced" | "over" | undefined> = []
  bad: string | undefined
  /** Calls return at once: a lone attempt, undisturbed. */
  isFree = false
  /** Rows that the next epoch takes, decided when it begins. */
  random: Random = () => 0
  readonly #owners = new Set<number>()
  readonly #scheduler = new QueueScheduler()

  constructor(options: WorldOptions, from?: World) {
    this.options = options
    this.objects = new Map(from?.objects)
    this.ever = new Map([...(from?.ever ?? [])].map(([number, ever]) => [number, { ...ever }]))
    this.sinks = from === undefined ? emptySinks(options.rows) : structuredClone(from.sinks)
  }

  /** Starts an attempt, which runs until its first call. */
  start(): void {
    const attempt = this.outcomes.length
    this.outcomes.push(undefined)
    const process = { host: "h", bootId: "b", pidNamespace: "n", container: "c", pid: nextPid++, startedAt: "0" }
    const program = Effect.scoped(this.#attempt(attempt)).pipe(
      Effect.provideService(HostProcess, { self: Effect.succeed(process), isGone: () => Effect.succeed(true) }),
      Effect.provideService(Clock.Clock, this.#clock(attempt)),
      Effect.provideService(References.MinimumLogLevel, "None")
    )
    const fiber: Fiber.Fiber<void, unknown> = Effect.runFork(program, { scheduler: this.#scheduler })
    fiber.addObserver((exit) => this.#ended(attempt, exit))
    this.drain()
  }

  /** Lets everything run that waits for nobody. */
  drain(): void {
    this.#scheduler.drain()
    this.#check()
  }

  /** Lets one call happen, or what else `act` does to it. */
  move(pending: Pending, act: (pending: Pending) => void = (p) => p.run()): void {
    this.pending.splice(this.pending.indexOf(pending), 1)
    this.trace.push(`p${pending.attempt} ${pending.label}${pending.kind === "call" ? "" : ` (${pending.kind})`}`)
    act(pending)
    this.drain()
  }

  /** Names of sound manifests and states, for rot. */
  sound(): ReadonlyArray<string> {
    return [...this.objects.keys()].filter(
      (name) => name.includes("/data/") || decodeChainBytes(this.objects.get(name) as Uint8Array).tag === "manifest"
    )
  }

  /** Flips a bit of a byte: `at` counts from the end. */
  rot(name: string, at: number): void {
    const bytes = (this.objects.get(name) as Uint8Array).slice()
    bytes[bytes.length - 1 - (at % bytes.length)] ^= 1
    this.objects.set(name, bytes)
    this.trace.push(`rot ${name.split("/").slice(2).join("/")}`)
  }

  /** A lone attempt on a copy of this world must do all the work that is left; what it came to instead. */
  freshFault(): string | undefined {
    const copy = new World(this.options, this)
    copy.isFree = true
    copy.random = (n) => n - 1
    copy.start()
    if (copy.bad !== undefined) return `a lone attempt: ${copy.bad}`
    if (copy.outcomes[0] !== "done") return `a lone attempt ends ${copy.outcomes[0] ?? "nowhere"}`
    return isComplete(copy.sinks) ? undefined : `a lone attempt leaves ${shownCounts(copy.sinks)}`
  }

  fault(what: string): void {
    this.bad ??= what
  }

  #check(): void {
    const fault = countsFault(this.sinks)
    if (fault !== undefined) this.fault(fault)
  }

  #ended(attempt: number, exit: Exit.Exit<void, unknown>): void {
    this.trace.push(`p${attempt} ends`)
    if (Exit.isSuccess(exit)) {
      this.outcomes[attempt] = "done"
      if (!isComplete(this.sinks)) this.fault(`done, and rows are missing: ${shownCounts(this.sinks)}`)
      return
    }
    const error = Cause.squash(exit.cause) as { readonly reason?: string; readonly message?: string }
    // It rotted before it could be read back: the attempt ends, and is started again.
    const isOver = /is damaged before it could|the copy of manifest [0-9]+ is damaged/.test(error.message ?? "")
    if (error.reason === "Fenced") this.outcomes[attempt] = "fenced"
    else if (isOver) this.outcomes[attempt] = "over"
    else this.fault(`an owner has to stop: ${Cause.pretty(exit.cause).slice(0, 1400)}`)
  }

  /** One step that the driver decides upon; what is interrupted before it happened may happen later, or never. */
  #gate<A, E = never>(
    attempt: number,
    label: string,
    apply: () => A,
    lost?: () => Effect.Effect<A, E>
  ): Effect.Effect<A, E> {
    if (this.isFree) return Effect.sync(apply)
    return Effect.callback<A, E>((resume) => {
      const entry: Pending = {
        attempt,
        label,
        kind: "call",
        run: () => resume(Effect.succeed(apply())),
        ...(lost === undefined
          ? {}
          : {
              lose: (applied: boolean) => {
                if (applied) apply()
                resume(lost())
              }
            })
      }
      this.pending.push(entry)
      return Effect.sync(() => {
        entry.kind = "late"
      })
    })
  }

  #clock(attempt: number): Clock.Clock {
    const sleep = (duration: Duration.Duration): Effect.Effect<void> => {
      const ms = Duration.toMillis(duration)
      if (ms === heartbeatMs && this.#owners.has(attempt)) return Effect.never
      const isPause = ms <= 4_000 || ms === heartbeatMs
      if (this.isFree) return isPause ? Effect.void : Effect.never
      return Effect.callback<void>((resume) => {
        const entry: Pending = {
          attempt,
          label: `sleep ${ms}`,
          kind: isPause ? "pause" : "timeout",
          run: () => resume(Effect.void)
        }
        this.pending.push(entry)
        return Effect.sync(() => {
          const at = this.pending.indexOf(entry)
          if (at >= 0) this.pending.splice(at, 1)
        })
      })
    }
    return {
      currentTimeMillisUnsafe: () => 0,
      currentTimeMillis: Effect.succeed(0),
      currentTimeNanosUnsafe: () => 0n,
      currentTimeNanos: Effect.succeed(0n),
      monotonicTimeNanosUnsafe: () => 0n,
      monotonicTimeNanos: Effect.succeed(0n),
      sleep
    }
  }

  #note(name: string, bytes: Uint8Array): void {
    const number = numberOfName(name)
    const copy = name.split("/")[2]
    if (number === undefined || (copy !== "primary" && copy !== "copy")) return
    const read = decodeChainBytes(bytes)
    if (read.tag !== "manifest") return
    this.ever.set(number, { ...this.ever.get(number), [copy]: read.manifest.epoch })
  }

  #store(attempt: number): ObjectStore {
    const { objects } = this
    const gated = (name: string): boolean => /\/(primary|copy|data)\//.test(name)
    const step = <A>(what: string, name: string, apply: () => A, lost?: () => Effect.Effect<A, StoreError>) =>
      gated(name)
        ? this.#gate<A, StoreError>(attempt, `${what} ${name.split("/").slice(2).join("/")}`, apply, lost)
        : Effect.sync(apply)
    const put = (name: string, bytes: Uint8Array): void => {
      objects.set(name, bytes)
      this.#note(name, bytes)
    }
    return {
      name: "world",
      heartbeatMs,
      get: (name) => step("get", name, () => Option.fromUndefinedOr(objects.get(name))),
      put: (name, bytes) => step("put", name, () => put(name, bytes.slice())),
      putIfAbsent: (name, bytes) =>
        step(
          "putIfAbsent",
          name,
          () => {
            if (objects.has(name)) return false
            put(name, bytes.slice())
            return true
          },
          () => Effect.fail(new StoreError({ store: "world", name, operation: "putIfAbsent", message: "no reply" }))
        ),
      list: (prefix, limit) =>
        step("list", prefix, () =>
          [...objects.keys()]
            .filter((n) => n.startsWith(prefix))
            .sort()
            .slice(0, limit)
        ),
      delete: (name) => step("delete", name, () => void objects.delete(name))
    }
  }

  #isDurable(epoch: number): boolean {
    return [...this.ever.values()].some(({ primary, copy }) => primary === epoch && copy === epoch)
  }

  #apply(sink: "table" | "files", epoch: number, [from, to]: Rows): void {
    const { counts, latest } = this.sinks
    if (epoch < latest[sink]) this.fault(`${sink} changed for epoch ${epoch} after epoch ${latest[sink]}`)
    latest[sink] = epoch
    if (!this.#isDurable(epoch)) this.fault(`${sink} shows epoch ${epoch}, whose manifest is not in both copies`)
    for (let row = from; row < to; row++) counts[sink][row]++
  }

  /** Commits what an epoch prepared; false where the folder has neither the staged file nor the linked one. */
  #commit(attempt: number, prepared: ReadonlyArray<Prepared>): Effect.Effect<boolean> {
    const { sinks } = this
    const table = (p: Prepared) => () => {
      if (sinks.marker >= p.epoch) return true
      this.#apply("table", p.epoch, (p.data as Data).rows)
      sinks.marker = p.epoch
      return true
    }
    const files = (p: Prepared) => () => {
      const { id } = p.data as Data
      const rows = sinks.staged.get(id)
      if (rows === undefined) return sinks.linked.has(id)
      sinks.staged.delete(id)
      sinks.linked.set(id, rows)
      this.#apply("files", p.epoch, rows)
      return true
    }
    return Effect.reduce(
      prepared,
      () => true,
      (good, p) =>
        Effect.map(
          this.#gate(attempt, `commit ${p.writer} ${p.epoch}`, p.writer === "table" ? table(p) : files(p)),
          (did) => good && did
        )
    )
  }

  /** One attempt, as the coordinator would: recover, then epoch after epoch. */
  #attempt(index: number) {
    const { options, sinks } = this
    const objects = this.#store(index)
    const gate = <A>(label: string, apply: () => A) => this.#gate(index, label, apply)
    return Effect.gen({ self: this }, function* () {
      const owned = yield* options.modules.takeOver({
        objects,
        query: "q",
        ifOwned: "wait",
        takeOver: undefined,
        retained: options.retained,
        savepoint: undefined,
        onStandby: () => Effect.void
      })
      this.#owners.add(index)
      const committed = (prepared: ReadonlyArray<Prepared>, number: number) =>
        Effect.flatMap(this.#commit(index, prepared), (good) => {
          if (good) return Effect.succeed(true)
          const isPassed = [...objects_(this)].some((n) => n > number)
          if (!isPassed) this.fault("neither staged nor linked, and nobody came later")
          return Effect.succeed(false)
        })
      const { base } = owned
      if (!(yield* committed(base.prepared, base.number))) return yield* fencedBySink
      const keep = base.prepared.map((p) => (p.data as Data).id)
      yield* gate("sweep staged", () => {
        for (const id of sinks.staged.keys()) {
          if (Number(id.split("-")[0]) < owned.attempt && !keep.includes(id)) sinks.staged.delete(id)
        }
      })
      yield* owned.sweep
      const state = (yield* owned.readState).get("t") as { readonly pos: number } | undefined
      let pos = Number(base.readers[0]?.position ?? 0)
      if ((state?.pos ?? 0) !== pos) this.fault(`state of position ${state?.pos} where ${pos} was read`)
      for (let number = base.number + 1; pos < options.rows;) {
        const to = pos + 1 + this.random(options.rows - pos)
        const data: Data = { id: `${owned.attempt}-${number}`, rows: [pos, to] }
        yield* gate(`stage ${data.id}`, () => sinks.staged.set(data.id, data.rows))
        const written = yield* Effect.timeoutOption(owned.writeState(new Map([["t", { pos: to }]])), giveUpMs)
        // Given up: the same number is tried again, with more rows or fewer.
        if (Option.isNone(written)) continue
        const publish: Effect.Effect<Manifest, unknown> = owned.publish(recordOf(number, data), written.value)
        const published = yield* Effect.result(publish)
        if (Result.isFailure(published)) {
          const { _tag: tag } = published.failure as { readonly _tag?: string }
          if (tag !== "StoreError") return yield* Effect.fail(published.failure)
          // The real code never fails like this: a publication that was given up, and the next number (C9).
          number++
          continue
        }
        if (!(yield* committed(published.success.prepared, number))) return yield* fencedBySink
        yield* owned.collect
        pos = to
        number++
      }
    })
  }
}

const objects_ = (world: World): ReadonlyArray<number> =>
  [...world.objects.keys()].filter((name) => name.includes("/primary/")).map((name) => numberOfName(name) ?? 0)

const fencedBySink = Effect.fail({ reason: "Fenced" })

const recordOf = (epoch: number, data: Data) => ({
  epoch,
  prepared: ["table", "files"].map((writer) => ({ query: "q", writer, epoch, data })),
  readers: [
    { operator: "s", partition: "0", lane: 0, position: String(data.rows[1]), rows: data.rows[1], watermarks: {} }
  ],
  ledger: { epoch, operators: [], edges: [], sinks: [] },
  plan: { operators: [] },
  parallelism: 1,
  atMs: 0
})
