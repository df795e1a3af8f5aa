/**
 * A topology under faults, as in a test of one's own: crashes, torn writes, stalled partitions, slow sinks. And what is said
 * when one does not survive them.
 *
 *     npm run -s example 14
 */
import { EventStream, Memory, Window } from "tidemark"
import { Law, Simulation } from "tidemark/testing"
import { Effect, Schema } from "effect"

const Order = Schema.Struct({
  id: Schema.String,
  at: Schema.DateTimeUtcFromString,
  city: Schema.String,
  euro: Schema.Int
})
const source = Memory.source<typeof Order.Type>([])

const perCity = EventStream.from(source).pipe(
  EventStream.withEventTime("at", { outOfOrderness: "10 minutes" }),
  EventStream.dedupe("id", { late: "forward" }),
  EventStream.keyBy("city"),
  EventStream.window(Window.tumbling("5 minutes"), { late: "drop" }),
  EventStream.aggregate(({ count, sum }) => ({ orders: count, euro: sum("euro") })),
  EventStream.to(Memory.sink())
)

const survives = Simulation.check(perCity, {
  feeds: [Simulation.feed(source, Order, { disorder: "8 minutes", duplicates: 0.05 })],
  faults: ["crash", "torn-write", "stalled-partition", "slow-sink"],
  laws: [Law.exactlyOnce, Law.ledgerBalances, Law.batchEqualsStream],
  histories: 60
})

// A mistake: copies are told by a set that no checkpoint holds. As a function, it is made anew in each process.
const forgetful = () => {
  const seen = new Set<string>()
  return EventStream.from(source).pipe(
    EventStream.filter(({ id }) => !seen.has(id) && seen.add(id).has(id)),
    EventStream.to(Memory.sink())
  )
}
const forgets = Simulation.check(forgetful, {
  feeds: [Simulation.feed(source, Order, { partitions: 1, rows: 8 })],
  faults: ["crash"],
  laws: [Law.exactlyOnce]
})

const program = Effect.gen(function* () {
  const { histories, crashes } = yield* survives
  console.log(`${histories} histories, ${crashes} crashes: every law holds\n`)
  const { message } = yield* Effect.flip(forgets)
  console.log(message)
})
await Effect.runPromise(program)
