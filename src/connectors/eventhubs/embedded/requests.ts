/** Requests to `$cbs` and `$management`, and their replies. */
import { Refusal } from "./conditions.ts"
import { expire, type Hub, partitionOf } from "./Hub.ts"
import type { Node, Peer } from "./Peer.ts"
import type { AmqpError, DecodedMessage, SenderLink, Session, Typed } from "./rhea.ts"
import { Grants, verifyToken } from "./sas.ts"
import { opaqueOffsets } from "./startPosition.ts"

/** A request, and what is known of where it came in. */
export interface Request {
  readonly session: Session
  /** `$cbs` or `$management`. */
  readonly node: Node
  readonly message: DecodedMessage
}

/**
 * The link that a reply goes to: the one that the request names, or else, since pyamqp names none, the one of the same
 * session that receives from the node that was asked.
 */
const replyLink = ({ replyLinks }: Peer, { session, node, message }: Request): SenderLink | undefined => {
  const open = [...replyLinks].filter(([link, reply]) => reply.node === node && link.is_open())
  const own = open.filter(([link]) => link.session === session)
  const named = ([link, reply]: (typeof open)[number]): boolean =>
    reply.address === message.reply_to || link.name === message.reply_to
  return (own.find(named) ?? own.at(0) ?? open.find(named))?.[0]
}

const reply = (
  peer: Peer,
  request: Request,
  status: number,
  description: string,
  more: { readonly body?: Typed; readonly condition?: string } = {}
): void => {
  const { wrap_int: int, wrap_symbol: symbol } = peer.rhea.types
  const { message } = request
  replyLink(peer, request)?.send({
    correlation_id: message.message_id,
    to: message.reply_to,
    application_properties: {
      "status-code": int(status),
      "status-description": description,
      ...(more.condition === undefined ? {} : { "error-condition": symbol(more.condition) })
    },
    body: more.body
  })
}

const statusOf: { readonly [condition: string]: number } = {
  "amqp:unauthorized-access": 401,
  "amqp:not-found": 404,
  "com.microsoft:argument-out-of-range": 400,
  "com.microsoft:argument-error": 400,
  "com.microsoft:server-busy": 503
}

const replyError = (peer: Peer, request: Request, error: AmqpError): void => {
  const status = Object.hasOwn(statusOf, error.condition) ? statusOf[error.condition] : 500
  reply(peer, request, status, error.description, { condition: error.condition })
}

/** Puts a token: from now on the connection may do what it allows. */
export const putToken = (peer: Peer, request: Request): void => {
  const { namespace, grants } = peer
  namespace.counts.tokens++
  const injected = namespace.faults.take("put token")
  if (injected !== undefined) return replyError(peer, request, injected)
  const { keys } = namespace.settings
  const grant = keys.size === 0 ? undefined : verifyToken(keys, request.message.body, namespace.now())
  if (typeof grant === "string")
    return replyError(peer, request, { condition: "amqp:unauthorized-access", description: grant })
  if (grant !== undefined) grants.add(grant)
  reply(peer, request, 202, "Accepted")
}

const hubFacts = ({ rhea: { types }, namespace }: Peer, hub: Hub, type: unknown): Typed =>
  types.wrap_map({
    name: hub.name,
    type,
    created_at: types.wrap_timestamp(hub.createdMs),
    partition_count: types.wrap_int(hub.partitions.length),
    partition_ids: types.wrap_array(
      hub.partitions.map(({ log }) => log.id),
      0xa1
    ),
    // Opaque offsets are those of hubs with copies elsewhere.
    georeplication_factor: types.wrap_int(namespace.settings.offsets === opaqueOffsets ? 2 : 1)
  })

const partitionFacts = (peer: Peer, hub: Hub, id: string, type: unknown): Typed | undefined => {
  const partition = partitionOf(hub, id)
  if (partition === undefined) return undefined
  const { types } = peer.rhea
  const { namespace } = peer
  expire(partition, hub.retention, namespace.now())
  const { log } = partition
  const isEmpty = log.firstSequence === log.endSequence
  const last = log.endSequence - 1
  return types.wrap_map({
    name: hub.name,
    type,
    partition: id,
    begin_sequence_number: types.wrap_long(log.firstSequence),
    last_enqueued_sequence_number: types.wrap_long(last),
    last_enqueued_offset:
      last < 0 ? "-1" : namespace.settings.offsets.write(last, isEmpty ? log.lastOffset : log.offsetOf(last)),
    last_enqueued_time_utc: types.wrap_timestamp(log.lastEnqueuedMs),
    is_partition_empty: isEmpty,
    begin_sequence_number_epoch: types.wrap_int(-1),
    last_enqueued_sequence_number_epoch: types.wrap_int(-1)
  })
}

/** Why a request may not be answered. It may show a token of its own: the SDK of Java puts none for `$management`. */
const refusalOf = ({ namespace, grants }: Peer, entity: string, token: unknown): AmqpError | undefined => {
  const rights = ["Manage", "Listen", "Send"] as const
  const now = namespace.now()
  if (grants.allows(rights, entity, now)) return undefined
  if (token === undefined) return Refusal.unauthorized("Listen", entity)
  const grant = verifyToken(namespace.settings.keys, token, now)
  if (typeof grant === "string") return { condition: "amqp:unauthorized-access", description: grant }
  const own = new Grants(false)
  own.add(grant)
  return own.allows(rights, entity, now) ? undefined : Refusal.unauthorized("Listen", entity)
}

/** Tells what a hub or a partition holds. */
export const manage = async (peer: Peer, request: Request): Promise<void> => {
  const { namespace } = peer
  namespace.counts.managementRequests++
  const { operation, type, name, partition, security_token: token } = request.message.application_properties ?? {}
  const refused = (error: AmqpError): void => replyError(peer, request, error)
  const injected = namespace.faults.take("management")
  if (injected !== undefined) return refused(injected)
  const refusal = refusalOf(peer, `${String(name)}/$management`, token)
  if (refusal !== undefined) return refused(refusal)
  if (operation !== "READ") return refused(Refusal.argument(`The operation '${String(operation)}' is not supported.`))
  const hub = await namespace.hubFor(String(name))
  if (hub === undefined) return refused(Refusal.notFound(String(name)))
  if (type === "com.microsoft:eventhub") return reply(peer, request, 200, "OK", { body: hubFacts(peer, hub, type) })
  if (type !== "com.microsoft:partition")
    return refused(Refusal.argument(`There is no type '${String(type)}' to read.`))
  const facts = partitionFacts(peer, hub, String(partition), type)
  if (facts === undefined) return refused(Refusal.noPartition(hub.partitions.length))
  reply(peer, request, 200, "OK", { body: facts })
}
