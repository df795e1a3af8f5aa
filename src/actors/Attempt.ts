/**
 * One attempt: everything a query needs to run once, built in one Scope. Readers, aggregators and sink writers are
 * fibers of one set; the first failure ends them all, and the scope releases what they held.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Ownership } from "../checkpoint/Chain.ts"
import { QueryError, SourceError } from "../model/Errors.ts"
import { Limits } from "../model/Limits.ts"
import type { PlanFingerprint } from "../model/PlanFingerprint.ts"
import type { SourceNode } from "../streams/Plan.ts"
import { Build } from "./Build.ts"
import { lagLook, type LagLook, lagLookMs, withLook } from "./CatchUp.ts"
import { CommittedPositions } from "./CommittedPositions.ts"
import { budgetOf, coordinate, type CoordinatorOptions, type Ended } from "./Coordinator.ts"
import { guardSource } from "./Guard.ts"
import { LogNames } from "./LogNames.ts"
import { type CoordinatorEvent, Mailbox } from "./Mailbox.ts"
import { monotonicMs } from "../model/monotonic.ts"
import type { PartitionReader } from "./PartitionReader.ts"
import { nonePartition, type ReaderStatus } from "./ReaderOptions.ts"
import type { FailedRow, PoisonRows } from "./Poison.ts"
import type { QueryState } from "./QueryState.ts"
import type { SinkStatus } from "./SinkWriter.ts"
import type { Recovered } from "./TaskState.ts"
import type { ReadySource, Topology } from "./Topology.ts"

/** What an attempt is given: what runs, how wide, at which pace, what it goes on from, and whom to tell. */
export interface AttemptOptions {
  readonly query: string
  readonly topology: Topology
  readonly plan: PlanFingerprint
  readonly parallelism: number
  readonly chunkRows: number
  readonly epochIntervalMs: number
  /** Rows that an epoch may read; Infinity for no bound. */
  readonly epochRowsMax: number
  /** Ends, with windows kept open, when all that was there at the start has been read (T11). */
  readonly untilAvailable: boolean
  readonly onlyOneEpoch: boolean
  readonly checkpointTimeoutMs: number
  readonly checkpointFailuresMax: number
  readonly ownership: Ownership
  /** Absent: the query begins anew. */
  readonly recovered: Recovered | undefined
  readonly poison: PoisonRows | undefined
  /** Succeeds when the query is to drain. */
  readonly drain: Effect.Effect<void>
  readonly state: QueryState
  /** Looked at now and then: what must end the attempt, if anything. */
  readonly watch: (status: AttemptStatus) => Effect.Effect<void, unknown>
}

/** Live facts of an attempt, for progress. */
export interface AttemptStatus {
  /** The row on which user code failed, if it did and the row is known. */
  failedRow: FailedRow | undefined
  readonly readers: ReadonlyArray<ReaderStatus>
  /** The last looks at what waits in all partitions together, oldest first. */
  looks: ReadonlyArray<LagLook>
  readonly sinks: ReadonlyArray<SinkStatus>
  /** Something happened that no epoch covers yet. */
  readonly active: () => boolean
  /** Messages waiting in each inbox, and the most an edge of it ever held. */
  readonly queues: () => ReadonlyArray<{ readonly task: string; readonly waiting: number; readonly peak: number }>
  /** Events that wait for the coordinator. */
  readonly events: () => number
  /** Keys held by each keyed operator, and about how many bytes. */
  readonly keys: () => ReadonlyArray<{
    readonly operator: string
    readonly keys: number
    readonly bytes: number
    readonly watermark: number
  }>
}

/** Builds an attempt in the present scope. `run` then runs it to its end. */
export const makeAttempt = (
  o: AttemptOptions
): Effect.Effect<
  { readonly status: AttemptStatus; readonly run: Effect.Effect<Ended, unknown> },
  unknown,
  Scope.Scope
