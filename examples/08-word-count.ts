/**
 * Word count, running: lines from a socket, and after each pace of the query the whole table of words so far.
 *
 *     npm run -s example 08
 *
 * It brings its own little server, which says three lines and hangs up. To type lines yourself, run `nc -lk 9999` in
 * another terminal and read `Socket.source({ port: 9999 })`; Ctrl-C ends it. Every word that ever came stays in memory.
 */
import { createServer, type AddressInfo } from "node:net"
import { NodeRuntime } from "@effect/platform-node"
import { Checkpoint, EventStream, Query, Socket, Terminal, Trigger } from "tidemark"
import { Effect } from "effect"

const wordCount = (port: number) =>
  EventStream.from(Socket.source({ port, bounded: true })).pipe(
    EventStream.flatMap(({ value }) =>
      value
        .toLowerCase()
        .split(/\W+/)
        .filter((word) => word !== "")
        .map((word) => ({ word }))
    ),
    EventStream.keyBy("word"),
    EventStream.aggregateRunning(({ count }) => ({ count })),
    EventStream.to(Terminal.sink(), { mode: "complete", keep: "1 hour" })
  )

/** Says a line every half second, then hangs up; gives its port. */
const speaker = (lines: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.callback<{ port: number; close: () => void }>((resume) => {
      const server = createServer((socket) => {
        lines.forEach((line, i) => setTimeout(() => socket.write(`${line}\n`), i * 500))
        setTimeout(() => socket.end(), lines.length * 500)
      })
      const listening = () => ({ port: (server.address() as AddressInfo).port, close: () => server.close() })
      server.listen(0, "127.0.0.1", () => resume(Effect.sync(listening)))
    }),
    (server) => Effect.sync(server.close)
  )

Effect.gen(function* () {
  const { port } = yield* speaker([
    "the owl and the pussycat",
    "went to sea",
    "in a beautiful pea-green boat, the owl and the cat"
  ])
  yield* Query.run(wordCount(port), { name: "word-count", trigger: Trigger.every("300 millis") })
}).pipe(Effect.scoped, Effect.provide(Checkpoint.layerMemory), NodeRuntime.runMain)
