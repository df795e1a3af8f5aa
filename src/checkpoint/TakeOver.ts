/**
 * Taking a query over (rules C5, C5a): waiting for one's turn, the takeover, and the heartbeat from then on.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { ObjectStore } from "../model/ObjectStore.ts"
import { awaitTurn } from "./awaitTurn.ts"
import type { TakeOver } from "./Chain.ts"
import { claim, randomId } from "./claim.ts"
import { keepHeartbeat } from "./Heartbeat.ts"
import { enlist } from "./LiveAttempts.ts"
import { registryName } from "./names.ts"
import { HostProcess } from "./Owner.ts"
import { makeOwnership } from "./ownership.ts"
import { untrusted } from "./refusals.ts"
import { beginningOf } from "./savepoint.ts"

/** Lets the query be listed; that it fails harms nothing else, and the next takeover tries again. */
const register = (objects: ObjectStore, query: string): Effect.Effect<void> =>
  Effect.ignore(
    Effect.flatMap(objects.get(registryName(query)), (entry) =>
      Option.isSome(entry) ? Effect.void : objects.put(registryName(query), new Uint8Array(0))
    )
  )

/** Takeovers that were lost to others one after the other, before something must be wrong with the store. */
const lostMax = 1_000

/**
 * Takes a query over, and owns it until the scope closes. Fails with reason `Owned` (a live owner, and not to wait),
 * `Fenced` (passed while taking over) or `Checkpoint` (the chain or the store cannot be trusted).
 */
export const takeOver: TakeOver = (o) =>
  Effect.gen(function* () {
    const { objects, query } = o
    const facts = yield* HostProcess
    const owner = { ...(yield* facts.self), attemptId: yield* randomId }
    yield* enlist(owner.attemptId)
    for (let n = 0; n < lostMax; n++) {
      const turn = yield* awaitTurn(o)
      const beginning = (base: Parameters<typeof beginningOf>[3]) => beginningOf(objects, query, o.savepoint, base)
      const claimed = yield* claim({ objects, query, owner, turn, beginning })
      if (claimed === undefined) continue
      const { ownership, isLost } = makeOwnership({ objects, query, claimed, retained: Math.max(1, o.retained) })
      yield* keepHeartbeat({
        objects,
        query,
        attempt: ownership.attempt,
        attemptId: owner.attemptId,
        leaves: () => !isLost()
      })
      yield* register(objects, query)
      return ownership
    }
    return yield* Effect.fail(
      untrusted(query, `${lostMax} takeovers were lost to others: ${objects.name} does not list what was put there`)
    )
  })
