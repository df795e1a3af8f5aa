/**
 * A network in front of Azurite that goes wrong when it is told to: it counts requests, keeps replies back, and answers in
 * the service's place. Signatures hold, since they do not cover the host.
 */
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Effect, type Scope } from "effect"

/** What becomes of a request: done and its reply lost or another, or not done at all. */
export type Fate =
  | "pass"
  | "done, reply lost"
  | "done, 500"
  | "done, reply cut"
  | "lost"
  | "503"
  | "never"
  | { readonly status: number; readonly code: string; readonly text?: string }

/** One request as it was asked for. */
export interface Asked {
  readonly method: string
  /** Of the blob, below the account; of a listing the container's. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage["headers"]
  readonly fate: Fate
}

/** The proxy; `decide` may be set at any time. */
export interface Proxy {
  readonly endpoint: string
  readonly asked: Array<Asked>
  decide: (asked: Omit<Asked, "fate">) => Fate
}

const bodyOf = async (from: IncomingMessage): Promise<Buffer> => {
  const pieces: Array<Buffer> = []
  for await (const piece of from) pieces.push(piece as Buffer)
  return Buffer.concat(pieces)
}

const answer = (reply: ServerResponse, status: number, code: string, text = "planted"): void => {
  reply.writeHead(status, { "x-ms-error-code": code, "content-type": "application/xml", "x-ms-request-id": "planted" })
  reply.end(`<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>${text}</Message></Error>`)
}

/** Puts a proxy before a port of this machine. */
export const proxyTo = (port: number): Effect.Effect<Proxy, never, Scope.Scope> =>
  Effect.gen(function* () {
    const agent = new Agent({ keepAlive: true })
    const asked: Array<Asked> = []
    const pass = (from: IncomingMessage, body: Buffer): Promise<{ head: IncomingMessage; body: Buffer }> =>
      new Promise((resolve, reject) => {
        const { method, url, headers } = from
        const on = request({ host: "127.0.0.1", port, method, path: url, headers, agent }, (head) => {
          bodyOf(head).then((all) => resolve({ head, body: all }), reject)
        })
        on.once("error", reject)
        on.end(body)
      })
    const serve = async (from: IncomingMessage, reply: ServerResponse): Promise<void> => {
      const url = new URL(from.url ?? "/", "http://proxy")
      const what = {
        method: from.method ?? "",
        path: url.pathname.split("/").slice(2).join("/"),
        query: url.searchParams,
        headers: from.headers
      }
      const fate = proxy.decide(what)
      asked.push({ ...what, fate })
      const body = await bodyOf(from)
      if (typeof fate === "object") return answer(reply, fate.status, fate.code, fate.text)
      if (fate === "lost") return void from.socket.destroy()
      if (fate === "never") return
      if (fate === "503") return answer(reply, 503, "ServerBusy")
      const real = await pass(from, body)
      if (fate === "done, reply lost") return void from.socket.destroy()
      if (fate === "done, 500") return answer(reply, 500, "InternalError")
      reply.writeHead(real.head.statusCode ?? 500, real.head.rawHeaders)
      if (fate === "pass") return void reply.end(real.body)
      reply.write(real.body.subarray(0, real.body.length >> 1), () => from.socket.destroy())
    }
    const server = createServer((from, reply) => {
      serve(from, reply).catch(() => from.socket.destroy())
    })
    const proxy: Proxy = { endpoint: "", asked, decide: () => "pass" }
    yield* Effect.acquireRelease(
      Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
      () =>
        Effect.callback<void>((resume) => {
          agent.destroy()
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    )
    const { port: own } = server.address() as AddressInfo
    return Object.assign(proxy, { endpoint: `http://127.0.0.1:${own}/devstoreaccount1` })
  })
