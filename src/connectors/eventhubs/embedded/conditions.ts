/** What the service refuses with: the conditions and words of Event Hubs, which its SDKs turn into their error codes. */
import type { AmqpError } from "./rhea.ts"

const error = (condition: string, description: string): AmqpError => ({ condition, description })

/** Seconds that a throttled client is told to wait. */
const waitS = 4

/** The errors, each from what it is about. */
export const Refusal = {
  notFound: (entity: string) => error("amqp:not-found", `The messaging entity '${entity}' could not be found.`),
  unauthorized: (claim: "Send" | "Listen" | "Manage", entity: string) =>
    error(
      "amqp:unauthorized-access",
      `Unauthorized access. '${claim}' claim(s) are required to perform this operation. Resource: '${entity}'.`
    ),
  noPartition: (partitions: number) =>
    error(
      "com.microsoft:argument-out-of-range",
      `The specified partition is invalid for an EventHub partition sender or receiver. It should be between 0 and ${partitions - 1}.`
    ),
  argument: (what: string) => error("com.microsoft:argument-error", what),
  tooLarge: (bytes: number, max: number) =>
    error(
      "amqp:link:message-size-exceeded",
      `The received message (delivery-id:0, size:${bytes} bytes) exceeds the limit (${max} bytes) currently allowed on the link.`
    ),
  malformed: (what: string) => error("amqp:decode-error", `The message is not AMQP: ${what}.`),
  keyAtPartition: () =>
    error("amqp:not-allowed", "A partition key cannot be used with a sender that is bound to a partition."),
  busy: () =>
    error(
      "com.microsoft:server-busy",
      `The request was terminated because the entity is being throttled. Error code : 50002. Please wait ${waitS} seconds and try again.`
    ),
  internal: (what: string) => error("amqp:internal-error", what),
  higherLevel: (name: string, level: number, mine: number) =>
    error(
      "amqp:link:stolen",
      `Receiver '${name}' with a higher epoch '${level}' already exists. Receiver with epoch ${mine} cannot be created.`
    ),
  exclusive: (level: number) =>
    error(
      "amqp:link:stolen",
      `At least one receiver for the endpoint is created with epoch of '${level}', and so non-epoch receiver is not allowed. Either reconnect with a higher epoch, or make sure all epoch receivers are closed or disconnected.`
    ),
  stolen: (by: string, level: number, name: string, mine: number | undefined) =>
    error(
      "amqp:link:stolen",
      `New receiver '${by}' with higher epoch of '${level}' is created hence current receiver '${name}' with epoch '${mine ?? 0}' is getting disconnected. If you are recreating the receiver, make sure a higher epoch is used.`
    ),
  tooManyReaders: (max: number, names: ReadonlyArray<string>) =>
    error(
      "amqp:resource-limit-exceeded",
      `Exceeded the maximum number of allowed receivers per partition in a consumer group which is ${max}. List of connected receivers - ${names.join(", ")}.`
    ),
  producerFenced: (epoch: number, current: number) =>
    error("amqp:link:stolen", `The producer epoch '${epoch}' is lower than the current one, '${current}'.`),
  outOfOrder: (sequence: number, expected: number) =>
    error(
      "com.microsoft:out-of-order-sequence",
      `The supplied sequence number '${sequence}' is invalid. The next one is '${expected}'.`
    ),
  injected: (condition: string) => error(condition, "This error was asked for by a test.")
} as const
