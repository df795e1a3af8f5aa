/**
 * Put-if-absent over a network that loses replies: whether this call, and no other, made the blob.
 *
 * The service decides by `If-None-Match: *`. A first reply that says the name is taken (409 and 412 alike) is final. Once a
 * reply was lost, or its meaning is open, the blob itself tells: each call writes a mark of its own into the metadata, and
 * reads it back. So of two that put the very same bytes at most one is told that it made them, and a try that was done
 * although its reply was lost is never taken for somebody else's.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import { isPassing, mayTryAgain, patient, patienceMs, pauseAfter, request } from "./attempts.ts"
import type { BlobContainer, BlobFault } from "./BlobContainer.ts"

/** The name of the mark in a blob's metadata. */
const markName = "tidemarkput"

const newMark: Effect.Effect<string> = Effect.map(
  Effect.all([Random.nextInt, Random.nextInt, Random.nextInt]),
  (numbers) => numbers.map((n) => (n >>> 0).toString(16).padStart(8, "0")).join("")
)

/** What a refusal says of the name: taken for sure, taken as it seems, or nothing. */
const saysTaken = (fault: BlobFault): "surely" | "maybe" | "no" => {
  // The last is the reply to a SAS that may create but not overwrite.
  if (["BlobAlreadyExists", "ConditionNotMet", "UnauthorizedBlobOverwrite"].includes(fault.code)) return "surely"
  return fault.status === 409 || fault.status === 412 ? "maybe" : "no"
}

/** Whose the blob is; none: there is none. */
const look = (
  container: BlobContainer,
  name: string,
  mark: string
): Effect.Effect<Option.Option<"mine" | "another's">, BlobFault> =>
  patient(request(patienceMs(0), (signal) => container.metadata(name, signal))).pipe(
    Effect.map((metadata) => Option.some(metadata[markName] === mark ? ("mine" as const) : ("another's" as const))),
    Effect.catchIf(
      (fault) => fault.status === 404 && fault.code !== "ContainerNotFound",
      () => Effect.succeedNone
    )
  )

/** True when this call made the blob. Fails when that stays open: then the blob may still appear, at any time. */
export const putIfAbsent = (
  container: BlobContainer,
  name: string,
  bytes: Uint8Array,
  md5: Uint8Array | undefined
): Effect.Effect<boolean, BlobFault> =>
  Effect.flatMap(newMark, (mark) => {
    const how = { ifAbsent: true, metadata: { [markName]: mark }, ...(md5 === undefined ? {} : { md5 }) }
    const once = request(patienceMs(bytes.length), (signal) => container.upload(name, bytes, how, signal))
    /** What stands there decides; where nothing does, the fault stands. */
    const resolve = (fault: BlobFault): Effect.Effect<boolean, BlobFault> =>
      Effect.flatMap(look(container, name, mark), (whose) =>
        Option.isSome(whose) ? Effect.succeed(whose.value === "mine") : Effect.fail(fault)
      )
    const go = (n: number): Effect.Effect<boolean, BlobFault> =>
      Effect.catchTag(Effect.as(once, true), "BlobFault", (fault) => {
        const taken = saysTaken(fault)
        if (taken === "surely" && n === 0) return Effect.succeed(false)
        if (taken !== "no") return resolve(fault)
        if (!isPassing(fault)) return n === 0 ? Effect.fail(fault) : resolve(fault)
        if (mayTryAgain(n, fault)) return Effect.andThen(pauseAfter(n, fault), go(n + 1))
        return resolve(fault)
      })
    return go(0)
  })
