/**
 * Requests in time, and again: how long one may take, which faults pass by themselves, and how long to wait before the
 * next try. By Effect's own clock and randomness, with jitter, so that many who were refused together do not come back
 * together.
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { Limits } from "../../model/Limits.ts"
import { BlobFault } from "./BlobContainer.ts"

/** Faults of a network that are not there the next time, maybe. A host that is not known, or not trusted, stays so. */
const isPassingCode = (code: string): boolean =>
  !/^ENOTFOUND$|CERT|SELF_SIGNED|UNABLE_TO|ALTNAME|^ERR_(INVALID|TLS)/.test(code)

/** Whether a request may do better when it is made again. It may have been done all the same. */
export const isPassing = (fault: BlobFault): boolean =>
  fault.kind === "network"
    ? isPassingCode(fault.code)
    : fault.kind === "service" &&
      // Damaged on the way, the bytes are sent again.
      (fault.code === "Md5Mismatch" || [408, 429, 500, 502, 503, 504].includes(fault.status ?? 0))

/** How long a request may take that carries so many bytes, ms. */
export const patienceMs = (bytes: number): number =>
  Limits.blobTryTimeoutMs + Math.ceil((bytes * 1000) / Limits.blobBytesPerSecondMin)

/** One request, given up when it takes too long. */
export const request = <A>(timeoutMs: number, make: (signal: AbortSignal) => Promise<A>): Effect.Effect<A, BlobFault> =>
  Effect.timeoutOrElse(
    Effect.tryPromise({
      try: make,
      catch: (error) =>
        error instanceof BlobFault ? error : new BlobFault({ kind: "network", code: "UNKNOWN", message: String(error) })
    }),
    {
      duration: timeoutMs,
      orElse: () =>
        Effect.fail(new BlobFault({ kind: "network", code: "TIMEOUT", message: `no reply within ${timeoutMs} ms` }))
    }
  )

/** Whether there is to be another try after try `n`, counted from 0. */
export const mayTryAgain = (n: number, fault: BlobFault): boolean =>
  isPassing(fault) && n + 1 < (fault.code === "TIMEOUT" ? Limits.blobTimeoutsMax : Limits.blobTriesMax)

/** Waits before try `n + 1`, counted from 0: twice as long each time, at least as long as the service asks for. */
export const pauseAfter = (n: number, fault: BlobFault): Effect.Effect<void> =>
  Effect.flatMap(Random.next, (chance) => {
    const full = Math.min(Limits.blobRetryMaxMs, Limits.blobRetryMinMs * 2 ** n)
    const asked = Math.min(Limits.blobRetryMaxMs, fault.retryAfterMs ?? 0)
    return Effect.sleep(Math.max(asked, full / 2) + (chance * full) / 2)
  })

/** Makes a request until it succeeds, fails for good, or has had its tries. It must not matter that it is done twice. */
export const patient = <A>(once: Effect.Effect<A, BlobFault>): Effect.Effect<A, BlobFault> => {
  const go = (n: number): Effect.Effect<A, BlobFault> =>
    Effect.catchTag(once, "BlobFault", (fault) =>
      mayTryAgain(n, fault) ? Effect.andThen(pauseAfter(n, fault), go(n + 1)) : Effect.fail(fault)
    )
  return go(0)
}
