/**
 * The hub of a command: reached by a connection string from the environment, since others can read a command line, and
 * asked in bounded time.
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type EventHubConnection, readConnectionString } from "../connectors/eventhubs/connection.ts"
import { type ClientError, type EventHubsClient, HubConnector } from "../connectors/eventhubs/EventHubsClient.ts"
import { type CliFailure, ExitCode, failed } from "./failure.ts"
import { span } from "./words.ts"

/** What the command line said of a hub. */
export interface HubFlags {
  readonly hub: string
  /** The variable that holds the connection string. */
  readonly connectionEnv: string
  /** How long the hub may take to answer at first. */
  readonly timeoutMs: number
}

/** A request that takes longer is tried again by the SDK. */
const operationMsMax = 10_000

/** How a hub is called in errors: no secret is in it. */
export const nameOf = ({ hub, endpoint }: EventHubConnection): string => `event hub ${hub} at ${endpoint}`

/** Where the hub is, by the variable; fails as wrong usage, without a value of the variable in the message. */
export const hubConnection = ({
  hub,
  connectionEnv,
  timeoutMs
}: HubFlags): Effect.Effect<EventHubConnection, CliFailure> =>
  Effect.gen(function* () {
    const text = yield* Effect.mapError(Config.Redacted(connectionEnv), () =>
      failed(
        `the variable ${connectionEnv} is not set: it has to hold a connection string of Event Hubs (tidemark serve eventhubs prints one)`,
        ExitCode.usage
      )
    )
    const read = readConnectionString(text, hub)
    if ("fault" in read) return yield* Effect.fail(failed(`${connectionEnv}: ${read.fault}`, ExitCode.usage))
    return { ...read, by: { tag: "string", text }, operationTimeoutMs: Math.min(timeoutMs, operationMsMax) }
  })

/** Connects by the SDK, or says that it is missing; in the scope. */
export const connectHub = (
  connection: EventHubConnection
): Effect.Effect<EventHubsClient, CliFailure | ClientError, Scope.Scope> =>
  Effect.flatMap(HubConnector, (connect) => connect(connection))

/** The first answers of a hub, in bounded time: Azure's SDK by itself tries for longer. */
export const inTime = <A, E, R>(
  answers: Effect.Effect<A, E, R>,
  name: string,
  timeoutMs: number
): Effect.Effect<A, E | CliFailure, R> =>
  Effect.timeoutOrElse(answers, {
    duration: timeoutMs,
    orElse: () =>
      Effect.fail(
        failed(
          `${name} does not answer within ${span(timeoutMs)}: check the endpoint and the network, or give it longer by --timeout`
        )
      )
  })
