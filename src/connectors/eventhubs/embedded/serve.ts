/** Serves one connection: what each link is for, and what becomes of what comes in on it. */
import type { Socket } from "node:net"
import * as Redacted from "effect/Redacted"
import { acceptConnection } from "./AmqpConnection.ts"
import { check } from "./amqpWalk.ts"
import { attachPublisher, grantCredit, type Publishers } from "./attachPublisher.ts"
import { attachReader } from "./attachReader.ts"
import { attachDecider } from "./attachDecider.ts"
import { isSame } from "./hmac.ts"
import type { Namespace } from "./Namespace.ts"
import type { Settings } from "./options.ts"
import { addressPath, type Node, type Peer } from "./Peer.ts"
import { publish } from "./publish.ts"
import { manage, putToken, type Request } from "./requests.ts"
import type { AmqpError, DecodedMessage, EventContext, Link, ReceiverLink, RheaModule, Session } from "./rhea.ts"
import { Grants } from "./sas.ts"

/** A connection that is served. */
export interface Served {
  /** Ends it at once, without a word. */
  readonly drop: () => void
  /** Ends it with a word. */
  readonly close: (error: AmqpError) => void
}

/** The node that an address names, if it is none of a hub. */
const nodeOf = (address: string): Node | undefined => {
  if (address === "$cbs") return "$cbs"
  return /(^|\/)\$management$/i.test(address) ? "$management" : undefined
}

/** What both ends of a link say in their attach. pyamqp wants a source and a target, and settling on acceptance. */
const answer = (link: Link, messageBytesMax: number): void => {
  const { attach: remote } = link.remote
  const { attach: local } = link.local
  link.set_source({ address: remote.source?.address ?? link.name, filter: remote.source?.filter ?? undefined })
  link.set_target({ address: remote.target?.address ?? link.name })
  local.properties = {}
  local.snd_settle_mode = remote.snd_settle_mode
  local.rcv_settle_mode = link.is_sender() ? remote.rcv_settle_mode : 0
  if (!link.is_sender()) local.max_message_size = messageBytesMax
}

/** A message that rhea may decode: all of it is looked at first. */
const decode = ({ message }: RheaModule, bytes: Buffer): DecodedMessage => {
  for (let at = 0; at < bytes.length;) at = check(bytes, at, bytes.length)
  return message.decode(bytes)
}

const bytesOf = (message: unknown): Buffer => (Buffer.isBuffer(message) ? message : Buffer.alloc(0))

/** Checks a key that is shown as such. Where there are no keys, any will do. */
const keyCheck =
  ({ keys }: Settings, grants: Grants) =>
  (name: string, value: string): boolean => {
    const key = keys.get(name)
    if (keys.size === 0) return true
    if (key === undefined || !isSame(Redacted.value(key.key), value)) return false
    grants.add({ entity: "", rights: key.rights, untilMs: Number.POSITIVE_INFINITY })
    return true
  }

/** Serves what comes on a socket, until it ends. */
export const serve = (namespace: Namespace, rhea: RheaModule, socket: Socket, onEnd: () => void): Served => {
  const { settings, faults, links } = namespace
  const grants = new Grants(settings.keys.size === 0)
  const publishers: Publishers = new Map()
  const requests = new Map<ReceiverLink, Node>()
  namespace.counts.connections++

  const isOurs = (link: Link): boolean => link.session.connection === connection
  const forget = (isGone: (link: Link) => boolean): void => {
    for (const open of [...links.values()]) if (isOurs(open.link) && isGone(open.link)) namespace.forget(open)
    for (const link of [...requests.keys()]) if (isGone(link)) requests.delete(link)
    for (const link of [...peer.replyLinks.keys()]) if (isGone(link)) peer.replyLinks.delete(link)
  }
  const { connection, write, isFull, isAborted, drop } = acceptConnection(rhea, namespace, socket, {
    isKey: keyCheck(settings, grants),
    onRoom: () => {
      for (const { link, pump } of links.values()) if (isOurs(link)) pump()
    },
    onEnd: () => {
      forget(() => true)
      onEnd()
    }
  })
  const peer: Peer = { namespace, rhea, grants, replyLinks: new Map(), write, isFull }

  /** What is put off is out of rhea's own guard: whoever sent what cannot be answered is cut off here. */
  const guarded = (run: () => void): void => {
    try {
      run()
    } catch {
      drop()
    }
  }

  const decide = attachDecider(namespace, connection, (link) => forget((each) => each === link), drop)
  connection.on("receiver_open", ({ receiver: link }) => {
    const address = addressPath(link.remote.attach.target?.address)
    answer(link, settings.messageBytesMax)
    const node = nodeOf(address)
    if (node === undefined) {
      const attach = (): Promise<AmqpError | undefined> => attachPublisher(peer, publishers, link)
      return decide(link, "attach sender", attach, () => grantCredit(link))
    }
    requests.set(link, node)
    grantCredit(link)
  })
  connection.on("sender_open", ({ sender: link }) => {
    const { attach } = link.remote
    answer(link, settings.messageBytesMax)
    const node = nodeOf(addressPath(attach.source?.address))
    if (node !== undefined) peer.replyLinks.set(link, { node, address: String(attach.target?.address ?? link.name) })
    else
      decide(
        link,
        "attach receiver",
        () => attachReader(peer, link),
        () => links.get(link)?.pump()
      )
  })
  connection.on("sender_flow", ({ sender: link }) => {
    links.get(link)?.pump()
  })
  const request = (session: Session, node: Node, bytes: Buffer): void => {
    const one: Request = { session, node, message: decode(rhea, bytes) }
    if (node === "$cbs") faults.whenDue("put token", () => guarded(() => putToken(peer, one)))
    else faults.whenDue("management", () => void manage(peer, one).catch(drop))
  }
  connection.on("message", ({ receiver: link, delivery, message, format }: EventContext) => {
    const bytes = bytesOf(message)
    const node = requests.get(link)
    const publisher = publishers.get(link)
    if (isAborted() || (node === undefined && publisher === undefined)) {
      // Given up by its sender, or on a link that we have closed: nobody waits for an outcome.
      delivery.settled = true
      return
    }
    if (node !== undefined) {
      delivery.accept()
      grantCredit(link)
      return request(link.session, node, bytes)
    }
    if (publisher === undefined) return
    faults.whenDue("send", () =>
      publish(namespace, publisher, bytes, format, (error) => {
        if (!link.is_open()) return
        if (error === undefined) delivery.accept()
        else delivery.reject(error)
        grantCredit(link)
      })
    )
  })
  connection.on("sender_close", ({ sender }) => forget((link) => link === sender))
  connection.on("receiver_close", ({ receiver }) => forget((link) => link === receiver))
  connection.on("session_close", ({ session }) => forget((link) => link.session === session))
  connection.on("connection_close", () => forget(() => true))
  return { drop, close: (error) => connection.close(error) }
}
