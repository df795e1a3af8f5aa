/** W1 through the public API and the real runtime: readers, hash exchange, aggregators, sink, ledger on. */
import { Checkpoint, EventStream, Query, Trigger, Window } from "tidemark"
import * as Effect from "effect/Effect"
import { factsOf } from "../../src/actors/QueryHandle.ts"
import { checkSink, W1Check, w1Source } from "./events.ts"

/** How a run keeps checkpoints. */
export interface Checkpointing {
  readonly everyMs: number
  readonly folder: string
}

/** What a run came to: its results, and the checkpoints it made durable. */
export interface W1Run {
  readonly check: W1Check
  readonly checkpoints: number
  readonly pauseMsMax: number
  readonly stateBytesMax: number
}

/** Without `checkpointing` there is one epoch, the last. */
export const runFibers = async (events: number, parallelism: number, checkpointing?: Checkpointing): Promise<W1Run> => {
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
  const trigger = Trigger.every(checkpointing?.everyMs ?? "1 hour")
  const store = checkpointing === undefined ? Checkpoint.layerMemory : Checkpoint.layerFiles(checkpointing.folder)
  const running = Effect.gen(function* () {
    const handle = yield* Query.start(pipeline, { name: "w1", parallelism, trigger })
    yield* handle.await
    const epochs = factsOf(handle).epochs
    return {
      check,
      checkpoints: epochs.length,
      pauseMsMax: Math.max(...epochs.map((e) => e.times.pause)),
      stateBytesMax: Math.max(...epochs.map((e) => e.stateBytes))
    }
  })
  return Effect.runPromise(Effect.scoped(running).pipe(Effect.provide(store)))
}
