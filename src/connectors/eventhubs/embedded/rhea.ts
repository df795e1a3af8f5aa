/**
 * What the service uses of rhea, whose own types leave it open: connections, sessions and links of the server's side.
 *
 * Underscored and `local`/`remote`/`state` parts are rhea's internals. They are the same since rhea 1 and are used in
 * `AmqpConnection.ts`, `SessionOut.ts`, `attachDecider.ts` and `Reader.ts` only; the reasons are there.
 */
import type { Socket } from "node:net"
import type * as Rhea from "rhea"

/** A performative: a list of fields with accessors by name. */
export interface Performative {
  readonly value: Array<unknown>
  readonly described: () => unknown
}

/** What waits to be written: a frame of rhea's, or bytes of ours that hold whole frames. */
export type Pending = { readonly raw: Uint8Array } | OutFrame

/** A frame that rhea wants written; without a performative it is a heartbeat. */
export interface OutFrame {
  readonly channel: number
  readonly performative?: Performative
  readonly payload?: Buffer
}

/** The AMQP layer of a connection, below SASL. */
export interface Transport {
  pending: Array<Pending>
  header_sent: unknown
  write: (socket: Socket) => void
}

/** A terminus of a link, as the peer sent it. */
export interface Terminus {
  readonly address?: string | null
  readonly filter?: { readonly [name: string]: unknown } | null
}

/** The attach of the peer. */
export interface RemoteAttach {
  readonly name: string
  readonly source?: Terminus | null
  readonly target?: Terminus | null
  readonly snd_settle_mode: number | null
  readonly rcv_settle_mode: number | null
  readonly properties?: { readonly [name: string]: unknown } | null
  readonly desired_capabilities?: unknown
}

/** Our attach, to be filled in before it is written. */
export interface LocalAttach {
  name: string
  properties: { readonly [name: string]: unknown }
  max_message_size: number
  snd_settle_mode: number | null
  rcv_settle_mode: number | null
  offered_capabilities: unknown
}

/** Condition and description of an error. */
export interface AmqpError {
  readonly condition: string
  readonly description: string
}

/** One end of a link. */
export interface Link {
  readonly name: string
  readonly session: Session
  readonly local: { readonly attach: LocalAttach; readonly handle: number }
  readonly remote: { readonly attach: RemoteAttach; handle?: number }
  readonly state: { open_requests: number }
  credit: number
  delivery_count: number
  readonly is_open: () => boolean
  readonly is_remote_open: () => boolean
  readonly is_sender: () => boolean
  readonly set_source: (fields: object) => void
  readonly set_target: (fields: object) => void
  readonly close: (error?: AmqpError) => void
}

/** A link that we send on. */
export interface SenderLink extends Link {
  /** The peer has asked for its credit back. */
  readonly _draining: boolean
  readonly set_drained: (drained: boolean) => void
  readonly send: (message: unknown) => unknown
}

/** A link that we receive on. */
export interface ReceiverLink extends Link {
  readonly add_credit: (count: number) => void
  /** The delivery of which more frames are to come. */
  readonly _incomplete?: { readonly frames: Array<Buffer | undefined> }
}

/** A delivery that has come in. */
export interface Delivery {
  readonly accept: () => void
  readonly reject: (error: AmqpError) => void
  /** Set without a word to the peer, it is let go of. */
  settled: boolean
}

/** The fields of a flow or begin that say how much the peer takes. */
export interface WindowFields {
  readonly next_incoming_id?: number | null
  readonly incoming_window: number
}

/** The fields of a disposition. */
export interface DispositionFields {
  readonly first: number
  readonly last?: number | null
  readonly settled: boolean
}

/** What rhea asks of the outgoing half of a session. */
export interface Outgoing {
  readonly deliveries: { readonly available: () => number }
  next_transfer_id: number
  window: number
  readonly available: () => number
  readonly process: () => void
  readonly send: (link: SenderLink, tag: Buffer, payload: Buffer, format?: number) => { settled: boolean }
  readonly on_begin: (fields: WindowFields) => void
  readonly on_flow: (fields: WindowFields) => void
  readonly on_disposition: (fields: DispositionFields) => void
}

/** A session. */
export interface Session {
  readonly connection: Connection
  readonly local: {
    readonly channel: number
    readonly begin: { handle_max: number; properties: object }
  }
  readonly remote: { readonly begin: WindowFields }
  readonly links: { readonly [name: string]: Link }
  outgoing: Outgoing
  on_attach: (frame: { readonly performative: { name: string; readonly role: boolean } }) => void
}

/** A transfer frame that has come in. */
export interface TransferFrame {
  readonly channel: number
  readonly performative: { readonly handle: number; readonly aborted: boolean; readonly value: Array<unknown> }
  payload?: Buffer
}

/** What handlers get. */
export interface EventContext {
  readonly connection: Connection
  readonly session: Session
  readonly sender: SenderLink
  readonly receiver: ReceiverLink
  readonly delivery: Delivery
  readonly message: unknown
  readonly format: number | null | undefined
}

/** A connection of the server's side. */
export interface Connection {
  readonly amqp_transport: Transport
  readonly sasl_transport?: { readonly selected?: { readonly transport?: { readonly read_complete: boolean } } }
  readonly remote: { readonly open?: { readonly max_frame_size?: number | null } }
  readonly remote_channel_map: {
    readonly [channel: number]: { readonly remote: { readonly handles: { readonly [handle: number]: ReceiverLink } } }
  }
  readonly on: (event: string, listener: (context: EventContext) => void) => void
  readonly accept: (socket: Socket) => void
  readonly close: (error?: AmqpError) => void
  readonly output: () => void
  /** Has `_process` run in this tick. */
  readonly _register: () => void
  /** Ends timers and links; what rhea does when a socket ends. */
  readonly eof: () => void
  input: (bytes: Buffer) => void
  _process: () => void
  on_transfer: (frame: TransferFrame) => void
}

/** A mechanism of SASL, as rhea wants it from the server. */
export interface Mechanism {
  outcome: boolean | undefined
  readonly username?: string | undefined
  readonly start: (response: Buffer | undefined) => void
  readonly step: () => void
}

/** A container: here, of one connection. */
export interface Container {
  readonly sasl_server_mechanisms: { [name: string]: unknown }
  readonly create_connection: (options: object) => Connection
}

/** A value with the AMQP type it is to be written as. */
export type Typed = object

/** rhea's type constructors and codec. */
export interface Types {
  readonly wrap_int: (n: number) => Typed
  readonly wrap_long: (n: number) => Typed
  readonly wrap_short: (n: number) => Typed
  readonly wrap_symbol: (text: string) => Typed
  readonly wrap_timestamp: (ms: number) => Typed
  readonly wrap_map: (map: object) => Typed
  readonly wrap_array: (items: ReadonlyArray<unknown>, code: number) => Typed
  readonly Writer: new () => { readonly write: (value: unknown) => void; readonly toBuffer: () => Buffer }
}

/** A message as rhea decodes it. */
export interface DecodedMessage {
  readonly message_id?: unknown
  readonly reply_to?: string | null
  readonly application_properties?: { readonly [name: string]: unknown }
  readonly body?: unknown
}

/** The module. */
export interface RheaModule {
  readonly types: Types
  readonly message: { readonly decode: (bytes: Buffer) => DecodedMessage }
  readonly create_container: (options: object) => Container
}

/** The module with the types above, in place of its own. */
export const untyped = (rhea: typeof Rhea): RheaModule => {
  const found: unknown = "default" in rhea ? rhea.default : rhea
  return found as RheaModule
}
