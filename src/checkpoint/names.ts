/**
 * Names of a checkpoint's objects. Pure.
 *
 * Numbers are inverted and padded, so that the newest sorts first, and stand in groups of a thousand: whatever lies
 * behind, the newest is found by reading one page, or one folder (rule C5). Names of data begin with the takeover number
 * of the attempt that wrote them.
 */

const digits = 10
const highest = 10 ** digits - 1
const groupDigits = digits - 3

/** Which of the two copies of a manifest. */
export type Copy = "primary" | "copy"

/** Every object of a query's checkpoint. */
export const queryPrefix = (query: string): string => `queries/${query}/`

const inverted = (number: number): string => String(highest - number).padStart(digits, "0")
const padded = (number: number): string => String(number).padStart(digits, "0")

/** The manifests of one copy, newest first when listed. */
export const chainPrefix = (query: string, copy: Copy): string => `${queryPrefix(query)}${copy}/`

/** The manifest of a number. */
export const manifestName = (query: string, copy: Copy, number: number): string => {
  const name = inverted(number)
  return `${chainPrefix(query, copy)}${name.slice(0, groupDigits)}/${name}`
}

/** The number that a manifest's name stands for; undefined: it is no manifest's name. */
export const numberOfName = (name: string): number | undefined => {
  const last = name.slice(name.lastIndexOf("/") + 1)
  return /^[0-9]{10}$/.test(last) ? highest - Number(last) : undefined
}

/** The snapshots of all epochs. */
export const dataPrefix = (query: string): string => `${queryPrefix(query)}data/`

/**
 * One copy of the snapshots of an epoch. `attempt` is the takeover number, `go` counts what that attempt wrote for the
 * same number: a write that was given up may still take effect later, and must not hit the one that counts.
 */
export const dataName = (query: string, attempt: number, number: number, go: number, copy: "a" | "b"): string =>
  `${dataPrefix(query)}${padded(attempt)}-${padded(number)}-${go}.${copy}`

/** The takeover number that a data name begins with; undefined: it is no data name. */
export const attemptOfData = (name: string): number | undefined => {
  const match = /^([0-9]{10})-[0-9]{10}-[0-9]+\.[ab]$/.exec(name.slice(name.lastIndexOf("/") + 1))
  return match === null ? undefined : Number(match[1])
}

/** The heartbeats of all attempts, newest first when listed. */
export const heartbeatPrefix = (query: string): string => `${queryPrefix(query)}heartbeat/`

/** The heartbeat of one attempt; {@link numberOfName} reads it. */
export const heartbeatName = (query: string, attempt: number): string => `${heartbeatPrefix(query)}${inverted(attempt)}`

/** One small object for each query that was ever taken over, so that queries are listed without reading their chains. */
export const registryPrefix = "registry/"

/** The entry of a query in the registry. */
export const registryName = (query: string): string => `${registryPrefix}${query}`

/** A savepoint: beside the queries, so that nothing collects it (C10). */
export const savepointPrefix = (query: string, label: string): string => `savepoints/${query}/${label}/`

/** The manifest of a savepoint, and its copy. */
export const savepointManifest = (query: string, label: string, copy: Copy): string =>
  `${savepointPrefix(query, label)}${copy === "primary" ? "manifest" : "manifest-copy"}`

/** One copy of a savepoint's state; named by attempt and number, so that no late write of another hits it. */
export const savepointState = (
  query: string,
  label: string,
  attempt: number,
  number: number,
  copy: "a" | "b"
): string => `${savepointPrefix(query, label)}state-${padded(attempt)}-${padded(number)}.${copy}`
