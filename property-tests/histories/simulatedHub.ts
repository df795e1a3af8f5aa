/**
 * An event hub in the simulator: the contract of a client of Event Hubs, over partitions that outlive the processes that
 * read them. Requests take their time, links break where a plan of faults says so, other readers take partitions away,
 * retention takes events, and what was given may be given again. Decided by the simulator's seed and the plan.
 */
import * as Effect from "effect/Effect"
import type {
  ClientError,
  ConnectHub,
  EventHubsClient,
  PartitionInfo,
  ReceivedEvent,
  ReceiveOptions
} from "../../src/connectors/eventhubs/EventHubsClient.ts"
import type { StartPosition } from "../../src/connectors/eventhubs/StartPosition.ts"
import { simulatedStartMs, type Simulator } from "../../src/testing/Simulator.ts"
import { failure, type HubFault } from "./hubFaults.ts"
import { SimulatedReceiver } from "./simulatedReceiver.ts"

/** An event of a partition, and when the hub has it, ms after the start of the simulation. */
export interface HubEvent {
  readonly sequenceNumber: number
  readonly atMs: number
  readonly body: string
}

/** A partition; its name is its place in the list. */
export interface HubPartition {
  readonly appearsMs: number
  /** Of its first event, whenever that comes. */
  readonly firstSequence: number
  readonly events: ReadonlyArray<HubEvent>
}

/** What a partition holds at a moment, by the indices of its events. */
export interface Held {
  /** The first that retention has not taken. */
  readonly from: number
  /** Behind the last that has come. */
  readonly to: number
}

/** How long a request takes that is answered, and one that is not, ms. */
const answerMsMax = 10
const silenceMs = { min: 60, max: 200 }

const utf8 = new TextEncoder()

/** Texts that neither grow with the sequence numbers nor can be calculated with. */
const offsetOf = (sequenceNumber: number): string => `${(sequenceNumber * 7919) % 10_007}:x${sequenceNumber}`

const unsent = failure("refused", "nothing is sent to this hub")

/** The hub. */
export class SimulatedHub {
  readonly simulator: Simulator
  readonly partitions: ReadonlyArray<HubPartition>
  /** Tells what struck, each time. */
  readonly struck: (fault: HubFault) => void
  readonly #faults: ReadonlyArray<HubFault>
  /** How often each fault has still to strike; those that lie in time are not counted. */
  readonly #left: Map<HubFault, number>
  readonly #readers = new Set<SimulatedReceiver>()
  /** Of each partition, the first event from which on anybody took some: none before it is given again. */
  readonly #taken: Array<number>
  readonly #calls = { partitions: 0, info: 0, receive: 0 }

  constructor(
    simulator: Simulator,
    partitions: ReadonlyArray<HubPartition>,
    faults: ReadonlyArray<HubFault>,
    struck: (fault: HubFault) => void
  ) {
    this.simulator = simulator
    this.partitions = partitions
    this.struck = struck
    this.#faults = faults
    this.#taken = partitions.map(() => Infinity)
    this.#left = new Map(faults.map((fault) => [fault, "calls" in fault && fault.kind !== "steal" ? fault.calls : 1]))
  }

  /** Time since the start of the simulation, ms. */
  get nowMs(): number {
    return this.simulator.nowMs - simulatedStartMs
  }

  /** What a partition holds now. */
  held(partition: number): Held {
    const { events } = this.partitions[partition]
    const now = this.nowMs
    let to = 0
    while (to < events.length && events[to].atMs <= now) to++
    const trims = this.#of("trim", partition).filter(({ event }) => event < to)
    return { from: Math.max(0, ...trims.map(({ event, back }) => event - back)), to }
  }

  /** An event as a client gets it. */
  event(partition: number, index: number): ReceivedEvent {
    const { sequenceNumber, atMs, body } = this.partitions[partition].events[index]
    return {
      sequenceNumber,
      offset: offsetOf(sequenceNumber),
      enqueuedMs: Math.floor(simulatedStartMs + atMs),
      body: utf8.encode(body),
      partitionKey: undefined,
      properties: {},
      systemProperties: {}
    }
  }