> =>
  Effect.gen(function* () {
    for (const load of loadsOf(o.topology)) yield* whenLoaded(load)
    const mailbox = yield* Mailbox.make
    const fibers = yield* FiberSet.make<unknown, unknown>()
    const chunkRows = Math.min(o.chunkRows, Limits.chunkRowsMax, o.epochRowsMax)
    const built = yield* building(() => new Build({ ...o, chunkRows }, mailbox, budgetOf(o.epochRowsMax, mailbox)))
    const sourceOf = (node: SourceNode): ReadySource => guardSource(node.source as ReadySource)
    built.addRecoveredReaders(sourceOf)
    for (const node of o.topology.sources) {
      const source = sourceOf(node)
      const partitions = yield* source.partitions(new Set())
      if (new Set(partitions).size !== partitions.length) return yield* Effect.fail(namedTwice(source, partitions))
      for (const partition of partitions) if (!built.isRead(node, partition)) built.addReader(node, source, partition)
      // Barriers need a way through: a source without partitions is one that has ended, or waits for its first (T12).
      if (!built.readers.some((reader) => reader.node === node))
        built.addReader(node, withoutRows(source, built.firstOf(node)), nonePartition, true)
    }
    const fork = (effect: Effect.Effect<unknown, unknown, Scope.Scope>) =>
      FiberSet.run(fibers, Effect.scoped(effect), { propagateInterruption: true })

    const startReader = (reader: PartitionReader) =>
      Effect.asVoid(fork(Effect.annotateLogs(reader.run, { [LogNames.partition]: reader.status.partition })))
    const discover = (node: SourceNode, source: ReadySource): Effect.Effect<never, unknown> =>
      Effect.gen(function* () {
        for (;;) {
          const known = built.partitionsOf(node)
          const partitions = yield* source.partitions(known)
          const twice = partitions.find((p, i) => known.has(p) || partitions.indexOf(p) !== i)
          if (twice !== undefined) return yield* Effect.fail(namedTwice(source, [twice, twice]))
          // A source that waits for nothing does not keep the others from their turn.
          if (partitions.length === 0) yield* Effect.sleep(Duration.millis(Limits.idleCheckMs))
          for (const partition of partitions) {
            const joined = yield* Latch.make(false)
            const join = Effect.suspend(() =>
              Effect.asVoid(Effect.andThen(startReader(built.addReader(node, source, partition)), joined.open))
            )
            mailbox.offer({ tag: "partition", join })
            yield* joined.await
            yield* built.firstOf(node).open
          }
        }
      })
    const told = o.topology.sources.flatMap(({ source }, i) => {
      const { committed } = source as ReadySource
      return committed === undefined
        ? []
        : [new CommittedPositions(o.topology.nameOf(o.topology.sources[i]), committed)]
    })
    const onCommitted: CoordinatorOptions["onCommitted"] = (readers) => told.forEach((source) => source.note(readers))
    const run = Effect.gen(function* () {
      for (const writer of built.writers) yield* fork(writer.run)
      for (const stage of built.stages.values()) for (const instance of stage) yield* fork(instance.run)
      for (const { reader } of built.readers) yield* startReader(reader)
      const tell = (event: CoordinatorEvent) => Effect.sync(() => mailbox.offer(event))
      yield* fork(every(o.epochIntervalMs, () => tell({ tag: "due" })))
      const look = tell({ tag: "look" })
      yield* fork(
        every(Limits.idleCheckMs, () => Effect.andThen(Effect.andThen(built.tick, o.watch(built.status)), look))
      )
      yield* fork(every(lagLookMs, () => lookAtLag(built.status)))
      yield* fork(Effect.andThen(o.drain, Effect.andThen(tell({ tag: "drain" }), Effect.never)))
      for (const node of o.topology.sources) {
        const isDynamic = node.source.features.dynamicPartitions && !o.untilAvailable
        if (isDynamic) yield* fork(discover(node, sourceOf(node)))
      }
      // What is gone on from is committed, and may not have been told.
      onCommitted(o.ownership.base.readers)
      for (const source of told) yield* fork(source.run)
      const coordinated = coordinate({
        query: o.query,
        mailbox,
        readers: built.controls,
        onBudget: (budget) => {
          built.budget = budget
        },
        tasks: built.tasks,
        sinks: o.topology.sinks,
        takeActivity: () => built.takeActivity(),
        epochRowsMax: o.epochRowsMax,
        onlyOneEpoch: o.onlyOneEpoch,
        ownership: o.ownership,
        plan: o.plan,
        parallelism: o.parallelism,
        timeoutMs: o.checkpointTimeoutMs,
        failuresMax: o.checkpointFailuresMax,
        state: o.state,
        onCommitted
      })
      const ended = yield* Effect.raceFirst(coordinated, Effect.andThen(FiberSet.join(fibers), Effect.never))
      yield* Effect.forEach(told, (source) => source.settled, { concurrency: "unbounded", discard: true })
      return ended
    })
    return { status: built.status, run }
  })

const namedTwice = (source: ReadySource, partitions: ReadonlyArray<string>): SourceError => {
  const twice = partitions.find((partition, i) => partitions.indexOf(partition) !== i)
  const message = `names partition ${twice} twice, and its rows would count twice: mend the connector`
  return new SourceError({ connector: source.name, retryable: false, message })
}

/** Waits for what an operator wants loaded, where it is not yet. */
export const whenLoaded = (load: () => Promise<void> | undefined): Effect.Effect<void> =>
  Effect.suspend(() => {
    const loading = load()
    return loading === undefined ? Effect.void : Effect.promise(() => loading)
  })

/** What the aggregates of a plan want loaded. */
const loadsOf = (topology: Topology): ReadonlySet<() => Promise<void> | undefined> => {
  const loads = new Set<() => Promise<void> | undefined>()
  for (const node of topology.keyed) {
    if (node.kind === "dedupe") continue
    if (node.kind === "process") {
      loads.add(node.spec.load)
      continue
    }
    for (const { spec } of node.aggregates) if (spec.load !== undefined) loads.add(spec.load)
  }
  return loads
}

/** What is built may find that the state of the checkpoint does not fit: an error, not a defect. */
const building = (build: () => Build): Effect.Effect<Build, QueryError> =>
  Effect.try({ try: build, catch: (thrown) => thrown }).pipe(
    Effect.catch((thrown) => (thrown instanceof QueryError ? Effect.fail(thrown) : Effect.die(thrown)))
  )

/** A partition without rows. It ends at once, or, when partitions may come, once the first has come. */
const withoutRows = (source: ReadySource, first: Latch.Latch): ReadySource => {
  const end = Effect.fail(Cause.Done())
  const pull = source.features.dynamicPartitions ? Effect.andThen(first.await, end) : end
  return { ...source, open: () => Effect.succeed({ pull: () => pull, end: Effect.succeed(Option.none()) }) }
}

const lookAtLag = (status: AttemptStatus): Effect.Effect<void> =>
  Effect.map(monotonicMs, (atMs) => {
    const readers = status.readers.filter(({ partition }) => partition !== nonePartition)
    status.looks = withLook(status.looks, lagLook(readers, atMs))
  })

const every = (ms: number, act: () => Effect.Effect<unknown, unknown>): Effect.Effect<never, unknown> =>
  Effect.forever(Effect.andThen(Effect.sleep(Duration.millis(ms)), Effect.suspend(act)))
