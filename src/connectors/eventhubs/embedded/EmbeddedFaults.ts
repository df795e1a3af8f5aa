/** Things that go wrong on request, so that tests need not wait for them: what a client may live through in Azure. */
import * as Effect from "effect/Effect"
import { Refusal } from "./conditions.ts"
import type { EmbeddedError } from "./EmbeddedError.ts"
import type { Operation } from "./FaultPlan.ts"
import { defaultGroup, expire, type Hub, partitionOf } from "./Hub.ts"
import type { Listener } from "./listener.ts"
import type { Namespace, OpenLink } from "./Namespace.ts"
import type { Served } from "./serve.ts"

/** Which links are meant; all, where nothing is said. */
export interface Where {
  readonly hub?: string
  readonly partition?: string | number
}

/** The faults. Each takes effect at once; what it says about numbers is for tests to look at. */
export interface EmbeddedFaults {
  /** Breaks all connections, without a word; says how many. */
  readonly dropConnections: () => Effect.Effect<number>
  /** Closes all connections with `amqp:connection:forced`, as the service does to idle ones; says how many. */
  readonly closeConnections: () => Effect.Effect<number>
  /** For so many ms no one listens; connections that are open stay. */
  readonly refuseConnections: (ms: number) => Effect.Effect<void>
  /** Closes links of readers with a condition, such as `amqp:link:detach-forced`; says how many. */
  readonly detachReceivers: (condition: string, where?: Where) => Effect.Effect<number>
  /** Closes links of publishers; those to a whole hub are meant by any partition of it. */
  readonly detachSenders: (condition: string, where?: Where) => Effect.Effect<number>
  /** The next `count` operations fail with a condition, such as `com.microsoft:server-busy`. */
  readonly failNext: (operation: Operation, count: number, condition: string) => Effect.Effect<void>
  /** From now on, these operations begin so many ms later; 0: at once again. */
  readonly delay: (operation: Operation, ms: number) => Effect.Effect<void>
  /** Drives the readers of a partition away, as another with a higher owner level does; says how many. */
  readonly stealPartition: (
    hub: string,
    partition: string | number,
    group?: string
  ) => Effect.Effect<number, EmbeddedError>
  /** Lets the events before a sequence number expire. */
  readonly trim: (
    hub: string,
    partition: string | number,
    toSequenceNumber: number
  ) => Effect.Effect<void, EmbeddedError>
  /** Takes a hub away: its links are closed, and it is not found any more. */
  readonly removeHub: (hub: string) => Effect.Effect<void, EmbeddedError>
}

const thief = "thief"

const isAt = ({ hub, partition }: OpenLink, where: Where): boolean =>
  (where.hub === undefined || hub.name.toLowerCase() === where.hub.toLowerCase()) &&
  (where.partition === undefined || partition === undefined || partition.log.id === String(where.partition))

/** The faults of a service. */
export const makeFaults = (
  namespace: Namespace,
  listener: Listener,
  served: ReadonlySet<Served>,
  hubNamed: (option: string, name: string) => Effect.Effect<Hub, EmbeddedError>
): EmbeddedFaults => {
  const detach = (role: OpenLink["role"], condition: string, where: Where = {}): Effect.Effect<number> =>
    Effect.sync(() => namespace.detach((open) => open.role === role && isAt(open, where), Refusal.injected(condition)))
  const steal = (hub: Hub, id: string, group: string): number => {
    const readers = [...(partitionOf(hub, id)?.readers ?? [])].filter(({ options }) => options.group === group)
    for (const { options } of readers) {
      const level = (options.ownerLevel ?? 0) + 1
      const stolen = Refusal.stolen(thief, level, options.name, options.ownerLevel)
      namespace.detach((open) => open.link === options.link, stolen)
    }
    return readers.length
  }
  return {
    dropConnections: () =>
      Effect.sync(() => {
        const all = [...served]
        for (const one of all) one.drop()
        return all.length
      }),
    closeConnections: () =>
      Effect.sync(() => {
        for (const one of served)
          one.close({ condition: "amqp:connection:forced", description: "The connection was idle." })
        return served.size
      }),
    refuseConnections: (ms) => Effect.sync(() => listener.refuse(ms)),
    detachReceivers: (condition, where) => detach("reader", condition, where),
    detachSenders: (condition, where) => detach("publisher", condition, where),
    failNext: (operation, count, condition) =>
      Effect.sync(() => namespace.faults.failNext(operation, count, condition)),
    delay: (operation, ms) => Effect.sync(() => namespace.faults.delay(operation, ms)),
    stealPartition: (name, partition, group = defaultGroup) =>
      Effect.map(hubNamed("stealPartition.hub", name), (hub) => steal(hub, String(partition), group.toLowerCase())),
    trim: (name, id, sequence) =>
      Effect.flatMap(hubNamed("trim.hub", name), (hub) =>
        Effect.promise(async () => {
          const partition = partitionOf(hub, String(id))
          if (partition === undefined) return
          partition.log.trim(sequence)
          await partition.store?.trim(partition.log.firstSequence)
          expire(partition, hub.retention, namespace.now())
        })
      ),
    removeHub: (name) =>
      Effect.flatMap(hubNamed("removeHub.hub", name), (hub) =>
        Effect.promise(() => namespace.remove(hub, Refusal.notFound(hub.name)))
      )
  }
}
