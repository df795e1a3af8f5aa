/**
 * The MD5 of what is uploaded, by which the service refuses bytes that were damaged on their way. Not against forgery.
 *
 * It is taken piece by piece, so that a large state does not hold up everything else for long.
 */
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"

const pieceBytes = 1 << 20

const begin = (): ReturnType<typeof createHash> | undefined => {
  try {
    return createHash("md5")
  } catch {
    // A machine under FIPS has none, and no other would do; the checkpoint's own checksums still tell (rule C6).
    return undefined
  }
}

/** The 16 bytes; none where the machine does not do MD5. */
export const md5Of = (bytes: Uint8Array): Effect.Effect<Uint8Array | undefined> =>
  Effect.gen(function* () {
    const hash = begin()
    for (let at = 0; hash !== undefined && at < bytes.length; at += pieceBytes) {
      if (at > 0) yield* Effect.yieldNow
      hash.update(bytes.subarray(at, at + pieceBytes))
    }
    return hash?.digest()
  })
