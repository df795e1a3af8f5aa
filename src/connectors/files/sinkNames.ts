/**
 * Names of a file sink: of its part files, its staged files and its markers.
 *
 * Query and writer may be called anything, so what is not a letter, digit or hyphen is written as `=002F`, and what is too
 * long for a file name is cut and ends with its hash. Two names are never the same for two different queries or writers.
 * Every name ends with the tag of its chain of checkpoints, so that no file of one chain ever has the name of another's:
 * whoever removes what an earlier run left can never hit what a newer attempt wrote meanwhile (rule C5).
 */
import { hashPair } from "../../model/Hash.ts"

const nameMax = 60

const escaped = (text: string): string =>
  text.replace(/[^A-Za-z0-9-]/g, (c) => `=${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`)

const hashText = (text: string): string => {
  const pair = new Int32Array(2)
  hashPair(text, pair)
  return [...pair].map((n) => (n >>> 0).toString(16).padStart(8, "0")).join("")
}

/** A query's or writer's name as part of a file name. */
export const safeName = (text: string): string => {
  const safe = escaped(text)
  return safe.length <= nameMax ? safe : `${safe.slice(0, nameMax)}=${hashText(text)}`
}

/** Stands for a chain of checkpoints in names: eight hexadecimal digits. */
export const tagOf = (queryId: string): string => hashText(queryId).slice(0, 8)

/** Epochs sort by name. */
const epochText = (epoch: number): string => String(epoch).padStart(8, "0")

/** Takeover numbers too; wider than `Number.MAX_SAFE_INTEGER` never gets. */
const attemptText = (attempt: number): string => String(attempt).padStart(10, "0")

/**
 * The name of a part file: `part-0-00000012-9f3c01ab.jsonl`; those of one epoch go on with
 * `part-0-00000012_0001-9f3c01ab.jsonl`, in order of their names.
 */
export const partName = (writer: string, epoch: number, index: number, tag: string, extension: string): string => {
  const more = index === 0 ? "" : `_${String(index).padStart(4, "0")}`
  return `part-${safeName(writer)}-${epochText(epoch)}${more}-${tag}${extension}`
}

/** The tag of a part that this writer made, in whatever epoch and format; `undefined` for any other name. */
export const partTag = (name: string, writer: string): string | undefined => {
  const prefix = `part-${safeName(writer)}-`
  return name.startsWith(prefix)
    ? /^\d{8,}(?:_\d{4,})?-([0-9a-f]{8})\.[a-z]+$/.exec(name.slice(prefix.length))?.[1]
    : undefined
}

/** The folder of the markers, within the sink's. Sources and readers pass by names that begin with a dot. */
export const stagedFolder = ".staged"

/** Whose a staged file is. */
export interface Stager {
  readonly query: string
  readonly writer: string
  readonly attempt: number
  readonly tag: string
}

const ownerText = (query: string, writer: string): string => `${safeName(query)}_${safeName(writer)}_`

/** The name of a staged file, in the folder of the parts; `token` is the writer's own. */
export const stagedName = ({ query, writer, attempt, tag }: Stager, token: string, index: number): string =>
  `.${attemptText(attempt)}_${ownerText(query, writer)}${tag}_${token}_${index}`

/** A name for a marker until it is whole; `token` is the committer's own. */
export const unmarkedName = ({ query, writer, attempt, tag }: Stager, token: string): string =>
  `${attemptText(attempt)}_${ownerText(query, writer)}${tag}_${token}.marker`

/** Attempt and tag of a staged file, or of a marker's temporary name; `undefined` for any other name. */
export const stagedBy = (
  name: string,
  query: string,
  writer: string
): { readonly attempt: number; readonly tag: string } | undefined => {
  const numbered = /^\.?(\d{10,})_(.*)$/s.exec(name)
  const owner = ownerText(query, writer)
  if (numbered === null || !numbered[2].startsWith(owner)) return undefined
  const tag = /^([0-9a-f]{8})_[0-9a-z]+(?:_\d+|\.marker)$/.exec(numbered[2].slice(owner.length))?.[1]
  return tag === undefined ? undefined : { attempt: Number(numbered[1]), tag }
}

const markerPrefix = (query: string, writer: string): string => `${ownerText(query, writer)}epoch_`

/** The name of the file that says: this epoch is committed, or is being. It holds the names of the epoch's staged files. */
export const markerName = (query: string, writer: string, epoch: number, tag: string): string =>
  `${markerPrefix(query, writer)}${epochText(epoch)}_${tag}`

/** Epoch and tag that a marker of this writer names; `undefined` for any other name. */
export const markedEpoch = (
  name: string,
  query: string,
  writer: string
): { readonly epoch: number; readonly tag: string } | undefined => {
  const prefix = markerPrefix(query, writer)
  const found = name.startsWith(prefix) ? /^(\d{8,})_([0-9a-f]{8})$/.exec(name.slice(prefix.length)) : null
  return found === null ? undefined : { epoch: Number(found[1]), tag: found[2] }
}
