/** What tests of `tidemark/testing` share: a source, its rows, and how a check went. */
import { Effect, Schema } from "effect"
import { EventStream, Memory } from "tidemark"
import { Simulation } from "tidemark/testing"

export const Payment = Schema.Struct({
  id: Schema.String,
  amount: Schema.Int,
  category: Schema.String,
  at: Schema.DateTimeUtcFromString
})
export type Payment = typeof Payment.Type

export const source = Memory.source<Payment>([])
/** Few rows: what these tests look for is in any. */
export const feed = Simulation.feed(source, Payment, { rows: 6, partitions: 1 })

/** Rows as they come. */
export const plain = EventStream.from(source).pipe(EventStream.to(Memory.sink()))

export const run = <A, E>(effect: Effect.Effect<A, E>): Promise<A> => Effect.runPromise(effect)

/** The failure of a check that has to fail. */
export const failureOf = (effect: Effect.Effect<unknown, Simulation.SimulationFailed>) => run(Effect.flip(effect))
