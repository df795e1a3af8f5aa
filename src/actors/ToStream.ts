/** Results as an Effect `Stream`: rows as they come, with the stream's backpressure on the query. */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { CheckpointStore } from "../checkpoint/CheckpointStore.ts"
import type { QueryError } from "../model/Errors.ts"
import type { Sink } from "../model/Sink.ts"
import { to } from "../streams/Pipeline.ts"
import type { FinalRows } from "../streams/Stage.ts"
import type { EventStream } from "../streams/StreamValue.ts"
import { run } from "./Run.ts"
import type { QueryOptions } from "./QueryOptions.ts"

/**
 * Runs a stream as a query whose rows come out of the returned `Stream`. Ending the stream early ends the query.
 * Rows are not held back until their epoch is committed: at least once.
 */
export const toStream = <A, E, R, S extends FinalRows>(
  stream: EventStream<A, E, R, S>,
  options: QueryOptions<NoInfer<E>>
): Stream.Stream<A, E | QueryError, R | CheckpointStore> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const queue = yield* Queue.bounded<A, E | QueryError | Cause.Done>(4096)
      const running = run(stream.pipe(to(queueSink(queue))), options)
      yield* Effect.forkScoped(
        Effect.flatMap(Effect.exit(running), (exit) =>
          Exit.isSuccess(exit) ? Queue.end(queue) : Queue.failCause(queue, exit.cause)
        )
      )
      return Stream.fromQueue(queue)
    })
  ) as Stream.Stream<A, E | QueryError, R | CheckpointStore>

const queueSink = <A, E>(queue: Queue.Enqueue<A, E>): Sink<A, "append"> => ({
  name: "stream",
  features: { modes: ["append"], guarantee: "at-least-once", multiWriter: false, deletes: false },
  writer: ({ query, writer }) =>
    Effect.succeed({
      write: ({ rows }) => Effect.as(Queue.offerAll(queue, rows), []),
      prepare: (epoch) => Effect.succeed({ query, writer, epoch, data: null })
    }),
  commit: () => Effect.void,
  committed: () => Effect.succeed(Option.none())
})
