/**
 * One connection: rhea's state machines of AMQP, with what they do not do well taken over.
 *
 * - Bytes pass a {@link FrameGate} first, and what rhea throws, also in later ticks, ends this connection only.
 * - Frames are written with all their fields, since pyamqp takes them by position, and one write to the socket a tick.
 * - Sessions send by {@link SessionOut}. Messages are not decoded: they go on as they came.
 * - Links of one session may share a name, as long as they go in opposite directions or the earlier one is closing.
 */
import type { Socket } from "node:net"
import { FrameGate } from "./FrameGate.ts"
import type { Namespace } from "./Namespace.ts"
import type { Connection, Container, Mechanism, OutFrame, RheaModule, Session, Transport } from "./rhea.ts"
import { frameBytesMax, SessionOut } from "./SessionOut.ts"

/** Bytes that wait in a socket before readers wait for it. */
const socketBytesMax = 1 << 20

/** Silence after which the peer is taken for gone, ms; the peer's own wish is kept by rhea. */
const idleMs = 120_000

/** Transfers of a session that may be under way. */
const windowFrames = 4_096

/** Fields that each performative is written with, by its code. */
const fieldsOf: { readonly [code: number]: number } = {
  0x10: 10,
  0x11: 8,
  0x12: 14,
  0x13: 11,
  0x14: 11,
  0x15: 6,
  0x16: 3,
  0x17: 1,
  0x18: 1
}

const codeOf = (performative: object): number => {
  const { descriptor } = performative.constructor as unknown as { readonly descriptor?: { readonly numeric: number } }
  return descriptor?.numeric ?? 0
}

/** A frame in bytes. */
const encode = ({ types }: RheaModule, { channel, performative, payload }: OutFrame): Buffer => {
  const head = Buffer.from([0, 0, 0, 8, 2, 0, channel >> 8, channel & 0xff])
  if (performative === undefined) return head
  const { value } = performative
  for (let missing = (fieldsOf[codeOf(performative)] ?? 0) - value.length; missing > 0; missing--) value.push(undefined)
  const writer = new types.Writer()
  writer.write(performative)
  const frame = Buffer.concat([head, writer.toBuffer(), ...(payload === undefined ? [] : [payload])])
  frame.writeUInt32BE(frame.length, 0)
  return frame
}

const amqpHeader = Buffer.from([0x41, 0x4d, 0x51, 0x50, 0, 1, 0, 0])

/** Has the AMQP layer write what is pending, all of a tick at once. */
const takeOverWriting = (rhea: RheaModule, transport: Transport, soon: (run: () => void) => void): void => {
  let isCorked = false
  transport.write = (socket) => {
    if (!isCorked) {
      isCorked = true
      socket.cork()
      soon(() => {
        isCorked = false
        socket.uncork()
      })
    }
    if (transport.header_sent === undefined) {
      transport.header_sent = true
      socket.write(amqpHeader)
    }
    const { pending } = transport
    transport.pending = []
    for (const frame of pending) socket.write("raw" in frame ? frame.raw : encode(rhea, frame))
  }
}

const passing = (): Mechanism => {
  const mechanism: Mechanism = {
    outcome: undefined,
    start: () => {
      mechanism.outcome = true
    },
    step: () => {
      mechanism.outcome = true
    }
  }
  return mechanism
}

/** Who a peer is, it shows by tokens; every mechanism its SDKs know lets it in. PLAIN names a key, and may show it. */
const offerMechanisms = (
  { sasl_server_mechanisms: offered }: Container,
  isKey: (name: string, key: string) => boolean
): void => {
  offered["ANONYMOUS"] = passing
  offered["PLAIN"] = (): Mechanism => {
    const mechanism: Mechanism = {
      outcome: undefined,
      start: (response) => {
        const [, name = "", key = ""] = (response ?? Buffer.alloc(0)).toString().split("\0")
        mechanism.outcome = isKey(name, key)
      },
      step: () => undefined
    }
    return mechanism
  }
  offered["EXTERNAL"] = passing
  offered["MSSBCBS"] = passing
}

/** Gives a link whose name is taken another one inside of rhea. */
const takeOverNames = (session: Session): void => {
  const attach = session.on_attach.bind(session)
  let aliases = 0
  session.on_attach = (frame) => {
    const { name, role } = frame.performative
    const taken = Object.hasOwn(session.links, name) ? session.links[name] : undefined
    // Our side sends where the peer's role is that of a receiver.
    const isOther = taken !== undefined && (taken.is_sender() !== role || !taken.is_remote_open())
    if (!isOther) return attach(frame)
    const alias = `${name}\n${++aliases}`
    frame.performative.name = alias
    attach(frame)
    session.links[alias].local.attach.name = name
  }
}

