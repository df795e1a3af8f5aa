/** Health and metrics over real HTTP, on ports that the system chose. */
import * as Http from "node:http"
import * as Net from "node:net"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { afterEach, describe, expect, it } from "vitest"
import { makeRegistry, QueryRegistry, type Registry } from "../../src/actors/Registry.ts"
import { CheckpointStore } from "../../src/checkpoint/CheckpointStore.ts"
import { make as memoryStore } from "../../src/connectors/memory/MemoryObjectStore.ts"
import { StoreError } from "../../src/model/Errors.ts"
import type { ObjectStore } from "../../src/model/ObjectStore.ts"
import type { HttpOptions } from "../../src/monitor/Address.ts"
import { serve } from "../../src/monitor/HttpServer.ts"
import { enter, stateOf, summary } from "./support.ts"

interface Answer {
  readonly status: number
  readonly headers: Http.IncomingHttpHeaders
  readonly body: string
}

const open: Array<() => Promise<unknown>> = []
afterEach(async () => {
  for (const close of open.splice(0)) await close()
})

const start = async (
  options: Partial<HttpOptions> = {},
  objects: ObjectStore = memoryStore()
): Promise<{ readonly url: string; readonly registry: Registry; readonly close: () => Promise<unknown> }> => {
  const registry = makeRegistry()
  const scope = await Effect.runPromise(Scope.make())
  const context = Context.empty().pipe(
    Context.add(QueryRegistry, registry),
    Context.add(CheckpointStore, { objects }),
    Context.add(Scope.Scope, scope)
  )
  const serving = serve({ host: "127.0.0.1", port: 0, ...options })
  const { url } = await Effect.runPromise(Effect.provideContext(serving, context))
  const close = () => Effect.runPromise(Scope.close(scope, Exit.void))
  open.push(close)
  return { url, registry, close }
}

const ask = (url: string, headers: Http.OutgoingHttpHeaders = {}, method = "GET"): Promise<Answer> =>
  new Promise((done, fail) => {
    const request = Http.request(url, { headers, method, agent: false }, (response) => {
      let body = ""
      response.on("data", (part: Buffer) => (body += part.toString()))
      response.on("end", () => done({ status: response.statusCode ?? 0, headers: response.headers, body }))
    })
    request.on("error", fail)
    request.end()
  })

const json = ({ body }: Answer): unknown => JSON.parse(body)