  /** The fault of this kind that strikes a partition at an event, if it still does; then it does once less. */
  strikes<K extends "drop" | "again" | "steal">(
    kind: K,
    partition: number,
    event: number
  ): Extract<HubFault, { readonly kind: K }> | undefined {
    const fault = this.#of(kind, partition).find(
      (f) => "event" in f && f.event === event && (this.#left.get(f) ?? 0) > 0
    )
    if (fault === undefined) return undefined
    this.#left.set(fault, (this.#left.get(fault) ?? 0) - 1)
    this.struck(fault)
    return fault
  }

  /** A reader that began at this event took some. */
  took(partition: number, first: number): void {
    this.#taken[partition] = Math.min(this.#taken[partition], first)
  }

  /** How many events before one are given once more, now. */
  givesAgain(partition: number, event: number): number {
    const most = event - Math.max(this.#taken[partition], this.held(partition).from)
    return most <= 0 ? 0 : Math.min(most, this.strikes("again", partition, event)?.back ?? 0)
  }

  /** The outages of a partition, from when until when, ms after the start; those that an event that never comes begins are none. */
  outages(
    partition: number
  ): ReadonlyArray<{ readonly fromMs: number; readonly toMs: number; readonly fault: HubFault }> {
    return this.#faults.flatMap((fault) => {
      if (fault.kind !== "away" || !(fault.all || this.#at(fault) === partition)) return []
      const event = this.partitions[this.#at(fault)].events[fault.event]
      return event === undefined ? [] : [{ fromMs: event.atMs, toMs: event.atMs + fault.ms, fault }]
    })
  }

  /** How a process reaches the hub. `exhausted` is called when one connection has read all that there will ever be. */
  connector(exhausted: () => void): ConnectHub {
    return () =>
      Effect.sync((): EventHubsClient => {
        const read = new Set<number>()
        const hasRead = (partition: number): void => {
          if (read.add(partition).size === this.partitions.length) exhausted()
        }
        return {
          hub: Effect.map(this.#ask("partitions", undefined), () => ({
            partitionIds: this.partitions.flatMap(({ appearsMs }, p) => (appearsMs <= this.nowMs ? [String(p)] : [])),
            createdMs: simulatedStartMs
          })),
          info: (partition) => Effect.map(this.#ask("info", partition), (p) => this.#infoOf(p)),
          receive: (options) =>
            Effect.acquireRelease(
              Effect.flatMap(this.#ask("receive", options.partition), (p) => this.#receive(options, p, hasRead)),
              (receiver) => Effect.sync(() => this.#readers.delete(receiver))
            ),
          requestBytesMax: Effect.fail(unsent),
          send: () => Effect.fail(unsent)
        }
      })
  }

  /** Ends the links of a partition, or of all, as a broken connection does. */
  breakLinks(partition: number | undefined, error: ClientError): void {
    for (const reader of this.#readers)
      if (partition === undefined || reader.partition === partition) reader.fail(error)
  }

  #at({ partition }: { readonly partition: number }): number {
    return partition % this.partitions.length
  }

  #of<K extends HubFault["kind"]>(kind: K, partition: number) {
    return this.#faults.filter(
      (f): f is Extract<HubFault, { readonly kind: K }> =>
        f.kind === kind && "partition" in f && this.#at(f) === partition
    )
  }

  /** A request, as far as it is the same for all: the way there, and whether anybody answers. */
  #ask(what: "partitions" | "info" | "receive", partition: string | undefined): Effect.Effect<number, ClientError> {
    return Effect.gen({ self: this }, function* () {
      const { random } = this.simulator
      yield* random.below(3) === 0 ? Effect.yieldNow : Effect.sleep(1 + random.below(answerMsMax))
      const p = partition === undefined ? -1 : Number(partition)
      if (p >= this.partitions.length || (p >= 0 && this.partitions[p].appearsMs > this.nowMs))
        return yield* Effect.fail(failure("not-found", `there is no partition ${partition}`))
      const now = this.nowMs
      const away = this.outages(p).find(({ fromMs, toMs }) => fromMs <= now && now < toMs)
      if (away !== undefined) {
        this.struck(away.fault)
        yield* Effect.sleep(silenceMs.min + random.below(silenceMs.max - silenceMs.min))
        return yield* Effect.fail(failure("unavailable", "the hub does not answer"))
      }
      const call = this.#calls[what]++
      const refusal = this.#faults.find(
        (f): f is Extract<HubFault, { readonly kind: "refuse" }> =>
          f.kind === "refuse" && f.of === what && f.atCall <= call && call < f.atCall + f.calls
      )
      if (refusal === undefined) return p
      this.struck(refusal)
      return yield* Effect.fail(failure(refusal.fault, `the hub refuses the call ${call} of ${what}`))
    })
  }

  #infoOf(partition: number): PartitionInfo {
    const { events, firstSequence } = this.partitions[partition]
    const { from, to } = this.held(partition)
    const lastSequenceNumber = to === 0 ? firstSequence - 1 : events[to - 1].sequenceNumber
    return {
      beginSequenceNumber: from < to ? events[from].sequenceNumber : lastSequenceNumber + 1,
      lastSequenceNumber,
      lastOffset: lastSequenceNumber < 0 ? "" : offsetOf(lastSequenceNumber),
      lastEnqueuedMs: to === 0 ? 0 : Math.floor(simulatedStartMs + events[to - 1].atMs)
    }
  }

  /** Whoever comes with a level sends those with the same or a lower one away, and is not let in beside a higher one. */
  #receive(
    { partition: name, from, ownerLevel, prefetchEvents }: ReceiveOptions,
    partition: number,
    hasRead: (partition: number) => void
  ): Effect.Effect<SimulatedReceiver, ClientError> {
    return Effect.suspend(() => {
      const thief = this.#of("steal", partition).find((f) => (this.#thieves.get(f) ?? 0) > 0)
      if (thief !== undefined) {
        this.#thieves.set(thief, (this.#thieves.get(thief) ?? 0) - 1)
        return Effect.fail(failure("stolen", `another reader has partition ${name}`))
      }
      const others = [...this.#readers].filter((reader) => reader.partition === partition)
      const highest = Math.max(0, ...others.map((other) => other.ownerLevel ?? 0))
      if (highest > (ownerLevel ?? 0))
        return Effect.fail(failure("stolen", `a reader with the level ${highest} has partition ${name}`))
      if (ownerLevel !== undefined)
        for (const other of others) other.fail(failure("stolen", `a reader with the level ${ownerLevel} came`))
      const first = this.#indexOf(partition, from)
      if (first === undefined)
        return Effect.fail(failure("refused", `partition ${name} has no ${JSON.stringify(from)}`))
      const receiver = new SimulatedReceiver(this, partition, first, ownerLevel, prefetchEvents, hasRead)
      this.#readers.add(receiver)
      return Effect.succeed(receiver)
    })
  }

  /** Readers that each thief still turns away. */
  readonly #thieves = new Map<HubFault, number>()

  /** A thief takes a partition, and has it until it turned so many readers away. */
  steal(fault: Extract<HubFault, { readonly kind: "steal" }>): ClientError {
    this.#thieves.set(fault, fault.calls)
    return failure("stolen", "a reader with a higher level came")
  }

  /** The index of the first event from a place on; undefined where there is no such place. */
  #indexOf(partition: number, from: StartPosition): number | undefined {
    const { events } = this.partitions[partition]
    const held = this.held(partition)
    const first = (is: (event: HubEvent) => boolean): number => {
      const at = events.findIndex(is)
      return Math.max(held.from, at < 0 ? events.length : at)
    }
    if ("at" in from) return from.at === "earliest" ? held.from : held.to
    const after = from as { readonly inclusive?: boolean }
    const behind = after.inclusive === true ? 0 : 1
    if ("sequenceNumber" in from) return first((e) => e.sequenceNumber >= from.sequenceNumber + behind)
    if ("enqueuedTime" in from) return first((e) => Math.floor(simulatedStartMs + e.atMs) > Number(from.enqueuedTime))
    const named = /:x(\d+)$/.exec(from.offset)
    if (named === null || offsetOf(Number(named[1])) !== from.offset) return undefined
    return first((e) => e.sequenceNumber >= Number(named[1]) + behind)
  }
}
