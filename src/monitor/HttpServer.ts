/**
 * Health and metrics over HTTP: `/livez`, `/readyz` and `/metrics`, read only.
 *
 * On loopback anyone on this machine may ask, by a `Host` that names it. Elsewhere a token is required, as
 * `Authorization: Bearer <token>`; without it `/livez` and `/readyz` say yes or no and nothing more, so that probes need
 * no secret. An edge: the server itself, opened for the scope. Loaded only when someone wants it.
 */
import { createRequire } from "node:module"
import type * as Http from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { hostPort, type HttpOptions, isOwnName, refusal, sameToken } from "./Address.ts"
import { liveness, type LoopWatch, makeReadiness, type Verdict, watchLoop } from "./Health.ts"
import { metricsText } from "./Metrics.ts"
import { MonitorError } from "./MonitorError.ts"

// Importing node:http as a module of ES loads Node's own HTTP client too: 30 ms and 10 MB.
const { createServer } = createRequire(import.meta.url)("node:http") as typeof Http

/** A server that listens. */
export interface HttpMonitor {
  /** `http://127.0.0.1:8080`, with the port that the system chose. */
  readonly url: string
}

const connectionsMax = 64
const requestTimeoutMs = 10_000
const closeMs = 200

const headers = { "cache-control": "no-store", "x-content-type-options": "nosniff" }

const plain = (status: number, body: string): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(`${body}\n`, { status, headers })

const told = ({ ok, details }: Verdict, everything: boolean): HttpServerResponse.HttpServerResponse => {
  const status = ok ? 200 : 503
  if (!everything) return plain(status, ok ? "ok" : "not ok")
  return HttpServerResponse.text(`${JSON.stringify({ ok, ...details })}\n`, {
    status,
    headers,
    contentType: "application/json"
  })
}

const bearer = /^Bearer +(\S+)$/i

type Answer = Effect.Effect<HttpServerResponse.HttpServerResponse, never, HttpServerRequest>

/** What a request gets. */
const answer = (options: HttpOptions, loop: LoopWatch, readiness: Effect.Effect<Verdict>): Answer =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest
    const token = options.token === undefined ? undefined : Redacted.value(options.token)
    if (token === undefined && !isOwnName(request.headers["host"])) {
      return plain(403, "this server answers to 127.0.0.1, localhost and [::1] only")
    }
    const given = bearer.exec(request.headers["authorization"] ?? "")?.[1]
    const trusted = token === undefined || (given !== undefined && sameToken(given, token))
    const [path] = request.url.split("?")
    const isKnown = path === "/livez" || path === "/readyz" || path === "/metrics"
    if (isKnown && request.method !== "GET" && request.method !== "HEAD") {
      return HttpServerResponse.setHeader(plain(405, "read only: GET"), "allow", "GET, HEAD")
    }
    if (path === "/livez") return told(yield* liveness(loop), trusted)
    if (path === "/readyz") return told(yield* readiness, trusted)
    if (!trusted) {
      return HttpServerResponse.setHeader(plain(401, "needs a token"), "www-authenticate", "Bearer")
    }
    if (path === "/metrics") {
      const text = yield* metricsText(yield* loop.worstMs)
      const contentType = "text/plain; version=0.0.4; charset=utf-8"
      return HttpServerResponse.text(text, { headers, contentType })
    }
    return plain(404, "there are /livez, /readyz and /metrics")
  })

const codeOf = (cause: unknown): string => {
  const code: unknown = typeof cause === "object" && cause !== null ? Reflect.get(cause, "code") : undefined
  return typeof code === "string" ? code : ""
}

const cannotListen = (options: HttpOptions, cause: unknown): MonitorError => {
  const at = hostPort(options)
  const code = codeOf(cause)
  const why =
    code === "EADDRINUSE"
      ? "something else listens there: choose another port, or 0 for any"
      : code === "EACCES"
        ? "this user may not: choose a port above 1023"
        : code === "EADDRNOTAVAIL" || code === "ENOTFOUND"
          ? "this machine has no such address"
          : code
  return new MonitorError({ message: `cannot listen on ${at}: ${why}`, cause })
}

/** Opens the server in the present scope. */
export const serve = (options: HttpOptions): Effect.Effect<HttpMonitor, MonitorError, Scope.Scope> =>
  Effect.gen(function* () {
    const refused = refusal(options)
    if (refused !== undefined) return yield* Effect.fail(new MonitorError({ message: refused }))
    const loop = yield* watchLoop
    const readiness = yield* makeReadiness
    const server = createServer({ requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs })
    server.maxConnections = connectionsMax
    const listening = yield* Effect.mapError(
      NodeHttpServer.make(() => server, {
        host: options.host,
        port: options.port,
        gracefulShutdownTimeout: Duration.millis(closeMs)
      }),
      ({ cause }) => cannotListen(options, cause)
    )
    // Who holds a connection open does not hold up the end of the process.
    yield* Effect.addFinalizer(() => Effect.sync(() => server.closeAllConnections()))
    yield* listening.serve(answer(options, loop, readiness))
    const bound = server.address()
    const port = typeof bound === "object" && bound !== null ? bound.port : options.port
    return { url: `http://${hostPort({ host: options.host, port })}` }
  })
