/** A client wants to send to a hub or to one of its partitions. */
import { Refusal } from "./conditions.ts"
import { type Hub, type Partition, partitionOf, type Producer } from "./Hub.ts"
import { addressPath, capabilities, numberOf, type Peer } from "./Peer.ts"
import type { AmqpError, ReceiverLink } from "./rhea.ts"

/** Sends that a client may have under way on a link. The JavaScript SDK waits a whole second when it finds none left. */
const creditMax = 300

/** A link that is sent on. */
export interface Publisher {
  readonly link: ReceiverLink
  readonly hub: Hub
  /** None: each send goes where its key or its turn says. */
  readonly partition: Partition | undefined
  /** What is known of an idempotent producer, and the epoch that this link has of it. */
  readonly producer: { readonly state: Producer; readonly epoch: number } | undefined
}

const addressPattern = /^([^/]+)(?:\/Partitions\/([^/]+))?\/?$/i
const producerProperty = (name: string): string => `com.microsoft:producer-${name}`

/** Lets the client send again what it has sent. */
export const grantCredit = (link: ReceiverLink): void => {
  if (link.credit <= creditMax / 2) link.add_credit(creditMax - link.credit)
}

const nextProducerId = (hub: Hub): number => 1_000 + hub.producers.size

/** Notes an idempotent producer, and tells it its id, epoch and last sequence number. */
const attachProducer = (
  { rhea: { types } }: Peer,
  link: ReceiverLink,
  hub: Hub,
  partition: string
): Publisher["producer"] | AmqpError => {
  const { attach } = link.remote
  const said = (name: string): number | undefined => numberOf(attach.properties?.[producerProperty(name)])
  const id = said("id") ?? nextProducerId(hub)
  const epoch = said("epoch") ?? 0
  const key = `${partition}/${id}`
  const known = hub.producers.get(key)
  if (known !== undefined && epoch < known.epoch) return Refusal.producerFenced(epoch, known.epoch)
  const state = known ?? { epoch, sequence: 0 }
  if (known === undefined || epoch > known.epoch) {
    state.epoch = epoch
    state.sequence = said("sequence-number") ?? state.sequence
  }
  hub.producers.set(key, state)
  link.local.attach.properties = {
    [producerProperty("id")]: types.wrap_long(id),
    [producerProperty("epoch")]: types.wrap_short(epoch),
    [producerProperty("sequence-number")]: types.wrap_int(state.sequence)
  }
  return { state, epoch }
}

/** Where an address leads, or why it leads nowhere. */
const placeOf = async (
  { namespace, grants }: Peer,
  address: string
): Promise<Pick<Publisher, "hub" | "partition"> | AmqpError> => {
  const match = addressPattern.exec(address)
  if (!grants.allows(["Send"], address, namespace.now())) return Refusal.unauthorized("Send", address)
  const hub = match === null ? undefined : await namespace.hubFor(match[1])
  if (match === null || hub === undefined) return Refusal.notFound(address)
  const id: string | undefined = match[2]
  const partition = id === undefined ? undefined : partitionOf(hub, id)
  return id !== undefined && partition === undefined ? Refusal.noPartition(hub.partitions.length) : { hub, partition }
}

/** Links that are sent on. */
export type Publishers = Map<ReceiverLink, Publisher>

/** Takes the publisher in, or says why it is refused. */
export const attachPublisher = async (
  peer: Peer,
  publishers: Publishers,
  link: ReceiverLink
): Promise<AmqpError | undefined> => {
  const { attach } = link.remote
  const place = await placeOf(peer, addressPath(attach.target?.address))
  if ("condition" in place) return place
  const wantsIdempotence = capabilities(attach.desired_capabilities).includes("com.microsoft:idempotent-producer")
  const producer = wantsIdempotence ? attachProducer(peer, link, place.hub, place.partition?.log.id ?? "") : undefined
  if (producer !== undefined && "condition" in producer) return producer
  publishers.set(link, { ...place, link, producer })
  peer.namespace.links.set(link, {
    role: "publisher",
    ...place,
    link,
    pump: () => undefined,
    forget: () => publishers.delete(link)
  })
  return undefined
}
