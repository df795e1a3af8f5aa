/**
 * The takeover itself (rule C5): a manifest of the next number that carries the state, the positions and the last data
 * epoch of the one before, verbatim; then its copy; and after each a look whether someone came later.
 *
 * Whoever loses the first put has changed nothing and starts again. Whoever is passed later is fenced, for good.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { QueryError } from "../model/Errors.ts"
import { failpoint } from "../model/Failpoint.ts"
import type { ObjectStore } from "../model/ObjectStore.ts"
import type { Turn } from "./awaitTurn.ts"
import { highestNumber, isPassed, putOnce, readCell } from "./cells.ts"
import { findBase, type Found } from "./findBase.ts"
import { manifestFormat, type EpochRecord, type Manifest } from "./Manifest.ts"
import { encodeManifest } from "./ManifestCodec.ts"
import { manifestName } from "./names.ts"
import type { Owner } from "./Owner.ts"
import { attemptText, fencedBy, storeFailed, untrusted } from "./refusals.ts"

/** A random name of 128 bits, for attempts and queries. */
export const randomId: Effect.Effect<string> = Effect.gen(function* () {
  let id = ""
  for (let i = 0; i < 4; i++) id += ((yield* Random.nextInt) >>> 0).toString(16).padStart(8, "0")
  return id
})

/** What a chain without any epoch says. */
const nothing: EpochRecord = {
  epoch: 0,
  prepared: [],
  readers: [],
  ledger: { epoch: 0, operators: [], edges: [], sinks: [] },
  plan: { operators: [] },
  parallelism: 0,
  atMs: 0
}

/** What a chain begins with when nothing ever happened in it, or what a reset leaves of it. */
export type Beginning = Partial<Pick<Manifest, "state" | "readers" | "ledger" | "plan" | "parallelism" | "origin">>

/** By whom and how the takeover is made. */
export interface ClaimOptions {
  readonly objects: ObjectStore
  readonly query: string
  readonly owner: Owner
  readonly turn: Turn
  /** What it goes on from where the chain has no epoch: a savepoint, once, or nothing. Asked after the chain was read. */
  readonly beginning: (base: Manifest | undefined) => Effect.Effect<Beginning | undefined, QueryError>
  /** Puts an end to what was, whatever it is: the takeover carries nothing along (a reset). */
  readonly anew?: true
}

/** A query taken over: `base` is its own manifest, in both copies; `found` what it was made from. */
export interface Claimed {
  readonly base: Manifest
  readonly found: Found
}

/** Who passed an attempt, for its last words. */
const winnerOf = (objects: ObjectStore, query: string): Effect.Effect<string> =>
  Effect.gen(function* () {
    const highest = yield* Effect.orElseSucceed(highestNumber(objects, query), () => 0)
    for (const copy of ["primary", "copy"] as const) {
      const cell = highest === 0 ? undefined : yield* readCell(objects, query, copy, highest)
      if (cell?.tag === "manifest") return attemptText(cell.manifest)
    }
    return "another attempt"
  })

/** The failure of an attempt that has been passed; it names the winner. */
export const fenced = (objects: ObjectStore, query: string, attempt: number): Effect.Effect<never, QueryError> =>
  Effect.flatMap(winnerOf(objects, query), (winner) => Effect.fail(fencedBy(query, attempt, winner)))

/** What there is of a chain that nobody is to go on from: it may be beyond repair. */
const findAnything = (objects: ObjectStore, query: string): Effect.Effect<Found, QueryError> =>
  Effect.catchTag(findBase({ objects, query, voids: false }), "QueryError", () =>
    Effect.gen(function* () {
      const listed = failpoint("list", highestNumber(objects, query))
      const highest = yield* Effect.mapError(listed, (e) => storeFailed(query, "list its manifests", e))
      for (let number = highest; number > 0; number--) {
        for (const copy of ["primary", "copy"] as const) {
          const cell = yield* readCell(objects, query, copy, number)
          if (cell.tag === "manifest") return { highest, base: cell.manifest }
          if (cell.tag === "tombstone") return { highest, base: undefined }
        }
      }
      return { highest, base: undefined }
    })
  )

const isAsJudged = (turn: Turn, { highest, base }: Found): boolean =>
  turn.tag === "free" ? highest === turn.highest : base?.attempt === turn.attempt

const manifestOf = (
  o: ClaimOptions,
  { highest, base }: Found,
  beginning: Beginning | undefined
): Effect.Effect<Manifest> =>
  Effect.gen(function* () {
    const queryId = base === undefined || o.anew === true ? yield* randomId : base.queryId
    const carried: EpochRecord & Pick<Manifest, "state" | "origin"> =
      base === undefined || o.anew === true || beginning !== undefined ? { ...nothing, ...beginning } : base
    const { epoch, prepared, readers, ledger, plan, parallelism, state, origin, ended } = carried
    return {
      ...{ epoch, prepared, readers, ledger, plan, parallelism },
      ...(state === undefined ? {} : { state }),
      ...(origin === undefined ? {} : { origin }),
      ...(ended === undefined ? {} : { ended }),
      ...(o.anew === true ? { released: true as const } : {}),
      format: manifestFormat,
      kind: "takeover",
      number: highest + 1,
      attempt: highest + 1,
      query: o.query,
      queryId,
      owner: o.owner,
      keptFrom: base?.keptFrom ?? highest + 1,
      atMs: yield* Clock.currentTimeMillis
    }
  })

/** Takes over once. Undefined: the chain is not as it was judged, or someone else was faster; nothing was changed. */
export const claim = (o: ClaimOptions): Effect.Effect<Claimed | undefined, QueryError> =>
  Effect.gen(function* () {
    const { objects, query } = o
    const found = yield* o.anew === true ? findAnything(objects, query) : findBase({ objects, query, voids: true })
    if (!isAsJudged(o.turn, found)) return undefined
    const beginning = yield* o.beginning(found.base)
    const base = yield* manifestOf(o, found, beginning)
    const { number } = base
    const bytes = encodeManifest(base)
    const failed = Effect.mapError((e: Parameters<typeof storeFailed>[2]) => storeFailed(query, "take it over", e))
    const look = failpoint("takeover.listed", failed(isPassed(objects, query, number)))

    const first = putOnce(objects, manifestName(query, "primary", number), bytes)
    // Also where what stands there is damaged: the next round decides what it was.
    if ((yield* failpoint("takeover.primary", failed(first))) !== "put") return undefined
    if (yield* look) return yield* fenced(objects, query, number)
    const second = putOnce(objects, manifestName(query, "copy", number), bytes)
    const copy = yield* failpoint("takeover.copy", failed(second))
    if (copy === "damaged") return yield* Effect.fail(untrusted(query, `the copy of manifest ${number} is damaged`))
    if (copy === "taken") return yield* fenced(objects, query, number)
    if (yield* look) return yield* fenced(objects, query, number)
    return { base, found }
  })
