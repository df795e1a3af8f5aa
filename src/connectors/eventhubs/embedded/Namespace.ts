/** What all connections share: the hubs, the plan of faults, the budget of publishers, and what is counted. */
import type { Disk } from "./disk.ts"
import { FaultPlan } from "./FaultPlan.ts"
import { expire, type Hub, makeHub, makePartition, type Partition } from "./Hub.ts"
import { type HubSettings, isName, type Settings } from "./options.ts"
import { hubsIn, openPartitions, removeHub, saveHub } from "./recovery.ts"
import type { AmqpError, Link } from "./rhea.ts"
import { makeThroughput, type Throughput } from "./Throughput.ts"
import type { Timers } from "./timers.ts"

/** What has happened since the start. */
export interface Counts {
  connections: number
  attaches: number
  tokens: number
  managementRequests: number
  sends: number
  refusedSends: number
  throttledSends: number
  eventsIn: number
  bytesIn: number
  eventsOut: number
  bytesOut: number
}

/** A publisher's or reader's link, as faults find it. */
export interface OpenLink {
  readonly role: "publisher" | "reader"
  readonly hub: Hub
  /** None: a publisher to all of the hub's. */
  readonly partition: Partition | undefined
  readonly link: Link
  /** Sends what can be sent. */
  readonly pump: () => void
  /** Nothing more goes in or out. */
  readonly forget: () => void
}

const hubOf = (settings: HubSettings, partitions: ReadonlyArray<Partition>, createdMs: number): Hub =>
  makeHub(settings.name, partitions, settings.groups, settings.retention, createdMs)

const numbers = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, i) => i)

/** See above. */
export class Namespace {
  readonly settings: Settings
  readonly now: () => number
  readonly timers: Timers
  readonly faults: FaultPlan
  readonly throughput: Throughput
  readonly links = new Map<Link, OpenLink>()
  readonly counts: Counts = {
    connections: 0,
    attaches: 0,
    tokens: 0,
    managementRequests: 0,
    sends: 0,
    refusedSends: 0,
    throttledSends: 0,
    eventsIn: 0,
    bytesIn: 0,
    eventsOut: 0,
    bytesOut: 0
  }
  readonly #disk: Disk
  readonly #hubs = new Map<string, Hub>()
  /** Hubs are made one after the other. */
  #making: Promise<unknown> = Promise.resolve()

  constructor(settings: Settings, now: () => number, timers: Timers, disk: Disk) {
    this.settings = settings
    this.now = now
    this.timers = timers
    this.#disk = disk
    this.faults = new FaultPlan(timers)
    this.throughput = makeThroughput(settings.throughputUnits)
  }

  /** All hubs. */
  get hubs(): ReadonlyArray<Hub> {
    return [...this.#hubs.values()]
  }

  /** A hub that is there. */
  hub(name: string): Hub | undefined {
    return this.#hubs.get(name.toLowerCase())
  }

  /** A hub that a client asks for; it is made where that is wanted. */
  async hubFor(name: string): Promise<Hub | undefined> {
    const { partitionsOnFirstUse, retention } = this.settings
    const found = this.hub(name)
    if (found !== undefined || partitionsOnFirstUse === undefined || !isName(name)) return found
    return this.add({ name, partitions: partitionsOnFirstUse, groups: [], retention })
  }

  /** Opens what the folder holds, and makes the hubs of the options. */
  async open(): Promise<void> {
    const { dataFolder, hubs } = this.settings
    const found = dataFolder === undefined ? [] : await hubsIn(this.#disk, dataFolder)
    for (const hub of found) {
      const said = hubs.find(({ name }) => name.toLowerCase() === hub.name.toLowerCase())
      await this.add({ ...hub, retention: said?.retention ?? hub.retention })
    }
    for (const hub of hubs) await this.add(hub)
  }

  /** Makes a hub. One that is there gets what it lacks: partitions, groups. */
  add(wanted: HubSettings & { readonly createdMs?: number }): Promise<Hub> {
    return this.#inTurn(async () => {
      const there = this.hub(wanted.name)
      if (there === undefined) {
        const partitions = await this.#partitions(wanted.name, 0, wanted.partitions)
        const hub = hubOf(wanted, partitions, wanted.createdMs ?? this.now())
        await this.#save(hub)
        for (const partition of partitions) expire(partition, hub.retention, this.now())
        this.#hubs.set(wanted.name.toLowerCase(), hub)
        return hub
      }
      for (const group of wanted.groups) there.groups.add(group.toLowerCase())
      await this.#extend(there, wanted.partitions)
      return there
    })
  }

  /** Takes a hub away, with its events. */
  remove(hub: Hub, error: AmqpError): Promise<void> {
    this.#hubs.delete(hub.name.toLowerCase())
    this.detach((open) => open.hub === hub, error)
    return this.#inTurn(async () => {
      for (const { store } of hub.partitions) await store?.close()
      if (this.settings.dataFolder !== undefined) await removeHub(this.#disk, this.settings.dataFolder, hub.name)
    })
  }

  /** Closes the links of publishers and readers that are meant, with an error; says how many. */
  detach(isMeant: (open: OpenLink) => boolean, error: AmqpError): number {
    const meant = [...this.links.values()].filter(isMeant)
    for (const open of meant) {
      this.forget(open)
      open.link.close(error)
    }
    return meant.length
  }

  /** Forgets a link that is closed. */
  forget(open: OpenLink): void {
    this.links.delete(open.link)
    open.forget()
  }

  /** Lets go of what has expired, everywhere. */
  expire(): void {
    for (const hub of this.hubs) for (const partition of hub.partitions) expire(partition, hub.retention, this.now())
  }

  /** Waits for what is on its way to the disk. */
  async close(): Promise<void> {
    await this.#making.catch(() => undefined)
    for (const hub of this.hubs) for (const { store } of hub.partitions) await store?.close()
  }

  async #extend(hub: Hub, count: number): Promise<void> {
    if (count > hub.partitions.length)
      hub.partitions.push(...(await this.#partitions(hub.name, hub.partitions.length, count)))
    await this.#save(hub)
  }

  async #partitions(hub: string, from: number, to: number): Promise<ReadonlyArray<Partition>> {
    const { dataFolder } = this.settings
    if (dataFolder === undefined) return numbers(to - from).map((i) => makePartition(from + i))
    return openPartitions(this.#disk, dataFolder, hub, from, to)
  }

  async #save(hub: Hub): Promise<void> {
    const { dataFolder } = this.settings
    if (dataFolder === undefined) return
    const { name, partitions, groups, retention, createdMs } = hub
    await saveHub(this.#disk, dataFolder, {
      name,
      partitions: partitions.length,
      groups: [...groups],
      retention,
      createdMs
    })
  }

  #inTurn<A>(task: () => Promise<A>): Promise<A> {
    const done = this.#making.then(task)
    this.#making = done.catch(() => undefined)
    return done
  }
}
