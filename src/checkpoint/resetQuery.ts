/**
 * Forgetting where a query stands (`tidemark reset`): a takeover that carries nothing along.
 *
 * The numbers go on, so that whoever ran the query before is fenced for ever, and an epoch never has the number of one
 * that a sink has committed. What sinks hold stays: the query writes those rows again when it begins anew.
 */
import * as Effect from "effect/Effect"
import type { QueryError, StoreError } from "../model/Errors.ts"
import type { ObjectStore } from "../model/ObjectStore.ts"
import { awaitTurn } from "./awaitTurn.ts"
import { claim, randomId } from "./claim.ts"
import { enlist } from "./LiveAttempts.ts"
import { HostProcess } from "./Owner.ts"
import { makeOwnership } from "./ownership.ts"
import { untrusted } from "./refusals.ts"

/** What the one who resets has to know. */
export interface ResetFacts {
  /** The last data epoch: sinks may hold rows up to it, which the query will write again. 0: there were none. */
  readonly lastEpoch: number
  /** Writers of that epoch; whether each of them had committed it is not known. */
  readonly writers: ReadonlyArray<string>
  /** Number of the takeover; the next epoch has a higher one. */
  readonly number: number
}

/** Lost takeovers after which a query that others keep taking over is left alone. */
const lostMax = 20

/** Resets a query. Fails with reason `Owned` when it has a live owner, and `Checkpoint` when there is nothing to reset. */
export const resetQuery = (objects: ObjectStore, query: string): Effect.Effect<ResetFacts, QueryError | StoreError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const facts = yield* HostProcess
      const owner = { ...(yield* facts.self), attemptId: yield* randomId }
      yield* enlist(owner.attemptId)
      const turnOptions = {
        objects,
        query,
        ifOwned: "fail",
        takeOver: undefined,
        onStandby: () => Effect.void
      } as const
      for (let n = 0; n < lostMax; n++) {
        const turn = yield* awaitTurn(turnOptions)
        if (turn.tag === "free" && turn.highest === 0) {
          return yield* Effect.fail(untrusted(query, "there is none, so there is nothing to reset"))
        }
        const claimed = yield* claim({
          objects,
          query,
          owner,
          turn,
          beginning: () => Effect.succeed(undefined),
          anew: true
        })
        if (claimed === undefined) continue
        const { ownership } = makeOwnership({ objects, query, claimed, retained: 0 })
        yield* ownership.sweep
        const before = claimed.found.base
        return {
          lastEpoch: before?.epoch ?? 0,
          writers: before?.prepared.map(({ writer }) => writer) ?? [],
          number: claimed.base.number
        }
      }
      return yield* Effect.fail(untrusted(query, "other processes keep taking it over: stop them first"))
    })
  )
