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
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { SourceError } from "../model/Errors.ts"
import type { Ledger } from "../model/Ledger.ts"
import { Limits } from "../model/Limits.ts"
import type { AnySink } from "../model/Sink.ts"
import type { EventTimeNode, SourceNode } from "../streams/Plan.ts"
import { wireChain, type ChainContext } from "./Chain.ts"
import { coordinate, type CoordinatorEvent, type Ended } from "./Coordinator.ts"
import type { Inbox } from "./Edge.ts"
import { guardSource } from "./Guard.ts"
import { Lanes } from "./Lanes.ts"
import { OutEdge } from "./OutEdge.ts"
import { PartitionReader, type ReaderStatus } from "./PartitionReader.ts"
import type { TimedBranch } from "./PartitionTime.ts"
import { SinkWriter, type SinkStatus } from "./SinkWriter.ts"
import { type LaneNames, type Report, Task } from "./Task.ts"
import type { KeyedNode, ReadySource, SinkStage, Topology } from "./Topology.ts"
import { WindowAggregator } from "./WindowAggregator.ts"

/** What an attempt is given: what runs, how wide, at which pace, and whom to tell. */
export interface AttemptOptions {
  readonly query: string
  readonly topology: Topology
  readonly parallelism: number
  readonly chunkRows: number
  readonly epochIntervalMs: number
  /** The last epoch of the attempts before; 0 when there were none. */
  readonly lastEpoch: number
  /** Succeeds when the query is to drain. */
  readonly drain: Effect.Effect<void>
  readonly onEpoch: (ledger: Ledger) => void
}

/** Live facts of an attempt, for progress. */
export interface AttemptStatus {
  readonly readers: ReadonlyArray<ReaderStatus>
  readonly sinks: ReadonlyArray<SinkStatus>
  /** Messages waiting in each inbox, and the most an edge of it ever held. */
  readonly queues: () => ReadonlyArray<{ readonly task: string; readonly waiting: number; readonly peak: number }>
  /** Keys held by each keyed operator. */
  readonly keys: () => ReadonlyArray<{ readonly operator: string; readonly keys: number; readonly watermark: number }>
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
    for (const load of loadsOf(o.topology)) yield* Effect.promise(load)
    const mailbox = yield* Queue.unbounded<CoordinatorEvent>()
    const fibers = yield* FiberSet.make<unknown, unknown>()
    const built = new Build(o, mailbox)
    for (const node of o.topology.sources) {
      const source = guardSource(node.source as ReadySource)
      const partitions = yield* source.partitions(new Set())
      if (new Set(partitions).size !== partitions.length) return yield* Effect.fail(namedTwice(source, partitions))
      for (const partition of partitions) built.addReader(node, source, partition)
      // Barriers need a way through: a source without partitions is one that has ended, or waits for its first (T12).
      if (partitions.length === 0) built.addReader(node, withoutRows(source, built.firstOf(node)), nonePartition)
    }
    const fork = (effect: Effect.Effect<unknown, unknown, Scope.Scope>) =>
      FiberSet.run(fibers, Effect.scoped(effect), { propagateInterruption: true })

    const startReader = (reader: PartitionReader) => Effect.asVoid(fork(reader.run))
    const discover = (node: SourceNode, source: ReadySource): Effect.Effect<never, unknown> =>
      Effect.gen(function* () {
        for (;;) {
          const known = new Set(built.readers.filter((r) => r.node === node).map((r) => r.reader.status.partition))
          known.delete(nonePartition)
          for (const partition of yield* source.partitions(known)) {
            const joined = yield* Latch.make(false)
            const join = Effect.suspend(() =>
              Effect.asVoid(Effect.andThen(startReader(built.addReader(node, source, partition)), joined.open))
            )
            yield* Queue.offer(mailbox, { tag: "partition", join })
            yield* joined.await
            yield* built.firstOf(node).open
          }
        }
      })
    const run = Effect.gen(function* () {
      for (const writer of built.writers) yield* fork(writer.run)
      for (const stage of built.stages.values()) for (const instance of stage) yield* fork(instance.run)
      for (const { reader } of built.readers) yield* startReader(reader)
      yield* fork(every(o.epochIntervalMs, () => Queue.offer(mailbox, { tag: "due" })))
      yield* fork(every(Limits.idleCheckMs, () => Effect.sync(() => built.tick())))
      yield* fork(Effect.andThen(o.drain, Effect.andThen(Queue.offer(mailbox, { tag: "drain" }), Effect.never)))
      for (const node of o.topology.sources) {
        if (node.source.features.dynamicPartitions) yield* fork(discover(node, guardSource(node.source as ReadySource)))
      }
      const coordinated = coordinate({
        query: o.query,
        mailbox,
        readers: built.controls,
        tasks: built.tasks,
        sinks: o.topology.sinks,
        takeActivity: () => built.takeActivity(),
        onEpoch: o.onEpoch,
        firstEpoch: 1 + (yield* lastCommitted(o))
      })
      return yield* Effect.raceFirst(coordinated, Effect.andThen(FiberSet.join(fibers), Effect.never))
    })
    return { status: built.status, run }
  })

