/** How a hub is reached: a connection string, or a namespace with a credential of Microsoft Entra ID. */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { connectionParts } from "../../model/ConnectionString.ts"
import type { OptionProblem } from "../../model/Errors.ts"
import type { TokenCredential } from "../../model/TokenCredential.ts"

/** The options that say how a hub is reached. */
export interface ConnectionOptions {
  /** With or without `EntityPath`. Default the variable `EVENTHUB_CONNECTION_STRING`, unless `namespace` is given. */
  readonly connection?: Redacted.Redacted | Config.Config<Redacted.Redacted>
  /** Instead of a connection string: `my-namespace.servicebus.windows.net`. */
  readonly namespace?: string
  /** With `namespace`; default that of the environment: a managed identity, or who is logged in. */
  readonly credential?: TokenCredential
  /** The hub; may be left out where the connection string has an `EntityPath`. */
  readonly hub?: string
}

/** A hub and how it is reached, checked. */
export interface EventHubConnection {
  readonly hub: string
  /** For people: `sb://my-namespace.servicebus.windows.net`. No secret. */
  readonly endpoint: string
  readonly by:
    | { readonly tag: "string"; readonly text: Redacted.Redacted }
    | { readonly tag: "credential"; readonly namespace: string; readonly credential: TokenCredential | undefined }
  /** The embedded service, or Microsoft's emulator. */
  readonly isLocal: boolean
  readonly operationTimeoutMs: number
}

const isHubName = (name: unknown): name is string => typeof name === "string" && /^[\w.-]{1,256}$/.test(name)

/** How a source or a sink is called by default. What is no name may be a connection string, given for one by mistake. */
export const defaultName = (hub: unknown): string => (isHubName(hub) ? `event hub ${hub}` : "event hub")

/** A wrong value for people to see, unless it may be a connection string. */
const shown = (value: unknown): string => (/[;=]/.test(String(value)) ? "<redacted>" : String(value))

/** What is wrong with a connection string, without any of its values. */
const faultOf = (parts: ReadonlyMap<string, string>): string | undefined => {
  if (parts.has("hostname"))
    return "it is one of IoT Hub itself: take its Event Hub-compatible endpoint (Built-in endpoints), which begins with Endpoint=sb://"
  if (!/^(sb|amqps?):\/\/[^/\s]+\/?$/i.test(parts.get("endpoint") ?? "")) return "Endpoint=sb://... is missing"
  if (parts.has("sharedaccesssignature")) return undefined
  if ((parts.get("sharedaccesskeyname") ?? "") === "") return "SharedAccessKeyName=... is missing"
  return (parts.get("sharedaccesskey") ?? "") === "" ? "SharedAccessKey=... is missing" : undefined
}

/** The hub of a connection string, or what is wrong. No value of it but names is given back. */
export const readConnectionString = (
  text: Redacted.Redacted,
  hub: string | undefined
): { readonly hub: string; readonly endpoint: string; readonly isLocal: boolean } | { readonly fault: string } => {
  const parts = connectionParts(Redacted.value(text))
  const fault = faultOf(parts)
  if (fault !== undefined) return { fault: `the connection string is not whole: ${fault}` }
  const entity = parts.get("entitypath")
  const name = hub ?? entity
  if (name === undefined || name === "")
    return { fault: "no hub is named: give hub, or a connection string with EntityPath=..." }
  if (!isHubName(name)) {
    const where = hub === undefined ? "EntityPath=... of the connection string" : "hub"
    return { fault: `${where} is not the name of an event hub: letters, digits, dots, hyphens and underscores` }
  }
  if (hub !== undefined && entity !== undefined && hub.toLowerCase() !== entity.toLowerCase())
    return {
      fault: `the connection string is of ${isHubName(entity) ? `the hub ${entity}` : "another hub"}, and hub says ${hub}: name one`
    }
  const endpoint = (parts.get("endpoint") ?? "").replace(/\/$/, "")
  return { hub: name, endpoint, isLocal: parts.get("usedevelopmentemulator")?.toLowerCase() === "true" }
}

/** What can be checked of the options before anything is connected. */
export const checkConnection = (
  prefix: string,
  { connection, namespace, hub }: ConnectionOptions,
  problems: Array<OptionProblem>
): void => {
  if (namespace !== undefined && connection !== undefined)
    problems.push({
      option: `${prefix}.namespace`,
      value: shown(namespace),
      fix: "give namespace or connection, not both"
    })
  if (namespace !== undefined && !/^[a-z0-9][a-z0-9.-]*\.[a-z]+$/i.test(namespace))
    problems.push({
      option: `${prefix}.namespace`,
      value: shown(namespace),
      fix: "must be like my-namespace.servicebus.windows.net"
    })
  if (hub !== undefined && !isHubName(hub))
    problems.push({ option: `${prefix}.hub`, value: shown(hub), fix: "must be the name of an event hub" })
  if (namespace !== undefined && hub === undefined)
    problems.push({ option: `${prefix}.hub`, value: "undefined", fix: "must be named, beside a namespace" })
  if (connection !== undefined && !Redacted.isRedacted(connection) && !Config.isConfig(connection))
    problems.push({
      option: `${prefix}.connection`,
      value: "<redacted>",
      fix: 'must be Config.Redacted("VARIABLE"), or Redacted.make(text)'
    })
  else if (connection !== undefined && Redacted.isRedacted(connection)) {
    const read = readConnectionString(connection as Redacted.Redacted, hub)
    if ("fault" in read) problems.push({ option: `${prefix}.connection`, value: "<redacted>", fix: read.fault })
  }
}

/** Reads the options and the configuration; fails with a sentence that says what to do. */
export const resolveConnection = (
  { connection, namespace, credential, hub }: ConnectionOptions,
  operationTimeoutMs: number
): Effect.Effect<EventHubConnection, string> =>
  Effect.gen(function* () {
    if (namespace !== undefined) {
      return {
        hub: hub ?? "",
        endpoint: `sb://${namespace}`,
        by: { tag: "credential", namespace, credential },
        isLocal: false,
        operationTimeoutMs
      }
    }
    const given = connection ?? Config.Redacted("EVENTHUB_CONNECTION_STRING")
    const text = Redacted.isRedacted(given)
      ? (given as Redacted.Redacted)
      : yield* Effect.mapError(
          given as Config.Config<Redacted.Redacted>,
          (error) => `the connection string cannot be read: ${error.message}: set the variable, or give connection`
        )
    const read = readConnectionString(text, hub)
    if ("fault" in read) return yield* Effect.fail(read.fault)
    return { ...read, by: { tag: "string", text }, operationTimeoutMs }
  })
