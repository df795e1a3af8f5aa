/** What the errors of Azure's SDK mean for a query. Pure. */
import { ClientError, type ClientFault } from "./EventHubsClient.ts"

const faults: { readonly [code: string]: ClientFault } = {
  MessagingEntityNotFoundError: "not-found",
  MessagingEntityDisabledError: "not-found",
  ArgumentOutOfRangeError: "not-found",
  UnauthorizedError: "unauthorized",
  ReceiverDisconnectedError: "stolen",
  ResourceLimitExceededError: "too-many-readers",
  QuotaExceededError: "too-many-readers",
  MessageTooLargeError: "too-large",
  ServerBusyError: "busy",
  ArgumentError: "refused",
  NotImplementedError: "refused",
  InvalidOperationError: "refused",
  PreconditionFailedError: "refused"
}

interface SdkError {
  readonly code?: unknown
  readonly name?: unknown
  readonly message?: unknown
  readonly errors?: unknown
}

/** The innermost error that has a code: several tries come as one error of errors, without one. */
const coded = (cause: unknown): SdkError => {
  const error = (typeof cause === "object" && cause !== null ? cause : { message: String(cause) }) as SdkError
  if (typeof error.code === "string" || !Array.isArray(error.errors)) return error
  const inner = error.errors.map(coded)
  return inner.findLast((e) => typeof e.code === "string") ?? inner.at(-1) ?? error
}

/** No word of an error shows a key or a signature. */
const withoutSecrets = (text: string): string =>
  text.replace(/(SharedAccessKey|SharedAccessSignature|sig)=[^;&\s"']+/gi, "$1=<redacted>").slice(0, 500)

/** An error of the SDK, told apart. */
export const clientError = (cause: unknown): ClientError => {
  if (cause instanceof ClientError) return cause
  const { code, name, message } = coded(cause)
  const fault = faults[typeof code === "string" ? code : ""] ?? faults[typeof name === "string" ? name : ""]
  const words = typeof message === "string" ? message.replace(/\s+/g, " ").trim() : "it did not say why"
  return new ClientError({ fault: fault ?? "unavailable", message: withoutSecrets(words), cause })
}