/**
 * The last epoch that some sink has committed, or that an attempt before this one has. Later epochs have higher
 * numbers: a sink takes the rows of a number that it has committed for rows it has (C2), and drops them.
 */
const lastCommitted = (o: AttemptOptions): Effect.Effect<number, unknown> =>
  Effect.map(
    Effect.forEach(o.topology.sinks, ({ sink, name }) => sink.committed(o.query, name)),
    (epochs) => Math.max(o.lastEpoch, ...epochs.map((epoch) => Option.getOrElse(epoch, () => 0)))
  )

/** Stands for a source that has no partitions yet; `(none)` in progress. */
const nonePartition = "(none)"

const namedTwice = (source: ReadySource, partitions: ReadonlyArray<string>): SourceError => {
  const twice = partitions.find((partition, i) => partitions.indexOf(partition) !== i)
  const message = `names partition ${twice} twice, and its rows would count twice: mend the connector`
  return new SourceError({ connector: source.name, retryable: false, message })
}

/** What the aggregates of a plan want loaded. */
const loadsOf = (topology: Topology): ReadonlySet<() => Promise<void>> => {
  const loads = new Set<() => Promise<void>>()
  for (const node of topology.keyed) {
    if (node.kind === "dedupe") continue
    for (const { spec } of node.aggregates) if (spec.load !== undefined) loads.add(spec.load)
  }
  return loads
}

/** A partition without rows. It ends at once, or, when partitions may come, once the first has come. */
const withoutRows = (source: ReadySource, first: Latch.Latch): ReadySource => {
  const end = Effect.fail(Cause.Done())
  const pull = source.features.dynamicPartitions ? Effect.andThen(first.await, end) : end
  return { ...source, open: () => Effect.succeed({ pull: () => pull, end: Effect.succeed(Option.none()) }) }
}

const every = (ms: number, act: () => Effect.Effect<unknown>): Effect.Effect<never> =>
  Effect.forever(Effect.andThen(Effect.sleep(Duration.millis(ms)), Effect.suspend(act)))

/** The tasks of an attempt and the edges between them. */
class Build {
  readonly writers: Array<SinkWriter> = []
  readonly stages = new Map<KeyedNode, Array<WindowAggregator>>()
  readonly readers: Array<{ readonly node: SourceNode; readonly reader: PartitionReader }> = []
  readonly controls: Array<PartitionReader["control"]> = []
  readonly tasks = new Set<string>()
  readonly status: AttemptStatus
  readonly #o: AttemptOptions
  readonly #sinkOf = new Map<SinkStage, SinkWriter>()
  readonly #lanes = new Map<EventTimeNode, Lanes>()
  readonly #firsts = new Map<SourceNode, Latch.Latch>()
  readonly #names: LaneNames
  readonly #report: (report: Report) => Effect.Effect<void>
  readonly #readerStatus: Array<ReaderStatus> = []
  #active = false

  constructor(o: AttemptOptions, mailbox: Queue.Queue<CoordinatorEvent>) {
    this.#o = o
    this.#report = (report) => Effect.asVoid(Queue.offer(mailbox, { tag: "report", report }))
    this.#names = {
      source: (lane) => this.#readerStatus[lane]?.source ?? "unknown",
      partition: (lane) => this.#readerStatus[lane]?.partition ?? "unknown"
    }
    for (const stage of o.topology.sinks) this.#addWriter(stage, mailbox)
    // A sink of the results is there before the dead letters that it may write to.
    for (const writer of this.writers) {
      if (writer.stage.role !== "dead") writer.task.setDead(this.#edge(writer.task, this.#writer(o.topology.dead)))
    }
    for (const node of o.topology.keyed) this.#addStage(node)
    for (const node of o.topology.keyed)
      for (const instance of this.stages.get(node) ?? []) this.#wireStage(node, instance)
    this.status = {
      readers: this.#readerStatus,
      sinks: this.writers.map((w) => w.status),
      queues: () => [...this.writers, ...[...this.stages.values()].flat()].map(queueOf),
      keys: () =>
        [...this.stages].flatMap(([node, instances]) =>
          instances.map((i) => ({
            operator: o.topology.nameOf(node),
            keys: i.operator.keys(),
            watermark: i.task.watermark
          }))
        )
    }
  }

  #task(wanted: string, partition?: string): Task {
    // Names of partitions are the source's: `a/b` of `c` and `b` of `c/a` are two.
    let name = wanted
    while (this.tasks.has(name)) name += "'"
    this.tasks.add(name)
    return new Task(this.#o.query, name, this.#names, partition)
  }

