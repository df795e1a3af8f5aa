import * as Net from "node:net"
import { Cause, Effect, Exit, Fiber, Option, Schema, type Scope } from "effect"
import { describe, expect, it } from "vitest"
import * as Socket from "../../src/connectors/socket/Socket.ts"
import { bufferBytesMax } from "../../src/connectors/socket/tcp.ts"
import * as Json from "../../src/formats/Json.ts"
import type { SourceError } from "../../src/model/Errors.ts"
import { sourceConformance } from "../conformance/source.ts"

/** A server on a free port that does `each` with every connection. */
const serve = (
  each: (peer: Net.Socket) => void
): Effect.Effect<{ readonly port: number; readonly peers: ReadonlyArray<Net.Socket> }, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<{ readonly server: Net.Server; readonly port: number; readonly peers: Array<Net.Socket> }>(
      (resume) => {
        const peers: Array<Net.Socket> = []
        const server = Net.createServer((peer) => {
          peers.push(peer)
          peer.on("error", () => undefined)
          each(peer)
        })
        server.listen(0, "127.0.0.1", () =>
          resume(Effect.succeed({ server, port: (server.address() as Net.AddressInfo).port, peers }))
        )
      }
    ),
    ({ server, peers }) =>
      Effect.callback<void>((resume) => {
        for (const peer of peers) peer.destroy()
        server.close(() => resume(Effect.void))
      })
  )

const rows = Array.from({ length: 40 }, (_, n) => ({ value: n === 7 ? "" : `line ${n} ä` }))
const text = rows.map((r) => `${r.value}\r\n`).join("")
const features = { bounded: true, appendTime: false, endPosition: false, replayable: false, dynamicPartitions: false }
const bad = Buffer.from([0xff, 0xfe, 10])

sourceConformance(
  "socket, until closed",
  features,
  Effect.gen(function* () {
    const { port } = yield* serve((peer) => {
      peer.write(text)
      peer.end(bad)
    })
    return { source: Socket.source({ port, bounded: true }), contents: new Map([["0", { rows, dead: 1 }]]) }
  })
)
sourceConformance(
  "socket, unbounded, in small pieces",
  { ...features, bounded: false },
  Effect.gen(function* () {
    const { port, peers } = yield* serve((peer) => {
      peer.setNoDelay(true)
      const bytes = Buffer.concat([Buffer.from(text), bad])
      for (let i = 0; i < bytes.length; i += 7) peer.write(bytes.subarray(i, i + 7))
    })
    return {
      source: Socket.source({ port }),
      contents: new Map([["0", { rows, dead: 1 }]]),
      more: () =>
        Effect.sync(() => {
          peers[peers.length - 1].write("and\nmore\n")
          return [{ value: "and" }, { value: "more" }]
        })
    }
  })
)

const demand = { rows: 100, bytes: 1 << 20 }

/** Everything a source gives until it fails, and with what. */
const drain = <A>(
  source: ReturnType<typeof Socket.source<A>>
): Effect.Effect<{ readonly rows: ReadonlyArray<A>; readonly dead: ReadonlyArray<string>; readonly last: unknown }> =>
  Effect.scoped(
    Effect.gen(function* () {
      const got: Array<A> = []
      const dead: Array<string> = []
      const opened = yield* Effect.result(source.open("0", Option.none()))
      if (opened._tag === "Failure") return { rows: got, dead, last: opened.failure }
      for (;;) {
        const pulled = yield* Effect.result(opened.success.pull(demand))
        if (pulled._tag === "Failure") return { rows: got, dead, last: pulled.failure }
        got.push(...(pulled.success.rows ?? []))
        dead.push(...(pulled.success.dead ?? []).map((d) => `${d.place} ${d.reason}`))
      }
    })
  )

const run = <A, E>(body: Effect.Effect<A, E, Scope.Scope>): Promise<A> => Effect.runPromise(Effect.scoped(body))

