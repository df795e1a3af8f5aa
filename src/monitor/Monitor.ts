/**
 * Watching queries from outside, as layers to stand beside an application's others: health and metrics over HTTP, and
 * the socket by which `tidemark queries` finds the process. What they need is loaded when they are built.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { HttpOptions } from "./Address.ts"
import type { ControlOptions } from "./ControlSocket.ts"
import type { MonitorError } from "./MonitorError.ts"

export { jsonLogger } from "./JsonLog.ts"
export { MonitorError } from "./MonitorError.ts"

/** Serves `/livez`, `/readyz` and `/metrics`. Without a token on a loopback address only. */
export const http = (options: HttpOptions): Layer.Layer<never, MonitorError> =>
  Layer.effectDiscard(
    Effect.flatMap(
      Effect.promise(() => import("./HttpServer.ts")),
      ({ serve }) => Effect.asVoid(serve(options))
    )
  )

/** Lets `tidemark queries` list and stop the queries of this process, for processes of the same user alone. */
export const control = (options: ControlOptions = {}): Layer.Layer<never, MonitorError> =>
  Layer.effectDiscard(
    Effect.flatMap(
      Effect.promise(() => import("./ControlSocket.ts")),
      ({ serve }) => Effect.asVoid(serve(options))
    )
  )
