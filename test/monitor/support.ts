/** Queries made by hand: a real plan and topology, facts as the engine would write them, and a fiber that ends when told. */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { QueryHandle } from "../../src/actors/QueryHandle.ts"
import { layOut } from "../../src/actors/Topology.ts"
import type { LagLook } from "../../src/actors/CatchUp.ts"
import { makeRegistry, QueryRegistry, type Registry } from "../../src/actors/Registry.ts"
import type { ReaderStatus } from "../../src/actors/ReaderOptions.ts"
import type { EpochFacts, QueryState } from "../../src/actors/QueryState.ts"
import type { QuerySummary } from "../../src/actors/Supervisor.ts"
import { deadLetterSink } from "../../src/checkpoint/DeadLetters.ts"
import type { Ledger, OperatorBalance } from "../../src/model/Ledger.ts"
import { position } from "../../src/model/Position.ts"
import type { AnySink } from "../../src/model/Sink.ts"
import * as Memory from "../../src/connectors/memory/Memory.ts"
import * as Terminal from "../../src/connectors/terminal/Terminal.ts"
import * as EventStream from "../../src/streams/EventStream.ts"
import * as Window from "../../src/streams/Window.ts"
import { make as memoryStore } from "../../src/connectors/memory/MemoryObjectStore.ts"

/** When everything here happens. */
export const atMs = Date.parse("2026-01-01T12:00:00Z")

const pipeline = EventStream.from(Memory.source([{ at: 1, category: "a" }], { name: "orders" })).pipe(
  EventStream.withEventTime("at", { outOfOrderness: "1 second" }),
  EventStream.keyBy("category"),
  EventStream.window(Window.tumbling("1 minute"), { late: "drop" }),
  EventStream.aggregate(({ count }) => ({ n: count })),
  EventStream.to(Terminal.sink())
)

/** A balance of an operator: all counts 0 but these. */
export const balance = (operator: string, counts: Partial<OperatorBalance>): OperatorBalance => ({
  operator,
  in: 0,
  forwarded: 0,
  filtered: 0,
  contributed: 0,
  late: 0,
  outside: 0,
  dead: 0,
  duplicate: 0,
  quarantined: 0,
  dropped: {},
  partlyLate: 0,
  held: 0,
  settled: 0,
  ...counts
})

/** A reader that is 2,000 rows and 3 s behind. */
export const reader = (facts: Partial<ReaderStatus> = {}): ReaderStatus => ({
  source: "orders",
  operator: "source orders",
  partition: "0",
  rows: 100,
  watermark: atMs - 5_000,
  idle: false,
  ended: false,
  position: position("100"),
  end: position("2100"),
  rowsBetween: (from, to) => Number(to) - Number(from),
  appendMs: atMs - 3_000,
  ...facts
})

/** A look `s` seconds on, when `read` rows had been read and `behind` waited. */
export const look = (s: number, read: number, behind: number | undefined): LagLook => ({
  atMs: s * 1_000,
  read,
  behind
})

const ledgerAt = (n: number): Ledger => ({
  epoch: n,
  operators: [
    balance("source orders", { partition: "0", in: 50 * n, forwarded: 49 * n, dead: n }),
    balance("window-1", { in: 49 * n, contributed: 48 * n, late: n, held: 40 + n, settled: 47 * n - 40 })
  ],
  edges: [],
  sinks: [{ sink: "output", received: 7 * n, written: 7 * n, dead: 0 }]
})

/** The facts of an epoch, 10 s long, with 50 rows more than the one before. */
export const epoch = (n: number, facts: Partial<EpochFacts> = {}): EpochFacts => ({
  epoch: n,
  atMs: atMs + n * 10_000,
  sinceLastMs: 10_000,
  times: { alignment: 5, pause: 2, state: 30, manifest: 20, commit: 45, total: 100 },
  stateBytes: 4_096,
  rowsIn: 50,
  rowsInOf: { "source orders/0": 50 },
  rowsOutOf: { output: 7, dead: 1 },
  from: n === 1 ? [] : [at(n - 1)],
  to: [at(n)],
  ledger: ledgerAt(n),
  before: n === 1 ? { epoch: 0, operators: [], edges: [], sinks: [] } : ledgerAt(n - 1),
  eventTime: { count: 50, min: atMs - 9_000, max: atMs, avg: atMs - 4_000 },
  state: [{ operator: "window-1", keys: 12, bytes: 2_048, instances: 3 }],
  ...facts
})

