/**
 * A TCP connection that is read by demand: the edge of the socket source, the one file of it that knows `node:net`.
 *
 * Bytes wait in a bounded buffer; while it is full the socket is paused, so that the peer feels the backpressure.
 */
import * as Net from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Bytes that wait to be read before the socket is paused; what the kernel holds comes on top. */
export const bufferBytesMax = 256 << 10

/** After so much silence the kernel asks whether the peer is still there. */
const keepAliveMs = 30_000

/** Why a connection failed: the system's code (`ECONNREFUSED`) and its words. */
export interface TcpFailure {
  readonly code: string
  readonly message: string
}

/** How a connection is: open, closed by the peer in good order, or broken. */
export type TcpState = "open" | "closed" | TcpFailure

/** An open connection. */
export interface TcpConnection {
  /** The next block of bytes; none when nothing waits. */
  readonly take: () => Uint8Array | undefined
  /** How it is once everything that waits has been taken. */
  readonly state: () => TcpState
  /** Waits until there is a block to take, or none will come. Interruptible; one waiter at a time. */
  readonly changed: Effect.Effect<void>
}

const failure = (error: Error): TcpFailure => {
  const { code } = error as Error & { readonly code?: unknown }
  return { code: typeof code === "string" ? code : "unknown", message: error.message }
}

/** Connects; the connection is closed with the scope. Interruptible while it connects. */
export const connect = (host: string, port: number): Effect.Effect<TcpConnection, TcpFailure, Scope.Scope> =>
  Effect.gen(function* () {
    const blocks: Array<Uint8Array> = []
    let waiting = 0
    let state: TcpState = "open"
    let wake: () => void = () => undefined
    const socket = yield* Effect.acquireRelease(
      Effect.sync(() => new Net.Socket()),
      (s) => Effect.sync(() => s.destroy())
    )
    const end = (how: TcpState): void => {
      if (state === "open") state = how
      wake()
    }
    socket.setKeepAlive(true, keepAliveMs)
    socket.on("data", (block: Uint8Array) => {
      blocks.push(block)
      waiting += block.length
      if (waiting >= bufferBytesMax) socket.pause()
      wake()
    })
    socket.on("end", () => end("closed"))
    socket.on("close", () => end("closed"))
    yield* Effect.callback<void, TcpFailure>((resume) => {
      socket.on("error", (error) => {
        end(failure(error))
        resume(Effect.fail(failure(error)))
      })
      socket.connect({ host, port }, () => resume(Effect.void))
    })
    return {
      take: () => {
        const block = blocks.shift()
        if (block === undefined) return undefined
        waiting -= block.length
        if (waiting < bufferBytesMax && socket.isPaused()) socket.resume()
        return block
      },
      state: () => state,
      changed: Effect.callback<void>((resume) => {
        if (blocks.length > 0 || state !== "open") return resume(Effect.void)
        wake = () => resume(Effect.void)
      })
    }
  })