/** What becomes of a connection. */
export interface ConnectionHandlers {
  /** Whether these are the name and value of a key; also lets in whoever has none to show. */
  readonly isKey: (name: string, key: string) => boolean
  /** Room for more to send came: in the socket, or in the window of a session. */
  readonly onRoom: () => void
  /** It is over. */
  readonly onEnd: () => void
}

/** A connection that rhea has taken over. */
export interface AmqpConnection {
  readonly connection: Connection
  readonly write: (bytes: Buffer) => void
  readonly isFull: () => boolean
  /** The delivery that is being taken was given up by its sender. */
  readonly isAborted: () => boolean
  /** Ends it at once, without a word. */
  readonly drop: () => void
}

/** Whether an encoded number is 0. */
const isZero = (typed: unknown): boolean =>
  typeof typed === "object" && typed !== null && "value" in typed && typed.value === 0

const formatField = 3

/**
 * Has transfers looked at before rhea takes them: what is sent without credit ends the connection, and of a delivery
 * that is too large already only the size counts. Says whether the delivery that is being taken was given up.
 */
const takeOverTransfers = (connection: Connection, bytesMax: number): (() => boolean) => {
  const proceed = connection.on_transfer.bind(connection)
  const sizes = new WeakMap<object, number>()
  let isAborted = false
  connection.on_transfer = (frame) => {
    const { performative, channel } = frame
    const link = connection.remote_channel_map[channel]?.remote.handles[performative.handle]
    const incomplete = link?._incomplete
    if (link !== undefined && (link.is_sender() || (incomplete === undefined && link.credit <= 0)))
      throw new Error("a transfer that was not asked for")
    // rhea decodes messages of format 0.
    if (isZero(performative.value[formatField])) performative.value[formatField] = undefined
    if (incomplete === undefined) frame.payload ??= Buffer.alloc(0)
    else {
      const size = (sizes.get(incomplete) ?? 0) + (frame.payload?.length ?? 0)
      sizes.set(incomplete, size)
      if (size > bytesMax + frameBytesMax) delete frame.payload
    }
    isAborted = performative.aborted
    proceed(frame)
  }
  return () => isAborted
}

/** Speaks AMQP on a socket. What is to be done with its links is for the caller to say, in the same turn. */
export const acceptConnection = (
  rhea: RheaModule,
  { settings, timers }: Pick<Namespace, "settings" | "timers">,
  socket: Socket,
  handlers: ConnectionHandlers
): AmqpConnection => {
  const container = rhea.create_container({ id: "tidemark", enable_sasl_external: true })
  offerMechanisms(container, handlers.isKey)
  const connection = container.create_connection({
    max_frame_size: frameBytesMax,
    channel_max: 4_999,
    idle_time_out: idleMs,
    session_buffer_size: windowFrames,
    credit_window: 0,
    autoaccept: false,
    container_id: "tidemark",
    id: "embedded",
    properties: { product: "tidemark" }
  })
  const drop = (): void => {
    socket.destroy()
  }
  const write = (bytes: Buffer): void => {
    connection.amqp_transport.pending.push({ raw: bytes })
    connection.output()
  }
  takeOverWriting(rhea, connection.amqp_transport, timers.soon)
  const isAborted = takeOverTransfers(connection, settings.messageBytesMax)
  const isReady = (): boolean => connection.sasl_transport?.selected?.transport?.read_complete === true
  const gate = new FrameGate(connection.input.bind(connection), isReady, timers.soon, drop)
  connection.input = (bytes) => gate.feed(bytes)
  const process = connection._process.bind(connection)
  connection._process = () => {
    try {
      process()
    } catch {
      drop()
    }
  }
  for (const event of ["error", "protocol_error"]) connection.on(event, drop)
  for (const event of ["connection_error", "session_error", "sender_error", "receiver_error", "disconnected"])
    connection.on(event, () => undefined)
  connection.on("session_open", ({ session }) => {
    session.local.begin.handle_max = 255
    session.local.begin.properties = {}
    takeOverNames(session)
    session.outgoing = new SessionOut(session, write, handlers.onRoom)
  })
  socket.setNoDelay(true)
  socket.on("drain", handlers.onRoom)
  socket.on("error", () => undefined)
  socket.on("close", () => {
    connection.eof()
    handlers.onEnd()
  })
  connection.accept(socket)
  return { connection, write, isFull: () => socket.writableLength > socketBytesMax, isAborted, drop }
}
