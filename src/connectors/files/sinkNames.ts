/**
 * Names of a file sink: of its part files, its staged files and its markers.
 *
 * Query and writer may be called anything, so what is not a letter, digit or hyphen is written as `=002F`, and what is too
 * long for a file name is cut and ends with its hash. Two names are never the same for two different queries or writers.
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

/** Epochs sort by name. */
const epochText = (epoch: number): string => String(epoch).padStart(8, "0")

/** The name of a part file: `part-0-00000012.jsonl`; those of one epoch go on with `part-0-00000012_0001.jsonl`, in order of their names. */
export const partName = (writer: string, epoch: number, index: number, extension: string): string =>
  `part-${safeName(writer)}-${epochText(epoch)}${index === 0 ? "" : `_${String(index).padStart(4, "0")}`}${extension}`

/** Whether a file is a part that this writer made, in whatever epoch. */
export const isPartOf = (name: string, writer: string, extension: string): boolean => {
  const prefix = `part-${safeName(writer)}-`
  return (
    name.startsWith(prefix) &&
    name.endsWith(extension) &&
    /^\d{8,}(_\d+)?$/.test(name.slice(prefix.length, -extension.length))
  )
}

/** The folder of what is not committed yet, within the sink's. Sources and readers pass by names that begin with a dot. */
export const stagedFolder = ".staged"

/** The name of a staged file; `token` tells attempts apart. */
export const stagedName = (query: string, writer: string, token: string, index: number): string =>
  `${safeName(query)}_${safeName(writer)}_${token}_${index}`

const markerPrefix = (query: string, writer: string): string => `${safeName(query)}_${safeName(writer)}_epoch_`

/** The name of the file that says: this epoch is committed. It holds the names of the epoch's staged files. */
export const markerName = (query: string, writer: string, epoch: number): string =>
  `${markerPrefix(query, writer)}${epochText(epoch)}`

/** The epoch that a marker of this writer names; `undefined` for any other name. */
export const markedEpoch = (name: string, query: string, writer: string): number | undefined => {
  const prefix = markerPrefix(query, writer)
  if (!name.startsWith(prefix) || !/^\d+$/.test(name.slice(prefix.length))) return undefined
  return Number(name.slice(prefix.length))
}