describe("Socket.source", () => {
  it("decodes lines of JSON with a schema; what does not fit is dead, with its line", () =>
    run(
      Effect.gen(function* () {
        const { port } = yield* serve((peer) => peer.end('{"n":1}\n{"n":"one"}\n{"n":2'))
        const decode = Json.lines(Schema.Struct({ n: Schema.Number }))
        const got = yield* drain(Socket.source({ port, decode, bounded: true }))
        expect(got.rows).toEqual([{ n: 1 }])
        expect(got.dead).toEqual([`socket 127.0.0.1:${port}:2 schema`, `socket 127.0.0.1:${port}:3 malformed`])
        expect(Cause.isDone(got.last)).toBe(true)
      })
    ))
  it("a peer that closes is an error to retry, after all its lines", () =>
    run(
      Effect.gen(function* () {
        const { port } = yield* serve((peer) => peer.end("a\nb"))
        const got = yield* drain(Socket.source({ port }))
        expect(got.rows).toEqual([{ value: "a" }, { value: "b" }])
        expect(got.last).toMatchObject({ _tag: "SourceError", retryable: true })
        expect((got.last as SourceError).message).toContain("bounded: true")
      })
    ))
  it("a connection that breaks is an error, also until closed; the line under way is dead", () =>
    run(
      Effect.gen(function* () {
        const { port } = yield* serve((peer) =>
          peer.write("whole\nhal", () => setTimeout(() => peer.resetAndDestroy(), 20))
        )
        const got = yield* drain(Socket.source({ port, bounded: true }))
        expect(got.rows).toEqual([{ value: "whole" }])
        expect(got.dead).toEqual([`socket 127.0.0.1:${port}:2 malformed`])
        expect(got.last).toMatchObject({ _tag: "SourceError", retryable: true })
      })
    ))
  it("says what to do when no one listens", () =>
    run(
      Effect.gen(function* () {
        const { port } = yield* Effect.scoped(serve(() => undefined))
        const { last } = yield* drain(Socket.source({ port }))
        expect(last).toMatchObject({ _tag: "SourceError", retryable: true })
        expect((last as SourceError).message).toContain(`nc -lk ${port}`)
        expect((last as SourceError).message).toContain("ECONNREFUSED")
      })
    ))
  it("a line over the limit is dead, and reading goes on", () =>
    run(
      Effect.gen(function* () {
        const { port } = yield* serve((peer) => peer.end(`a\n${"x".repeat(5000)}\nb\n`))
        const got = yield* drain(Socket.source({ port, bounded: true, lineBytesMax: 1000 }))
        expect(got.rows).toEqual([{ value: "a" }, { value: "b" }])
        expect(got.dead).toEqual([`socket 127.0.0.1:${port}:2 too-large`])
      })
    ))
  it("backpressure: a reader that does not pull stops the peer", () =>
    run(
      Effect.gen(function* () {
        const line = `${"x".repeat(1023)}\n`
        const total = 64 << 20
        let sent = 0
        const { port } = yield* serve((peer) => {
          const more = (): void => {
            while (sent < total) {
              sent += line.length * 64
              if (!peer.write(line.repeat(64))) return void peer.once("drain", more)
            }
            peer.end()
          }
          more()
        })
        const cursor = yield* Socket.source({ port, bounded: true }).open("0", Option.none())
        yield* cursor.pull({ rows: 1, bytes: 1 })
        yield* Effect.sleep(200)
        const stalled = sent
        yield* Effect.sleep(100)
        expect(sent).toBe(stalled)
        expect(stalled).toBeLessThan(total / 2 + bufferBytesMax)
        let rest = 1
        for (;;) {
          const pulled = yield* Effect.result(cursor.pull({ rows: 4096, bytes: 1 << 20 }))
          if (pulled._tag === "Failure") break
          rest += pulled.success.length
        }
        expect(rest).toBe(total / line.length)
      })
    ))
  it("closes the connection with its scope, and may be interrupted while it waits", () =>
    run(
      Effect.gen(function* () {
        let closed = 0
        const { port } = yield* serve((peer) => void peer.on("close", () => closed++).resume())
        const waiting = yield* Effect.forkChild(drain(Socket.source({ port })))
        yield* Effect.sleep(50)
        yield* Fiber.interrupt(waiting)
        expect(Exit.hasInterrupts(yield* Fiber.await(waiting))).toBe(true)
        yield* Effect.sleep(50)
        expect(closed).toBe(1)
      })
    ))
  it("names wrong options", () => {
    expect(Socket.source({ port: 0, lineBytesMax: 0.5 }).problems?.map((p) => p.option)).toEqual([
      "Socket.source.port",
      "Socket.source.lineBytesMax"
    ])
  })
})