describe("health and metrics over HTTP", () => {
  it("/livez says that the event loop turns, however the queries are", async () => {
    const { url, registry } = await start()
    enter(registry, stateOf("a", { phase: "restarting", lastFailure: "disk is full" }))
    const live = await ask(`${url}/livez`)
    expect([live.status, json(live)]).toEqual([200, { ok: true, eventLoopLagMs: expect.any(Number) }])
  })

  it("/livez tells how long the event loop stood still", async () => {
    const { url } = await start()
    await ask(`${url}/livez`)
    const until = performance.now() + 700
    while (performance.now() < until);
    const { eventLoopLagMs } = json(await ask(`${url}/livez`)) as { readonly eventLoopLagMs: number }
    expect(eventLoopLagMs).toBeGreaterThan(300)
    const { body } = await ask(`${url}/metrics`)
    expect(Number(/^tidemark_event_loop_lag_seconds (.*)$/m.exec(body)?.[1])).toBeGreaterThan(0.3)
  })

  it("/readyz: configuration accepted and store reachable; a standby is ready too and says so", async () => {
    const { url, registry } = await start()
    expect(await ask(`${url}/readyz`)).toMatchObject({ status: 503, body: expect.stringContaining("no query runs") })
    enter(registry, stateOf("a"))
    enter(registry, stateOf("b", { phase: "standby" }))
    const ready = await ask(`${url}/readyz`)
    expect([ready.status, json(ready)]).toEqual([
      200,
      {
        ok: true,
        store: "memory: reachable",
        queries: [
          { name: "a", phase: "running", message: "Waiting for data to arrive" },
          { name: "b", phase: "standby", message: "Standing by: another process runs the query" }
        ]
      }
    ])
  })

  it("/readyz: not while draining, and not once a query has failed for good", async () => {
    const { url, registry } = await start()
    const a = enter(registry, stateOf("a", { phase: "draining" }))
    expect((await ask(`${url}/readyz`)).status).toBe(503)
    a.state.phase = "running"
    expect((await ask(`${url}/readyz`)).status).toBe(200)
    enter(registry, stateOf("b"))
    a.end(new Error("password=hunter2 is wrong"))
    await Effect.runPromise(Effect.exit(a.query.await))
    const ready = await ask(`${url}/readyz`)
    expect([ready.status, json(ready)]).toMatchObject([
      503,
      { failed: [{ name: "a", why: "Error: password=<redacted> is wrong" }] }
    ])
  })

  it("/readyz: not while the store does not answer; many that ask cost one look", async () => {
    let looks = 0
    let broken = true
    const store: ObjectStore = {
      ...memoryStore(),
      name: "files ./.tidemark",
      list: (prefix) =>
        Effect.suspend(() => {
          looks++
          const error = { store: "files", name: prefix, operation: "list", message: "EACCES" } as const
          return broken ? Effect.fail(new StoreError(error)) : Effect.succeed([])
        })
    }
    const { url, registry } = await start({}, store)
    enter(registry, stateOf("a"))
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(`${url}/readyz`)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]))
    expect(json(answers[0])).toMatchObject({ store: "files ./.tidemark: EACCES" })
    expect(looks).toBe(1)
    broken = false
    await expect.poll(async () => (await ask(`${url}/readyz`)).status, { timeout: 5_000, interval: 200 }).toBe(200)
  })

  it("/metrics is Prometheus' text", async () => {
    const { url, registry } = await start()
    enter(registry, stateOf("a"))
    const { status, headers, body } = await ask(`${url}/metrics`)
    expect([status, headers["content-type"]]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"])
    expect(body).toContain('tidemark_restarts_total{query="a"} 1\n')
  })

  it("other paths are 404, other methods 405, HEAD is GET without a body", async () => {
    const { url } = await start()
    expect((await ask(`${url}/`)).status).toBe(404)
    expect((await ask(`${url}/metrics/../secret`)).status).toBe(404)
    expect(await ask(`${url}/metrics`, {}, "POST")).toMatchObject({ status: 405, headers: { allow: "GET, HEAD" } })
    expect(await ask(`${url}/livez?x=1`, {}, "HEAD")).toMatchObject({ status: 200, body: "" })
  })

  it("a Host that is not this machine is refused: a page elsewhere that names 127.0.0.1 its own gets nothing", async () => {
    const { url } = await start()
    for (const host of ["evil.example", "evil.example:80", "127.0.0.1.evil.example"]) {
      expect((await ask(`${url}/metrics`, { host })).status).toBe(403)
    }
    expect((await ask(`${url}/livez`, { host: "localhost:1" })).status).toBe(200)
    expect((await ask(`${url}/livez`, { host: "[::1]:1" })).status).toBe(200)
  })

  it("with a token: everything with it; without it yes or no, and no metrics", async () => {
    const token = "0123456789abcdef0123"
    const { url, registry } = await start({ token: Redacted.make(token) })
    enter(registry, stateOf("a"))
    expect(await ask(`${url}/readyz`, { host: "pod.example" })).toMatchObject({ status: 200, body: "ok\n" })
    expect(await ask(`${url}/livez`)).toMatchObject({ status: 200, body: "ok\n" })
    for (const authorization of ["", "Bearer", "Bearer wrong", `Basic ${token}`, token]) {
      expect((await ask(`${url}/metrics`, { authorization })).status).toBe(401)
    }
    const authorization = `Bearer ${token}`
    expect((await ask(`${url}/metrics`, { authorization, host: "pod.example" })).status).toBe(200)
    expect(json(await ask(`${url}/readyz`, { authorization }))).toMatchObject({ ok: true, queries: [{ name: "a" }] })
  })

  it("addresses of other machines without a token, and ports that are taken, are refused in a sentence", async () => {
    await expect(start({ host: "0.0.0.0" })).rejects.toThrow("0.0.0.0 can be reached from other machines")
    const { url } = await start()
    const port = Number(new URL(url).port)
    await expect(start({ port })).rejects.toThrow(`cannot listen on 127.0.0.1:${port}: something else listens there`)
  })

  it("closes at once, though someone holds a connection open", async () => {
    const { url, registry, close } = await start()
    enter(registry, stateOf("a")).end(summary("a"))
    const { port } = new URL(url)
    const idle = Net.connect(Number(port), "127.0.0.1")
    const half = Net.connect(Number(port), "127.0.0.1")
    await new Promise((done) => half.on("connect", done))
    half.write("GET /livez HTTP/1.1\r\nHost: localhost\r\n")
    idle.on("error", () => undefined)
    half.on("error", () => undefined)
    const began = performance.now()
    await close()
    expect(performance.now() - began).toBeLessThan(1_500)
    await expect(ask(`${url}/livez`)).rejects.toThrow("ECONNREFUSED")
    idle.destroy()
    half.destroy()
  })
})
