/** A client wants to read a partition: who may, from where, and whom it drives away. */
import { Refusal } from "./conditions.ts"
import { expire, type Hub, type Partition, partitionOf } from "./Hub.ts"
import { addressPath, capabilities, numberOf, type Peer } from "./Peer.ts"
import { Reader } from "./Reader.ts"
import type { AmqpError, RemoteAttach, SenderLink } from "./rhea.ts"
import { BadPosition, startPosition } from "./startPosition.ts"

/** Readers without an owner level, at one partition in one group. */
export const readersMax = 5

const addressPattern = /^([^/]+)\/ConsumerGroups\/([^/]+)\/Partitions\/([^/]+)\/?$/i

/** The text of the filter; undefined when there is none. */
const filterOf = ({ source }: RemoteAttach): string | undefined => {
  const filters = source?.filter ?? {}
  const filter = filters["apache.org:selector-filter:string"] ?? Object.values(filters)[0]
  return filter === undefined || filter === null ? undefined : String(filter)
}

const namesOf = ({ options: { name } }: Reader): string => name

/** Why a reader of this level may not come; undefined when it may. */
const refusalOf = (peers: ReadonlyArray<Reader>, level: number | undefined): AmqpError | undefined => {
  const owner = peers.find(({ options }) => options.ownerLevel !== undefined)
  const current = owner?.options.ownerLevel
  if (level === undefined) {
    if (current !== undefined) return Refusal.exclusive(current)
    return peers.length >= readersMax ? Refusal.tooManyReaders(readersMax, peers.map(namesOf)) : undefined
  }
  return owner !== undefined && current !== undefined && level < current
    ? Refusal.higherLevel(owner.options.name, current, level)
    : undefined
}

interface Place {
  readonly hub: Hub
  readonly partition: Partition
  readonly group: string
}

/** What the address names, or why it names nothing. */
const placeOf = async (peer: Peer, address: string): Promise<Place | AmqpError> => {
  const { namespace, grants } = peer
  const match = addressPattern.exec(address)
  if (!grants.allows(["Listen"], address, namespace.now())) return Refusal.unauthorized("Listen", address)
  const hub = match === null ? undefined : await namespace.hubFor(match[1])
  if (match === null || hub === undefined || !hub.groups.has(match[2].toLowerCase())) return Refusal.notFound(address)
  const partition = partitionOf(hub, match[3])
  return partition === undefined
    ? Refusal.noPartition(hub.partitions.length)
    : { hub, partition, group: match[2].toLowerCase() }
}

/** Takes the reader in, or says why it is refused. */
export const attachReader = async (peer: Peer, link: SenderLink): Promise<AmqpError | undefined> => {
  const { namespace } = peer
  const { attach } = link.remote
  const place = await placeOf(peer, addressPath(attach.source?.address))
  if ("condition" in place) return place
  const { hub, partition, group } = place
  const ownerLevel = numberOf(attach.properties?.["com.microsoft:epoch"])
  const name = String(attach.properties?.["com.microsoft:receiver-name"] ?? link.name)
  const peers = [...partition.readers].filter(({ options }) => options.group === group)
  const refusal = refusalOf(peers, ownerLevel)
  if (refusal !== undefined) return refusal
  expire(partition, hub.retention, namespace.now())
  let from: number
  try {
    from = startPosition(partition.log, filterOf(attach), namespace.settings.offsets)
  } catch (error) {
    if (error instanceof BadPosition) return Refusal.argument(error.message)
    throw error
  }
  if (ownerLevel !== undefined) {
    for (const { options } of peers) {
      const stolen = Refusal.stolen(name, ownerLevel, options.name, options.ownerLevel)
      namespace.detach((open) => open.link === options.link, stolen)
    }
  }
  const reader = new Reader({
    link,
    log: partition.log,
    group,
    ownerLevel,
    name,
    withLastEnqueued: capabilities(attach.desired_capabilities).includes(
      "com.microsoft:enable-receiver-runtime-metric"
    ),
    from,
    offsetText: namespace.settings.offsets.write,
    now: namespace.now,
    isFull: peer.isFull,
    write: peer.write,
    soon: namespace.timers.soon,
    count: (events, bytes) => {
      namespace.counts.eventsOut += events
      namespace.counts.bytesOut += bytes
    }
  })
  partition.readers.add(reader)
  namespace.links.set(link, {
    role: "reader",
    hub,
    partition,
    link,
    pump: () => reader.pump(),
    forget: () => {
      reader.stop()
      partition.readers.delete(reader)
    }
  })
  return undefined
}
