/**
 * A peer: a process on the unmodified SDK of another language that sends, reads and asks as it is told.
 *
 * A line of JSON on its stdin is what it is to do; a line on its stdout, with the same `id`, is what came of it. It does
 * several things at once, each with clients of its own that are closed afterwards.
 */
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { type Command, install, type Language } from "./install.ts"

/** An event to be sent. Of the numbers among its properties, whole ones are sent as integers of AMQP. */
export interface Outgoing {
  readonly body: Buffer
  readonly properties?: { readonly [name: string]: string | number | boolean }
}

/** Events that go to one place, in as few batches of the SDK as hold them. */
export interface Sending {
  readonly partition?: string
  readonly key?: string
  readonly events: ReadonlyArray<Outgoing>
}

/** Where reading begins: one of these; `offset` may be `-1` or `@latest`, `inclusive` is for offset and sequence number. */
export interface Start {
  readonly offset?: string
  readonly sequence?: number
  readonly enqueuedMs?: number
  readonly inclusive?: boolean
}

/** How a partition is read. */
export interface Reading {
  readonly partition: string
  /** Default the first event. */
  readonly start?: Start
  /** Events after which it ends. */
  readonly count: number
  readonly group?: string
  /** The owner level. */
  readonly level?: number
}

/** An event as the SDK gave it. */
export interface Incoming {
  readonly body: Buffer
  readonly key: string | null
  readonly sequence: number
  readonly offset: string
  readonly enqueuedMs: number
  readonly messageId: string | null
  readonly properties: { readonly [name: string]: unknown }
}

/** What a hub says of itself. */
export interface HubProperties {
  readonly name: string
  readonly createdMs: number
  readonly partitions: ReadonlyArray<{
    readonly id: string
    readonly first: number
    readonly last: number
    readonly lastOffset: string
    readonly lastEnqueuedMs: number
    readonly isEmpty: boolean
  }>
}

/** A running peer. Each function takes the connection string of a hub, and fails with the words of the SDK. */
export interface Peer {
  /** Gives how many batches it took. */
  readonly send: (connection: string, ...sendings: ReadonlyArray<Sending>) => Promise<number>
  readonly properties: (connection: string) => Promise<HubProperties>
  /** Gives what came, and the error that it ended with if it did. */
  readonly read: (
    connection: string,
    reading: Reading
  ) => Promise<{ readonly events: ReadonlyArray<Incoming>; readonly error?: string }>
  readonly close: () => Promise<void>
}

interface Reply {
  readonly id: number
  readonly error?: string
}

interface Talk {
  readonly ask: (what: object) => Promise<Reply>
  readonly end: () => Promise<void>
}

/** How much of what it says on stderr is told when it ends. */
const saidMax = 4_000

const talkTo = ({ file, args, env }: Command): Talk => {
  const child = spawn(file, args, { env: { ...process.env, ...env } })
  const waiting = new Map<number, { done: (reply: Reply) => void; fail: (error: Error) => void }>()
  let said = ""
  let asked = 0
  child.stderr.on("data", (text: Buffer) => (said = (said + text.toString()).slice(-saidMax)))
  createInterface(child.stdout).on("line", (line) => {
    const reply = JSON.parse(line) as Reply
    waiting.get(reply.id)?.done(reply)
    waiting.delete(reply.id)
  })
  const ended = new Promise<void>((done) => {
    const end = (why: unknown): void => {
      for (const { fail } of waiting.values()) fail(new Error(`${file} ended with ${String(why)}: ${said}`))
      waiting.clear()
      done()
    }
    child.once("error", end)
    child.once("close", end)
  })
  child.stdin.on("error", () => undefined)
  return {
    ask: (what) =>
      new Promise((done, fail) => {
        const id = asked++
        waiting.set(id, { done, fail })
        child.stdin.write(`${JSON.stringify({ id, ...what })}\n`)
      }),
    end: () => {
      child.kill("SIGKILL")
      return ended
    }
  }
}

/** Starts the peer in a language, and makes it first where it has to be made. */
export const startPeer = async (language: Language): Promise<Peer> => {
  const { ask, end } = talkTo(await install(language))
  const asWell = async <A>(what: object): Promise<A> => {
    const reply = await ask(what)
    if (reply.error !== undefined) throw new Error(reply.error)
    return reply as A
  }
  return {
    send: async (connection, ...sendings) => {
      const encoded = sendings.map(({ events, ...place }) => ({
        ...place,
        events: events.map(({ body, properties = {} }) => ({ body: body.toString("base64"), properties }))
      }))
      return (await asWell<{ batches: number }>({ do: "send", connection, sendings: encoded })).batches
    },
    properties: (connection) => asWell({ do: "properties", connection }),
    read: async (connection, { start = { offset: "-1" }, group = "$Default", ...reading }) => {
      interface Raw extends Omit<Incoming, "body"> {
        readonly body: string
      }
      const reply = await ask({ do: "read", connection, start, group, ...reading })
      const { events = [], error } = reply as Reply & { readonly events?: ReadonlyArray<Raw> }
      const decoded = events.map((event) => ({ ...event, body: Buffer.from(event.body, "base64") }))
      return { events: decoded, ...(error === undefined ? {} : { error }) }
    },
    close: end
  }
}
