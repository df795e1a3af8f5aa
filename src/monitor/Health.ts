/**
 * Is the process alive, is it ready: what a supervisor of processes asks.
 *
 * Alive: timers fire. A query that is behind, restarting or standing by is alive; ending the process would not help it.
 * Ready: its queries were accepted, none has failed for good, and the checkpoint store answers. A standby is ready, so
 * that a rolling change can end the old process once the new one stands by.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { failures, list } from "../actors/Registry.ts"
import { CheckpointStore } from "../checkpoint/CheckpointStore.ts"
import type { ObjectStore } from "../model/ObjectStore.ts"
import { textOf } from "../model/Text.ts"
import { withoutSecrets } from "./secrets.ts"

/** Pace at which timers are measured. */
const beatMs = 250
/** How many beats the worst is taken over: ten seconds' worth. */
const beatsKept = 40
/** A timer that is this late means that the event loop does not turn. */
const lateMsMax = 5_000
/** How long the store may take to answer, and how long an answer is good for. */
const storeTimeoutMs = 2_000
const storeFreshMs = 2_000

/** A verdict, with what it rests on. */
export interface Verdict {
  readonly ok: boolean
  readonly details: { readonly [field: string]: unknown }
}

/** Measures how late timers fire. */
export interface LoopWatch {
  /** The worst of the last ten seconds, and of the timer that is due now, ms. */
  readonly worstMs: Effect.Effect<number>
  /** How late the timer is that is due now. */
  readonly lateMs: Effect.Effect<number>
}

const nowMs: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos / 1_000n) / 1_000)

/** Starts to measure, for as long as the scope is open. */
export const watchLoop: Effect.Effect<LoopWatch, never, Scope.Scope> = Effect.gen(function* () {
  const beats: Array<number> = []
  let last = yield* nowMs
  const beat = Effect.gen(function* () {
    yield* Effect.sleep(Duration.millis(beatMs))
    const now = yield* nowMs
    beats.push(Math.max(0, now - last - beatMs))
    if (beats.length > beatsKept) beats.shift()
    last = now
  })
  yield* Effect.forkScoped(Effect.forever(beat))
  const lateMs = Effect.map(nowMs, (now) => Math.max(0, now - last - beatMs))
  return { lateMs, worstMs: Effect.map(lateMs, (late) => Math.max(late, ...beats)) }
})

/** Alive: the event loop turns. Never a matter of how far behind a query is. */
export const liveness = (loop: LoopWatch): Effect.Effect<Verdict> =>
  Effect.gen(function* () {
    const late = yield* loop.lateMs
    const worst = yield* loop.worstMs
    return { ok: late < lateMsMax, details: { eventLoopLagMs: Math.round(worst) } }
  })

/** Why the store does not answer; undefined when it does. */
const askStore = (objects: ObjectStore): Effect.Effect<string | undefined> =>
  Effect.map(
    Effect.exit(Effect.timeoutOption(objects.list("", 1), Duration.millis(storeTimeoutMs))),
    (exit): string | undefined => {
      if (Exit.isFailure(exit)) {
        const reason = exit.cause.reasons[0]
        const error: unknown = reason?._tag === "Fail" ? reason.error : reason?._tag === "Die" ? reason.defect : reason
        const message: unknown = typeof error === "object" && error !== null ? Reflect.get(error, "message") : undefined
        return typeof message === "string" && message !== "" ? message : textOf(error)
      }
      return Option.isNone(exit.value) ? `did not answer within ${storeTimeoutMs} ms` : undefined
    }
  )

/** Looks whether the process is ready; many that ask at once cost one look at the store. */
export const makeReadiness: Effect.Effect<Effect.Effect<Verdict>> = Effect.gen(function* () {
  const store = yield* Effect.serviceOption(CheckpointStore)
  const look = Option.isNone(store) ? Effect.succeed(undefined) : askStore(store.value.objects)
  const fresh = yield* Effect.cachedWithTTL(look, Duration.millis(storeFreshMs))
  return Effect.gen(function* () {
    const queries: Array<{ readonly name: string; readonly phase: string; readonly message: string }> = []
    for (const query of yield* list) {
      const { phase, message } = yield* query.status
      queries.push({ name: query.name, phase, message: withoutSecrets(message) })
    }
    const failed = yield* failures
    const why = yield* fresh
    const ok =
      why === undefined &&
      failed.length === 0 &&
      queries.length > 0 &&
      queries.every(({ phase }) => phase !== "draining" && phase !== "ended" && phase !== "failed")
    return {
      ok,
      details: {
        store: Option.isNone(store)
          ? "none"
          : why === undefined
            ? `${store.value.objects.name}: reachable`
            : `${store.value.objects.name}: ${withoutSecrets(why)}`,
        queries,
        ...(failed.length === 0 ? {} : { failed: failed.map((f) => ({ name: f.name, why: withoutSecrets(f.why) })) }),
        ...(queries.length > 0 || failed.length > 0 ? {} : { why: "no query runs" })
      }
    }
  })
})
