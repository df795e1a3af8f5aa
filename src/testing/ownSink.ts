/** Sinks of the user that run in a simulation as they are, instead of being replaced by tables. */
import * as Effect from "effect/Effect"
import type { AnySink, Mode, Sink } from "../model/Sink.ts"
import type { QueryPlan } from "../streams/Plan.ts"
import type { ProcessCalls } from "./HangingCalls.ts"
import { nodesOf } from "./planHints.ts"

/** A sink that stays, and how to see what it holds. */
export interface OwnSink {
  readonly sink: AnySink
  /** All that it holds when a history is over, in any order. */
  readonly rows: () => ReadonlyArray<unknown>
  /** Empties it, before each run. */
  readonly clear: () => void
}

/**
 * Keeps a sink of the topology, be it of an output, of late rows or of dead letters: its own code runs, and calls to it are
 * slow, fail, or get no reply, as the faults say. `rows` is asked what it holds when a history is over, `clear` empties it
 * before the next. It is the very value that the topology writes to; one that is in no place of it fails with
 * `InvalidOptions`.
 */
export const own = <A, M extends Mode, E, R>(
  sink: Sink<A, M, E, R>,
  held: { readonly rows: () => ReadonlyArray<unknown>; readonly clear: () => void }
): OwnSink => ({ sink: sink as unknown as AnySink, ...held })

/** Every sink that a plan writes to. */
export const sinksOf = (plan: QueryPlan): ReadonlyArray<AnySink> => [
  ...plan.outputs.map(({ sink }) => sink.sink),
  ...nodesOf(plan).flatMap((node) => {
    if (node.kind === "source") return node.source.deadLetters === undefined ? [] : [node.source.deadLetters]
    return "late" in node && node.late.kind === "to" ? [node.late.sink] : []
  })
]

/** The same sink, whose calls are watched over. */
export const watchedSink = (sink: AnySink, { watch }: ProcessCalls): AnySink => {
  const inner = sink as unknown as Sink<unknown, never, unknown, unknown>
  const call = <A, R>(effect: Effect.Effect<A, unknown, R>): Effect.Effect<A, unknown, R> =>
    watch(`the sink ${sink.name}`, effect)
  const { sweep } = inner
  const watched: Sink<unknown, never, unknown, unknown> = {
    ...inner,
    writer: (context) =>
      Effect.map(call(inner.writer(context)), (writer) => ({
        write: (batch) => call(writer.write(batch)),
        prepare: (epoch) => call(writer.prepare(epoch))
      })),
    commit: (prepared) => call(inner.commit(prepared)),
    committed: (query, writer) => call(inner.committed(query, writer)),
    ...(sweep === undefined ? {} : { sweep: (context) => call(sweep(context)) })
  }
  return watched as unknown as AnySink
}
