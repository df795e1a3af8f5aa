/** The port of the service: the one file of it that knows `node:net` and `node:tls`. */
import * as Net from "node:net"
import * as Tls from "node:tls"
import type { Timers } from "./timers.ts"

/** How long a port that someone else has taken meanwhile is waited for before it is tried again, ms. */
const retryMs = 50

/** Where to listen. */
export interface ListenOptions {
  readonly host: string
  readonly port: number
  readonly tls: { readonly cert: string | Uint8Array; readonly key: string | Uint8Array } | undefined
}

/** A port that is listened on. */
export interface Listener {
  readonly port: number
  /** Refuses new connections for a while, as if no one listened. */
  readonly refuse: (ms: number) => void
  /** Listens no more. Connections that are open stay. */
  readonly close: () => void
}

const pem = (text: string | Uint8Array): string | Buffer => (typeof text === "string" ? text : Buffer.from(text))

const makeServer = ({ tls }: ListenOptions, take: (socket: Net.Socket) => void): Net.Server =>
  tls === undefined
    ? Net.createServer(take)
    : Tls.createServer({ cert: pem(tls.cert), key: pem(tls.key) }, take).on("tlsClientError", (_error, socket) =>
        socket.destroy()
      )

const open = (options: ListenOptions, port: number, take: (socket: Net.Socket) => void): Promise<Net.Server> =>
  new Promise((done, fail) => {
    const server = makeServer(options, take)
    server.once("error", fail)
    server.listen(port, options.host, () => {
      server.off("error", fail)
      // A connection that could not be accepted is its client's trouble.
      server.on("error", () => undefined)
      done(server)
    })
  })

/** Listens; fails with the system's error. */
export const listen = async (
  options: ListenOptions,
  timers: Timers,
  take: (socket: Net.Socket) => void
): Promise<Listener> => {
  let server: Net.Server | undefined = await open(options, options.port, take)
  const { port } = server.address() as Net.AddressInfo
  let isClosed = false
  let callOff: () => void = () => undefined
  const reopen = (): void => {
    open(options, port, take).then(
      (opened) => {
        if (isClosed) opened.close()
        else server = opened
      },
      () => {
        if (!isClosed) callOff = timers.later(retryMs, reopen)
      }
    )
  }
  const stop = (): void => {
    callOff()
    server?.close()
    server = undefined
  }
  return {
    port,
    refuse: (ms) => {
      stop()
      callOff = timers.later(ms, reopen)
    },
    close: () => {
      isClosed = true
      stop()
    }
  }
}
