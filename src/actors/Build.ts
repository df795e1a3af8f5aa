/**
 * Builds what an attempt is made of: its tasks, the edges between them, and what each goes on from in a checkpoint.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import { QueryError } from "../model/Errors.ts"
import { Limits } from "../model/Limits.ts"
import { noLane } from "../model/RowChunk.ts"
import type { AnySink } from "../model/Sink.ts"
import { hashKey, type KeyTuple, receiverOf } from "../streams/KeyDictionary.ts"
import type { EventTimeNode, PlanNode, SourceNode } from "../streams/Plan.ts"
import type { AttemptOptions, AttemptStatus } from "./Attempt.ts"
import { wireChain, type ChainContext } from "./Chain.ts"
import type { Inbox } from "./Edge.ts"
import type { EpochBudget } from "./EpochBudget.ts"
import { Lanes } from "./Lanes.ts"
import type { Mailbox } from "./Mailbox.ts"
import { OutEdge } from "./OutEdge.ts"
import { PartitionReader } from "./PartitionReader.ts"
import type { ReaderStatus } from "./ReaderOptions.ts"
import type { TimedBranch } from "./PartitionTime.ts"
import { noPoison } from "./Poison.ts"
import { SinkWriter } from "./SinkWriter.ts"
import { type LaneNames, type Report, Task } from "./Task.ts"
import type { KeyedNode, ReadySource, SinkStage } from "./Topology.ts"
import { WindowAggregator } from "./WindowAggregator.ts"

/** The tasks of an attempt and the edges between them. */
export class Build {
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
  readonly #byLane = new Map<number, { readonly node: SourceNode; readonly reader: PartitionReader }>()
  /** The lane of the next partition that no checkpoint knows. */
  #nextLane: number
  /** What the readers of the present epoch share; partitions that join take part in it. */
  budget: EpochBudget
  readonly #completed: () => Effect.Effect<void>
  #active = false

