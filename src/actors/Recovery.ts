/**
 * From a checkpoint to what an attempt goes on from (rule C5): the query is taken over, the plan compared, the pending
 * epoch committed again, what earlier attempts left is swept, and the state read.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Ownership } from "../checkpoint/Chain.ts"
import type { Manifest } from "../checkpoint/Manifest.ts"
import { comparePlans, pendingUnder, planRefusal } from "../checkpoint/PlanChange.ts"
import { readChain } from "../checkpoint/ReadChain.ts"
import { takeOver } from "../checkpoint/TakeOver.ts"
import type { QueryError } from "../model/Errors.ts"
import { failpoint } from "../model/Failpoint.ts"
import type { ObjectStore } from "../model/ObjectStore.ts"
import type { PlanFingerprint } from "../model/PlanFingerprint.ts"
import { commitAll } from "./Epoch.ts"
import type { QuerySettings } from "./QueryOptions.ts"
import type { QueryState } from "./QueryState.ts"
import { Recovered } from "./TaskState.ts"
import type { Topology } from "./Topology.ts"

/** What a recovery is done with. */
export interface RecoveryOptions {
  readonly objects: ObjectStore
  readonly topology: Topology
  readonly plan: PlanFingerprint
  readonly settings: QuerySettings
  readonly state: QueryState
}

/**
 * A step of an attempt. If it fails and another attempt has taken the query over, that is the failure (C5): a sink that
 * refuses whoever was overtaken knows less of it.
 */
export const orFenced = <A, R>(
  ownership: Ownership,
  step: Effect.Effect<A, unknown, R>
): Effect.Effect<A, unknown, R> =>
  step.pipe(Effect.catch((error) => Effect.andThen(ownership.confirm, Effect.fail(error))))

/** Owns the query in the present scope, and gives what to go on from; `recovered` is absent when it begins anew. */
export const recover = (
  o: RecoveryOptions
): Effect.Effect<{ readonly ownership: Ownership; readonly recovered: Recovered | undefined }, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const { state, settings } = o
    const query = state.name
    const { accepted } = settings
    const check = (base: Manifest): Effect.Effect<void, QueryError> => {
      if (base.state === undefined) return Effect.void
      const refused = planRefusal(query, o.objects.name, comparePlans(base.plan, o.plan, { accepted }), accepted)
      return refused === undefined ? Effect.void : Effect.fail(refused)
    }
    if (state.attempt === 0) {
      // A plan that is refused does not put an end to the process that runs the right one.
      const found = yield* readChain(o.objects, query)
      if (Option.isSome(found)) yield* check(found.value.manifest)
    }
    const ownership = yield* takeOver({
      objects: o.objects,
      query,
      ifOwned: settings.ifOwned,
      takeOver: state.attempt === 0 ? settings.takeOver : undefined,
      retained: settings.checkpointsRetained,
      savepoint: settings.savepoint,
      onStandby: (owner) =>
        Effect.andThen(
          Effect.sync(() => {
            state.phase = "standby"
          }),
          Effect.logInfo(`query ${query} waits as a standby: it is run by ${owner}`)
        )
    })
    state.phase = "starting"
    state.attempt = ownership.attempt
    state.id = ownership.queryId
    const { base } = ownership
    if (base.state !== undefined) {
      // Known from here on, so that a recovery that fails says what it was of.
      state.continued ??= { epoch: base.epoch, readers: base.readers, ledger: base.ledger }
      if (state.ledger.epoch < base.epoch) state.ledger = base.ledger
    }
    yield* check(base)
    yield* orFenced(ownership, settle(o, ownership))
    if (base.state === undefined) return { ownership, recovered: undefined }
    const states = yield* ownership.readState
    return { ownership, recovered: new Recovered(base, states) }
  })

/** Commits what was prepared before the crash, by whoever comes (C2), and sweeps what earlier attempts left. */
const settle = ({ topology, plan, state }: RecoveryOptions, ownership: Ownership): Effect.Effect<void, unknown> =>
  Effect.gen(function* () {
    const { base, attempt, queryId } = ownership
    const query = state.name
    yield* commitAll(state, topology.sinks, yield* pendingUnder(query, base, plan))
    for (const { sink, name } of topology.sinks) {
      const keep = base.prepared.find((prepared) => prepared.writer === name)
      if (sink.sweep !== undefined)
        yield* failpoint("sweep", sink.sweep({ query, queryId, writer: name, attempt, keep }))
    }
    yield* ownership.sweep
  })