const at = (n: number) => ({
  operator: "source orders",
  partition: "0",
  lane: 0,
  position: String(50 * n),
  rows: 50 * n,
  watermarks: { "withEventTime-1": atMs + n * 10_000 - 1_000 }
})

/** A query that runs. */
export const stateOf = (name: string, facts: Partial<QueryState> = {}): QueryState => {
  const objects = memoryStore()
  const epochs = facts.epochs ?? [epoch(1), epoch(2)]
  return {
    name,
    topology: layOut(pipeline.plan, deadLetterSink(objects) as unknown as AnySink),
    id: `id-of-${name}`,
    runId: `run-of-${name}`,
    phase: "running",
    startedMs: atMs,
    attempt: 1,
    continued: undefined,
    status: {
      failedRow: undefined,
      readers: [reader()],
      looks: [look(0, 0, 4_000), look(10, 100, 4_000), look(20, 400, 3_800), look(30, 900, 3_400)],
      active: () => false,
      events: () => 0,
      sinks: [{ name: "output", role: "output", received: 14, written: 14, dead: 0 }],
      queues: () => [{ task: "window-1[0]", waiting: 2, peak: 8 }],
      keys: () => [
        { operator: "window-1", keys: 5, bytes: 1_000, watermark: atMs - 6_000 },
        { operator: "window-1", keys: 7, bytes: 1_048, watermark: atMs - 7_000 }
      ]
    },
    ledger: epochs.at(-1)?.ledger ?? { epoch: 0, operators: [], edges: [], sinks: [] },
    restarts: 1,
    underway: undefined,
    committing: undefined,
    lastFailure: undefined,
    epochs,
    givenUp: 0,
    givenUpWhy: undefined,
    checkpointAtMs: atMs,
    ...facts
  }
}

/** A query in a registry, and the means to end it. */
export interface Handmade {
  readonly query: QueryHandle<unknown>
  readonly state: QueryState
  readonly end: (exit: QuerySummary | Error) => void
  /** Labels that savepoints were asked for under. */
  readonly savepoints: Array<string>
}

/** How a query of that name ends well. */
export const summary = (name: string): QuerySummary => ({
  name,
  ended: "drained",
  epoch: 2,
  restarts: 1,
  ledger: { epoch: 2, operators: [], edges: [], sinks: [] }
})

/** Enters a query into a registry: a drain lets it end. */
export const enter = (registry: Registry, state: QueryState): Handmade => {
  const ending = Deferred.makeUnsafe<QuerySummary, Error>()
  const fiber = Effect.runFork(Deferred.await(ending))
  const end = (exit: QuerySummary | Error): void => {
    Deferred.doneUnsafe(ending, exit instanceof Error ? Effect.fail(exit) : Effect.succeed(exit))
  }
  const savepoints: Array<string> = []
  const drainWith = (more: Partial<QuerySummary>) =>
    Effect.andThen(
      Effect.sync(() => end({ ...summary(state.name), ...more })),
      Deferred.await(ending)
    )
  const drain = drainWith({})
  const stopWithSavepoint = (label: string) =>
    Effect.andThen(
      Effect.sync(() => savepoints.push(label)),
      drainWith({ savepoint: label })
    )
  return { query: registry.add({ state, fiber, drain, stopWithSavepoint }), state, end, savepoints }
}

/** A registry of one's own, and effects run with it. */
export const world = () => {
  const registry = makeRegistry()
  const run = <A, E>(effect: Effect.Effect<A, E>): Promise<A> =>
    Effect.runPromise(Effect.provideContext(effect, Context.make(QueryRegistry, registry)))
  return { registry, run }
}
