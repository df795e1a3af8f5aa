/**
 * An event of a hub as a row of a table that grows downwards, or as a line of JSON. Nothing of an event can act on a
 * terminal in either. Pure.
 */
import type { ReceivedEvent } from "../connectors/eventhubs/EventHubsClient.ts"
import { cellText, displayWidth } from "../connectors/terminal/cells.ts"
import { jsonText } from "../model/Text.ts"
import { instant } from "./words.ts"

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const textOf = (body: Uint8Array): string | undefined => {
  try {
    return utf8.decode(body)
  } catch {
    return undefined
  }
}

const partitionWidth = 9
const sequenceWidth = 8
const enqueuedWidth = 19
const keyWidth = 12
/** The body has so many columns also where the terminal is narrower than the rest. */
const bodyWidthMin = 10
/** Bytes shown of a body that is no text. */
const hexBytesMax = 64

const left = (text: string, width: number): string => text + " ".repeat(Math.max(0, width - displayWidth(text)))
const right = (text: string, width: number): string => text.padStart(width)

/** The head of the table. */
export const tableHead: string = [
  left("partition", partitionWidth),
  right("sequence", sequenceWidth),
  left("enqueued", enqueuedWidth),
  left("key", keyWidth),
  "body"
].join("  ")

/** A body as text, or, when it is none, as its first bytes. */
const shownBody = (body: Uint8Array): string =>
  textOf(body) ?? `${body.length} bytes, no UTF-8: ${Buffer.from(body.subarray(0, hexBytesMax)).toString("hex")}`

/** A row of the table, in one line of at most so many columns. */
export const tableRow = (partition: string, e: ReceivedEvent, columns: number): string => {
  const before = [
    left(cellText(partition, "", partitionWidth), partitionWidth),
    right(String(e.sequenceNumber), sequenceWidth),
    left(instant(e.enqueuedMs), enqueuedWidth),
    left(cellText(e.partitionKey, "", keyWidth), keyWidth),
    ""
  ].join("  ")
  return (before + cellText(shownBody(e.body), "", Math.max(bodyWidthMin, columns - displayWidth(before)))).trimEnd()
}

/** What JSON lets through and a terminal acts on: DEL, C1, direction overrides, separators. */
const unsafe = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

const unit = (c: string): string => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`

const some = (of: { readonly [name: string]: unknown }): object | undefined =>
  Object.keys(of).length === 0 ? undefined : of

/** A line of JSON: the body as text, or, when it is no UTF-8, as base64 in `bodyBase64`. */
export const jsonLine = (partition: string, e: ReceivedEvent): string => {
  const text = textOf(e.body)
  const value = {
    partitionId: partition,
    sequenceNumber: e.sequenceNumber,
    offset: e.offset,
    enqueuedTime: new Date(e.enqueuedMs).toJSON(),
    partitionKey: e.partitionKey,
    properties: some(e.properties),
    systemProperties: some(e.systemProperties),
    ...(text === undefined ? { bodyBase64: Buffer.from(e.body).toString("base64") } : { body: text })
  }
  // Of these characters JSON holds none outside of texts, so that what is read back is the same.
  return jsonText(value).replace(unsafe, (c) => c.split("").map(unit).join(""))
}
