/** W1 through the public API and the real runtime: readers, hash exchange, aggregators, sink, ledger on. */
import { Checkpoint, EventStream, Query, Window } from "tidemark"
import * as Effect from "effect/Effect"
import { checkSink, W1Check, w1Source } from "./events.ts"

export const runFibers = async (events: number, parallelism: number): Promise<W1Check> => {
  const check = new W1Check()
  const pipeline = EventStream.from(w1Source(events)).pipe(
    EventStream.withEventTime("ts", { outOfOrderness: "5 seconds" }),
    EventStream.keyBy("key"),
    EventStream.window(Window.tumbling("10 seconds"), { late: "drop" }),
    EventStream.aggregate(({ count, sum, min, max }) => ({
      n: count,
      total: sum("value"),
      low: min("value"),
      high: max("value")
    })),
    EventStream.to(checkSink(check))
  )
  await Effect.runPromise(Query.run(pipeline, { name: "w1", parallelism }).pipe(Effect.provide(Checkpoint.layerMemory)))
  return check
}
