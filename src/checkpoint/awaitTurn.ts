/**
 * Whether a query may be taken over now, and waiting until it may (rule C5a).
 *
 * A live owner is recognised by what it does, on one's own clock: its heartbeat or its chain moves. Nobody waits for an
 * owner that stopped cleanly, left, or is surely gone. That all this is a guess harms nothing: taking over from a live
 * owner is safe, and only impolite.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { QueryError, StoreError } from "../model/Errors.ts"
import { Limits } from "../model/Limits.ts"
import type { ObjectStore } from "../model/ObjectStore.ts"
import { highestNumber, patiently, readCell } from "./cells.ts"
import { heartbeatMsOf, readBeat } from "./Heartbeat.ts"
import { LiveAttempts } from "./LiveAttempts.ts"
import { verdictOf } from "./findBase.ts"
import type { Manifest } from "./Manifest.ts"
import { HostProcess, type Owner } from "./Owner.ts"
import { attemptText, ownedBy, runsHere, storeFailed } from "./refusals.ts"

/** For whom the turn is awaited; see `TakeOverOptions`. */
export interface TurnOptions {
  readonly objects: ObjectStore
  readonly query: string
  readonly ifOwned: "wait" | "fail"
  readonly takeOver: number | undefined
  readonly onStandby: (owner: string) => Effect.Effect<void>
}

/** What the chain looked like when it was judged: who takes over must find it so, or judge again. */
export type Turn =
  /** Nothing at all may have come since. */
  | { readonly tag: "free"; readonly highest: number }
  /** From this attempt at any rate, wherever it is by now. */
  | { readonly tag: "from"; readonly attempt: number }

interface Look {
  readonly highest: number
  /** The newest manifest, when a copy of it is sound. */
  readonly latest: Manifest | undefined
  /** Changes whenever the owner does anything. */
  readonly shown: string
  /** There is nobody to wait for: nothing was ever begun, the owner left, or whoever takes over will refuse the chain. */
  readonly isFree: boolean
}

const lookAt = (objects: ObjectStore, query: string): Effect.Effect<Look, StoreError> =>
  Effect.gen(function* () {
    const highest = yield* highestNumber(objects, query)
    if (highest === 0) return { highest, latest: undefined, shown: "", isFree: true }
    const p = yield* readCell(objects, query, "primary", highest)
    const c = yield* readCell(objects, query, "copy", highest)
    const verdict = verdictOf(query, highest, p, c)
    if (verdict.tag !== "base") {
      for (const cell of [p, c]) if (cell.tag === "failed") return yield* Effect.fail(cell.error)
      // A void, or a primary without a copy: somebody is at work, or was.
      const isOpen = verdict.tag === "below" || verdict.tag === "orphan"
      return { highest, latest: undefined, shown: `${highest} ${verdict.tag}`, isFree: !isOpen }
    }
    const latest = verdict.manifest
    const beat = yield* patiently(readBeat(objects, query, latest.attempt))
    // An epoch that ends the query is no sign that its owner left: it still commits it, and may make a savepoint of it.
    return {
      highest,
      latest,
      shown: `${highest} ${c.tag} ${beat?.shown ?? ""}`,
      isFree: latest.released === true || beat?.released === true
    }
  })

type Life = "gone" | "here" | "unknown"

/** What can be known of an owner without waiting; `here`: it is this very process, and still runs the attempt. */
const lifeOf = (owner: Owner): Effect.Effect<Life> =>
  Effect.gen(function* () {
    const facts = yield* HostProcess
    const self = yield* facts.self
    const attempts = yield* LiveAttempts
    const fields = ["host", "bootId", "pidNamespace", "container", "pid", "startedAt"] as const
    const own = attempts.get(owner.attemptId)
    // Ids are random, but a checkpoint may have been copied to another process of a test: the process has to fit too.
    if (own !== undefined && fields.every((name) => self[name] === owner[name])) return own === "live" ? "here" : "gone"
    return (yield* facts.isGone(owner)) ? "gone" : "unknown"
  })

const isAlive = (query: string, latest: Manifest | undefined): QueryError => {
  if (latest === undefined) return ownedBy(query, "is being taken over by another process", "changing", undefined)
  return ownedBy(query, `is run by ${attemptText(latest)}, which is alive`, "alive", latest.attempt)
}

/** Told to take over: no waiting, but only from the attempt that was named, or from nobody that lives. */
const forced = (o: TurnOptions, attempt: number): Effect.Effect<Turn, QueryError> =>
  Effect.gen(function* () {
    const look = yield* Effect.mapError(lookAt(o.objects, o.query), (e) =>
      storeFailed(o.query, "look for its owner", e)
    )
    const { latest } = look
    const life = latest === undefined ? "unknown" : yield* lifeOf(latest.owner)
    if (life === "here") return yield* Effect.fail(runsHere(o.query))
    // A restart within the process that was told to take over: it has, so it goes on.
    if (life === "gone" && latest?.attempt !== attempt) return { tag: "free", highest: look.highest }
    if (latest?.attempt === attempt) return { tag: "from", attempt }
    const unknown = look.highest === 0 ? "nobody runs it yet" : "whose its newest manifest is cannot be read"
    const is = latest === undefined ? unknown : `its latest is ${attemptText(latest)}`
    return yield* Effect.fail(
      ownedBy(o.query, `cannot be taken over from attempt ${attempt}: ${is}`, "misnamed", latest?.attempt)
    )
  })

/** Waits until the query is nobody's; fails with reason `Owned` where it was not to wait, or runs in this very process. */
export const awaitTurn = (o: TurnOptions): Effect.Effect<Turn, QueryError> => {
  if (o.takeOver !== undefined) return forced(o, o.takeOver)
  const { objects, query } = o
  return Effect.gen(function* () {
    let before: Look | undefined
    let still = 0
    let isStandby = false
    for (;;) {
      const looked = yield* Effect.result(lookAt(objects, query))
      if (Result.isFailure(looked)) {
        // A store that does not answer says nothing about the owner; a standby outlives that.
        if (!isStandby) return yield* Effect.fail(storeFailed(query, "look for its owner", looked.failure))
        before = undefined
        still = 0
      } else {
        const look = looked.success
        const { latest, highest } = look
        if (look.isFree) return { tag: "free", highest }
        const life = latest === undefined ? "unknown" : yield* lifeOf(latest.owner)
        if (life === "here") return yield* Effect.fail(runsHere(query))
        if (life === "gone") return { tag: "free", highest }
        if (before !== undefined && before.shown === look.shown) {
          if (++still >= Limits.heartbeatsMissed) return { tag: "free", highest }
        } else if (before !== undefined) {
          still = 0
          if (o.ifOwned === "fail") return yield* Effect.fail(isAlive(query, latest))
          if (!isStandby) yield* o.onStandby(latest === undefined ? "another process" : attemptText(latest))
          isStandby = true
        }
        before = look
      }
      yield* Effect.sleep(heartbeatMsOf(objects))
    }
  })
}
