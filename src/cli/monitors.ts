/** Opens what lets others watch a run: health and metrics with `--http`, and always the socket of `tidemark queries`. */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { CheckpointStore } from "../checkpoint/CheckpointStore.ts"
import { type Address, refusal } from "../monitor/Address.ts"
import { type CliFailure, failed } from "./failure.ts"
import type { Voice } from "./voice.ts"

/** Health and metrics at an address, or why not. Nothing heavy is loaded for an address that is refused. */
export const openHttp = (
  address: Address,
  voice: Voice
): Effect.Effect<void, CliFailure, Scope.Scope | CheckpointStore> =>
  Effect.gen(function* () {
    const token = yield* Effect.mapError(Config.option(Config.Redacted("TIDEMARK_HTTP_TOKEN")), () =>
      failed("--http: TIDEMARK_HTTP_TOKEN cannot be read")
    )
    const options = { ...address, token: Option.getOrUndefined(token) }
    const refused = refusal(options)
    if (refused !== undefined) return yield* Effect.fail(failed(`--http: ${refused}`))
    const { serve } = yield* Effect.promise(() => import("../monitor/HttpServer.ts"))
    const { url } = yield* Effect.mapError(serve(options), ({ message }) => failed(`--http: ${message}`))
    voice.say(`health and metrics at ${url} (/livez, /readyz, /metrics)`, { more: { url } })
  })

/** The socket of `tidemark queries`, in a scope; without it a run goes on, and says so. */
export const openControl = (voice: Voice, scope: Scope.Scope): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { serve } = yield* Effect.promise(() => import("../monitor/ControlSocket.ts"))
    yield* Scope.provide(serve(), scope)
  }).pipe(Effect.catch(({ message }) => Effect.sync(() => voice.say(`warning: ${message}`, { level: "Warn" }))))