  #addWriter(stage: SinkStage, mailbox: Queue.Queue<CoordinatorEvent>): void {
    const ended = Effect.asVoid(Queue.offer(mailbox, { tag: "ended", stage }))
    const writer = new SinkWriter(this.#task(`sink ${stage.name}`), stage, this.#report, ended)
    this.writers.push(writer)
    this.#sinkOf.set(stage, writer)
  }

  #writer(stage: SinkStage): SinkWriter {
    return this.#sinkOf.get(stage) as SinkWriter
  }

  #edge(from: Task, to: { readonly task: Task; readonly inbox: Inbox }): OutEdge {
    return new OutEdge(to.inbox.add(`${from.name} -> ${to.task.name}`))
  }

  #addStage(node: KeyedNode): void {
    const { topology, parallelism } = this.#o
    const name = topology.nameOf(node)
    const instances: Array<WindowAggregator> = []
    for (let i = 0; i < parallelism; i++) {
      instances.push(new WindowAggregator(this.#task(`${name}[${i}]`), node, name, topology.needsOrder, this.#report))
    }
    this.stages.set(node, instances)
  }

  #wireStage(node: KeyedNode, instance: WindowAggregator): void {
    const { topology } = this.#o
    const { task } = instance
    task.setDead(this.#edge(task, this.#writer(topology.dead)))
    const keepsLate = node.kind !== "running" && node.late.kind === "to" ? node.late.sink : undefined
    const late = keepsLate === undefined ? undefined : this.#edge(task, this.#writer(topology.stageOf(keepsLate)))
    instance.wire(
      wireChain(
        task,
        node,
        this.#context(task, false, () => 0)
      ),
      late
    )
  }

  #context(task: Task, hasAppendTime: boolean, now: () => number): ChainContext {
    const keep = (edge: OutEdge): OutEdge => {
      task.out.push(edge)
      return edge
    }
    return {
      topology: this.#o.topology,
      hasAppendTime,
      now,
      edgesTo: (node) => (this.stages.get(node) ?? []).map((instance) => keep(this.#edge(task, instance))),
      edgeToSink: (node) => keep(this.#edge(task, this.#writer(this.#o.topology.stageOf(node))))
    }
  }

  /** Opens when a partition of the source has joined while the attempt runs. */
  firstOf(node: SourceNode): Latch.Latch {
    let latch = this.#firsts.get(node)
    if (latch === undefined) this.#firsts.set(node, (latch = Latch.makeUnsafe(false)))
    return latch
  }

  addReader(node: SourceNode, source: ReadySource, partition: string): PartitionReader {
    const { topology, chunkRows } = this.#o
    const name = topology.nameOf(node)
    const task = this.#task(`${name}/${partition}`, partition)
    const reader = new PartitionReader(task, {
      node,
      source,
      name,
      partition,
      lane: this.#readerStatus.length,
      chunkRows,
      report: this.#report,
      active: () => {
        this.#active = true
      }
    })
    this.#readerStatus.push(reader.status)
    this.readers.push({ node, reader })
    this.controls.push(reader.control)
    const dead: AnySink | undefined = source.deadLetters
    const stage = dead === undefined ? topology.dead : topology.stageOf(dead)
    task.setDead(this.#edge(task, this.#writer(stage)))
    const chain = wireChain(
      task,
      node,
      this.#context(task, source.features.appendTime, () => reader.nowMs)
    )
    const branches = chain.generators.map(({ node: timed, generator }): TimedBranch => {
      const lanes = this.#lanesOf(timed)
      const whenQuiet =
        timed.spec.whenQuiet ?? (source.features.bounded || !source.features.appendTime ? "hold" : "followClock")
      return {
        generator,
        lanes,
        lane: lanes.join(),
        idleAfterMs: timed.spec.idleAfterMs ?? Limits.idleAfterMs,
        followClockBehindMs: whenQuiet === "followClock" ? timed.spec.outOfOrdernessMs : undefined
      }
    })
    reader.wire(chain, branches)
    return reader
  }

  #lanesOf(node: EventTimeNode): Lanes {
    const meeting = this.#o.topology.meetingOf(node)
    let lanes = this.#lanes.get(meeting)
    if (lanes === undefined) {
      lanes = new Lanes(meeting.spec.alignmentDriftMs ?? Limits.alignmentDriftMs)
      this.#lanes.set(meeting, lanes)
    }
    return lanes
  }

  takeActivity(): boolean {
    const active = this.#active
    this.#active = false
    return active
  }

  tick(): void {
    for (const control of this.controls) if (control.length === 0) control.tryOffer({ tag: "tick" })
  }
}

const queueOf = (receiver: { readonly task: Task; readonly inbox: Inbox }) => {
  let waiting = 0
  let peak = 0
  for (const edge of receiver.inbox.edges) {
    waiting += edge.length
    peak = Math.max(peak, edge.peak)
  }
  return { task: receiver.task.name, waiting, peak }
}
