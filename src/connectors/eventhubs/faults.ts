/** What went wrong with a hub, said to people: what, where, and what to do. Pure. */
import { SinkError, SourceError } from "../../model/Errors.ts"
import type { ClientError, ClientFault } from "./EventHubsClient.ts"

/** Where a source reads. */
export interface ReadingAt {
  /** For people: `event hub transactions-stream at sb://...`. */
  readonly connector: string
  readonly consumerGroup: string
  readonly ownerLevel: number | undefined
}

const advice = (fault: ClientFault, { consumerGroup, ownerLevel }: ReadingAt): string => {
  switch (fault) {
    case "unavailable":
      return "if that lasts, check the endpoint and the network"
    case "busy":
      return "if that lasts, the namespace needs more throughput units"
    case "not-found":
      return `check the name of the hub, and that it has the consumer group ${consumerGroup}`
    case "unauthorized":
      return "check the key, and that its policy has the right Listen"
    case "stolen":
      return ownerLevel === undefined
        ? `another reader of the consumer group ${consumerGroup} has an owner level: give each query a consumer group of its own`
        : `another reader of the consumer group ${consumerGroup} has taken it, with the owner level ${ownerLevel} or a higher one: stop that reader, or give each query a consumer group of its own`
    case "too-many-readers":
      return `the consumer group ${consumerGroup} has as many readers as it may have: stop one, or give each query a consumer group of its own`
    case "too-large":
    case "refused":
      return "correct it and start again"
  }
}

/** Faults that may go away by themselves. */
const passing: ReadonlyArray<ClientFault> = ["unavailable", "busy", "too-many-readers"]

/** The service's words without the full stop, since more follows. */
const wordsOf = ({ message }: ClientError): string => message.replace(/\.$/, "")

/** Whether trying again at once may help, without the supervisor. */
export const isBrief = ({ fault }: ClientError): boolean => fault === "unavailable" || fault === "busy"

/** A failure of a source's request. */
export const sourceError = (at: ReadingAt, error: ClientError, partition?: string, position?: string): SourceError =>
  new SourceError({
    connector: at.connector,
    ...(partition === undefined ? {} : { partition }),
    ...(position === undefined ? {} : { position }),
    retryable: passing.includes(error.fault),
    message: `${at.connector}${partition === undefined ? "" : `, partition ${partition}`}: ${wordsOf(error)}: ${advice(error.fault, at)}`,
    cause: error.cause ?? error
  })

const sendingAdvice = (fault: ClientFault): string => {
  switch (fault) {
    case "unavailable":
      return ": if that lasts, check the endpoint and the network"
    case "not-found":
      return ": check the names of the hub and of the partition"
    case "unauthorized":
      return ": check the key, and that its policy has the right Send"
    default:
      return ""
  }
}

/** A failure of a sink's request. */
export const sinkError = (name: string, error: ClientError): SinkError =>
  new SinkError({
    connector: name,
    retryable: isBrief(error),
    message: `${name}: ${wordsOf(error)}${sendingAdvice(error.fault)}`,
    cause: error.cause ?? error
  })