  constructor(o: AttemptOptions, mailbox: Mailbox, budget: EpochBudget) {
    this.#o = o
    this.#nextLane = 1 + Math.max(-1, ...(o.recovered?.readers ?? []).map((record) => record.lane))
    this.budget = budget
    this.#completed = () => Effect.sync(() => mailbox.offer({ tag: "completed" }))
    this.#report = (report) => Effect.sync(() => mailbox.offer({ tag: "report", report }))
    this.#names = {
      source: (lane) => this.#byLane.get(lane)?.reader.status.source ?? "unknown",
      partition: (lane) => this.#byLane.get(lane)?.reader.status.partition ?? "unknown",
      failed: (lane, ordinal) => {
        const failed = this.#byLane.get(lane)
        if (failed === undefined) return
        const { partition } = failed.reader.status
        this.status.failedRow = { source: o.topology.nameOf(failed.node), partition, ordinal }
      }
    }
    for (const stage of o.topology.sinks) this.#addWriter(stage, mailbox)
    // A sink of the results is there before the dead letters that it may write to.
    for (const writer of this.writers) {
      if (writer.stage.role !== "dead") writer.task.setDead(this.#edge(writer.task, this.#writer(o.topology.dead)))
    }
    for (const node of o.topology.keyed) this.#addStage(node)
    for (const node of o.topology.keyed)
      for (const [i, instance] of (this.stages.get(node) ?? []).entries()) this.#wireStage(node, instance, i)
    this.status = {
      failedRow: undefined,
      readers: this.#readerStatus,
      looks: [],
      active: () => this.#active,
      sinks: this.writers.map((w) => w.status),
      events: () => mailbox.waiting,
      queues: () => [...this.writers, ...[...this.stages.values()].flat()].map(queueOf),
      keys: () =>
        [...this.stages].flatMap(([node, instances]) =>
          instances.map((i) => ({
            operator: o.topology.nameOf(node),
            keys: i.operator.keys(),
            bytes: i.operator.bytes(),
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

  #addWriter(stage: SinkStage, mailbox: Mailbox): void {
    const ended = Effect.sync(() => mailbox.offer({ tag: "ended", stage }))
    const { attempt, queryId, base } = this.#o.ownership
    const begins = base.epoch > 0 ? "checkpoint" : base.state === undefined ? "anew" : "savepoint"
    const context = { queryId, attempt, continues: base.epoch, begins } as const
    const writer = new SinkWriter(this.#task(`sink ${stage.name}`), stage, context, this.#report, ended)
    const state = this.#o.recovered?.sinkState(stage.name)
    if (state !== undefined) writer.restore(state)
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
      const task = this.#task(`${name}[${i}]`)
      instances.push(new WindowAggregator(task, node, name, i, topology.needsOrder, this.#report))
    }
    this.stages.set(node, instances)
  }

  #wireStage(node: KeyedNode, instance: WindowAggregator, i: number): void {
    const { topology, parallelism, recovered } = this.#o
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
    const from = recovered?.operatorStates(topology.nameOf(node), i, parallelism)
    // Key groups go to instances as the exchange deals them (C11).
    const isMine = (key: KeyTuple): boolean => receiverOf(hashKey(key), parallelism) === i
    if (from !== undefined) instance.restore(from, from.isWhole ? () => true : isMine)
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

  /** Readers of the partitions that the checkpoint knows, in the order of their lanes (A1). */
  addRecoveredReaders(sourceOf: (node: SourceNode) => ReadySource): void {
    const { recovered, topology } = this.#o
    for (const record of recovered?.readers ?? []) {
      const node = topology.sources.find((source) => topology.nameOf(source) === record.operator)
      if (node !== undefined) this.addReader(node, sourceOf(node), record.partition)
    }
  }

  /** The partitions of a source that are read. */
  partitionsOf(node: SourceNode): ReadonlySet<string> {
    const mine = [...this.#byLane.values()].filter((r) => r.node === node)
    return new Set(mine.map((r) => r.reader.status.partition))
  }

  isRead(node: SourceNode, partition: string): boolean {
    return this.partitionsOf(node).has(partition)
  }

  /**
   * Adds a partition's reader. A placeholder stands for a source that has no partitions: it has no rows, and neither a
   * lane nor a record of its own.
   */
  addReader(node: SourceNode, source: ReadySource, partition: string, isPlaceholder = false): PartitionReader {
    const { topology, chunkRows, recovered, untilAvailable, poison } = this.#o
    const name = topology.nameOf(node)
    const task = this.#task(`${name}/${partition}`, partition)
    const record = recovered?.readers.find((r) => r.operator === name && r.partition === partition)
    const lane = isPlaceholder ? noLane : (record?.lane ?? this.#nextLane++)
    const reader = new PartitionReader(task, {
      node,
      source,
      name,
      partition,
      lane,
      isPlaceholder,
      chunkRows,
      report: this.#report,
      active: () => {
        this.#active = true
      },
      restored: record === undefined ? undefined : { record, counters: recovered?.readerCounters(name, partition) },
      budget: this.budget,
      onlyAvailable: untilAvailable ? { completed: this.#completed } : undefined,
      poison: poison?.rowsOf(name, partition) ?? noPoison,
      refusesRows: this.#leadsToEnded(node) ? () => inputEnded(this.#o.query, name) : undefined
    })
    this.#readerStatus.push(reader.status)
    this.readers.push({ node, reader })
    if (!isPlaceholder) this.#byLane.set(lane, { node, reader })
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
      const branch = topology.nameOf(timed)
      const whenQuiet =
        timed.spec.whenQuiet ?? (source.features.bounded || !source.features.appendTime ? "hold" : "followClock")
      return {
        name: branch,
        generator,
        lanes,
        lane: lanes.join(record === undefined ? undefined : (record.watermarks[branch] ?? -Infinity)),
        idleAfterMs: timed.spec.idleAfterMs ?? Limits.idleAfterMs,
        followClockBehindMs: whenQuiet === "followClock" ? timed.spec.outOfOrdernessMs : undefined
      }
    })
    reader.wire(chain, branches)
    return reader
  }

  /** Whether rows of a source come to an operator whose windows its input's end has closed (T11). */
  #leadsToEnded(node: SourceNode): boolean {
    const { recovered, topology } = this.#o
    if (recovered === undefined || recovered.ended.size === 0) return false
    const seen = new Set<PlanNode>([node])
    for (const at of seen) {
      if (recovered.ended.has(topology.nameOf(at))) return true
      for (const next of topology.consumers.get(at) ?? []) if (next.kind !== "sink") seen.add(next)
    }
    return false
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
    let active = this.#active
    this.#active = false
    for (const stage of this.stages.values()) {
      for (const instance of stage) {
        active ||= instance.hasStirred
        instance.hasStirred = false
      }
    }
    return active
  }

  readonly tick: Effect.Effect<void> = Effect.sync(() => {
    for (const control of this.controls) if (control.length === 0) control.tryOffer({ tag: "tick" })
    for (const stage of this.stages.values()) for (const instance of stage) instance.wakeByClock()
  })
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

const inputEnded = (query: string, source: string): QueryError =>
  new QueryError({
    reason: "InputEnded",
    query,
    message: `${source} has rows beyond the end that query ${query} had read it to, and the windows they may belong to are closed: begin anew with another checkpoint, or read such input with Trigger.availableNow(), which keeps windows open`
  })
