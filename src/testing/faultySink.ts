/**
 * A sink with faults: calls that take their time, fail, or are done and answered with an error all the same, as a database
 * does whose connection breaks before the reply.
 */
import * as Effect from "effect/Effect"
import { SinkError } from "../model/Errors.ts"
import type { AnySink, Sink } from "../model/Sink.ts"
import type { Fault } from "./Fault.ts"
import type { Simulator } from "./Simulator.ts"

/** What goes wrong at a call, counted over all calls that writers and committers of the sink make. */
export interface SinkFault {
  readonly kind: "fails" | "no reply" | "slow"
  readonly atCall: number
  /** So many calls in a row. */
  readonly calls: number
}

/** Those of a plan. */
export const sinkFaultsOf = (faults: ReadonlyArray<Fault>): ReadonlyArray<SinkFault> =>
  faults.flatMap((fault): ReadonlyArray<SinkFault> => {
    if (fault.kind !== "sink fails" && fault.kind !== "sink no reply" && fault.kind !== "sink slow") return []
    return [{ kind: fault.kind.slice(5) as SinkFault["kind"], atCall: fault.atCall, calls: fault.calls }]
  })

/** How long a slow call takes at most, ms. */
const slowMsMax = 400

/** The same sink with faults. `count` is kept by the caller, outside of the processes. */
export const faultySink = (
  simulator: Simulator,
  sink: AnySink,
  faults: ReadonlyArray<SinkFault>,
  count: { calls: number; struck: (kind: SinkFault["kind"]) => void }
): AnySink => {
  const inner = sink as unknown as Sink<unknown, never, unknown, unknown>
  const error = (what: string): SinkError =>
    new SinkError({ connector: sink.name, retryable: true, message: `${sink.name}: ${what}` })
  const call = <A, R>(what: string, step: Effect.Effect<A, unknown, R>): Effect.Effect<A, unknown, R> =>
    Effect.suspend(() => {
      const at = count.calls++
      const fault = faults.find((f) => f.atCall <= at && at < f.atCall + f.calls)
      if (fault === undefined) return simulator.random.below(2) === 0 ? Effect.andThen(Effect.yieldNow, step) : step
      count.struck(fault.kind)
      if (fault.kind === "slow") return Effect.andThen(Effect.sleep(1 + simulator.random.below(slowMsMax)), step)
      if (fault.kind === "fails") return Effect.andThen(Effect.yieldNow, Effect.fail(error(`${what} failed`)))
      return Effect.andThen(step, Effect.andThen(Effect.yieldNow, Effect.fail(error(`${what} got no reply`))))
    })
  const faulty: Sink<unknown, never, unknown, unknown> = {
    ...inner,
    writer: (context) =>
      Effect.map(inner.writer(context), (writer) => ({
        write: (batch) => call("write", writer.write(batch)),
        prepare: (epoch) => call("prepare", writer.prepare(epoch))
      })),
    commit: (prepared) => call("commit", inner.commit(prepared))
  }
  return faulty as unknown as AnySink
}
