/** The typed refusals of the checkpoint: what is wrong, where, and what to do. */
import { QueryError, type StoreError } from "../model/Errors.ts"
import type { Manifest } from "./Manifest.ts"
import { ownerText } from "./Owner.ts"

/** A checkpoint that cannot be read, written or trusted. */
export const untrusted = (query: string, message: string, cause?: unknown): QueryError =>
  new QueryError({ reason: "Checkpoint", query, message: `checkpoint of query ${query}: ${message}`, cause })

/** The object store did not do what was asked; `doing` says what for. */
export const storeFailed = (query: string, doing: string, error: StoreError): QueryError =>
  untrusted(
    query,
    `could not ${doing}: ${error.message}. See to the store and its rights, then start the query again`,
    error
  )

/** An attempt as people name it: `attempt 7 (host web-1, pid 4321)`. */
export const attemptText = (manifest: Pick<Manifest, "attempt" | "owner">): string =>
  `attempt ${manifest.attempt} (${ownerText(manifest.owner)})`

/** Another attempt has the query now; final for this one (C5). */
export const fencedBy = (query: string, own: number, winner: string): QueryError =>
  new QueryError({
    reason: "Fenced",
    query,
    message: `query ${query} was taken over by ${winner}; attempt ${own} is over and commits nothing more. Let the other one run, or stop it and start this one again`
  })

/** A query of that name runs in this process already (C5a). */
export const runsHere = (query: string): QueryError => {
  const message = `query ${query} already runs in this process: give one of the two another name`
  return new QueryError({ reason: "Owned", query, message })
}

const choices = {
  alive: (attempt: number | undefined) =>
    `Stop it, wait until it is gone (ifOwned: "wait"), or take over from it (takeOver: ${attempt})`,
  changing: () => 'Wait for it (ifOwned: "wait")',
  misnamed: () => "takeOver names one attempt and works once"
}

/** Another process runs the query, and this one was not to wait (C5a). The facts are for front-ends with other words. */
export const ownedBy = (
  query: string,
  what: string,
  choice: keyof typeof choices,
  attempt: number | undefined
): QueryError => {
  const fact = `query ${query} ${what}`
  const message = `${fact}. ${choices[choice](attempt)}`
  return new QueryError({ reason: "Owned", query, message, owned: { fact, attempt, choice } })
}
