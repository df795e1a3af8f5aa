/**
 * How often a namespace is asked what its hubs and partitions hold. The service takes 50 such questions a second, of all
 * hubs and clients of a namespace together, and refuses the others: all clients of a process keep to one pace.
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { monotonicMs } from "../../model/monotonic.ts"

/** Waits for one's turn to ask: first come, first served. Interrupting it takes nothing from the others. */
export type Turn = Effect.Effect<void>

/** 40 questions a second: the rest is left to other programs, and to questions that the SDK asks again. */
const everyMs = 25

/** A turn every {@link everyMs} at most. */
const makeTurn = (): Turn => {
  const one = Semaphore.makeUnsafe(1)
  let lastMs = -Infinity
  return one.withPermit(
    Effect.gen(function* () {
      const waitMs = Math.min(everyMs, lastMs + everyMs - (yield* monotonicMs))
      if (waitMs > 0) yield* Effect.sleep(waitMs)
      lastMs = yield* monotonicMs
    })
  )
}

/** Turns by namespace, of those that came up; a program has few. */
export const makeTurns = (): ((namespace: string) => Turn) => {
  const turns = new Map<string, Turn>()
  return (namespace) => {
    const key = namespace.toLowerCase()
    const turn = turns.get(key) ?? makeTurn()
    turns.set(key, turn)
    return turn
  }
}

/** The turns of a namespace, named as its endpoint is. A reference: one for the process, unless a test has its own. */
export const QuestionTurns: Context.Reference<(namespace: string) => Turn> = Context.Reference(
  "tidemark/EventHubsQuestionTurns",
  { defaultValue: makeTurns }
)

/**
 * Asks in turn. Who asks the same while a question still waits for its turn gets the answer to that one, which is not
 * older for it; so a partition that several readers watch takes one turn. Questions end with the scope.
 */
export const inTurn = <A, E>(
  turn: Turn,
  ask: (about: string) => Effect.Effect<A, E>,
  scope: Scope.Scope
): ((about: string) => Effect.Effect<A, E>) => {
  const waiting = new Map<string, Deferred.Deferred<A, E>>()
  const asked = (about: string): Effect.Effect<Deferred.Deferred<A, E>> =>
    Effect.suspend(() => {
      const there = waiting.get(about)
      if (there !== undefined) return Effect.succeed(there)
      const answer = Deferred.makeUnsafe<A, E>()
      waiting.set(about, answer)
      const turnCame = Effect.ensuring(
        turn,
        Effect.sync(() => waiting.delete(about))
      )
      const asking = Effect.interruptible(Effect.andThen(turnCame, ask(about)))
      return Effect.map(Effect.forkIn(asking, scope), (fiber) => {
        // Also when the scope closed before the fiber began.
        fiber.addObserver((exit) => void Deferred.doneUnsafe(answer, exit))
        return answer
      })
    })
  return (about) =>
    Effect.uninterruptibleMask((restore) => Effect.flatMap(asked(about), (a) => restore(Deferred.await(a))))
}
