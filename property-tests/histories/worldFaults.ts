/** From a plan of faults to what lies in wait in logs and sinks. */
import type { AnySink } from "../../src/model/Sink.ts"
import type { Fault } from "../../src/testing/Fault.ts"
import { faultySink, type SinkFault, sinkFaultsOf } from "../../src/testing/faultySink.ts"
import type { LogFault } from "../../src/testing/SimulatedLog.ts"
import type { World } from "../../src/testing/World.ts"

/** A case that has a plan of faults. */
export interface WorldFaults {
  readonly faults: ReadonlyArray<Fault>
}

/** Faults of `partitions` partitions, numbered over all sources; they strike once for the whole history. */
export const logFaultsOf = (
  faults: ReadonlyArray<Fault>,
  partitions: number,
  nameOf: (partition: number) => string
): ReadonlyArray<LogFault> =>
  faults.flatMap((fault): ReadonlyArray<LogFault> => {
    if (fault.kind !== "read error" && fault.kind !== "expired") return []
    const at = { partition: nameOf(fault.partition % partitions), left: 1 }
    return fault.kind === "expired" ? [{ kind: "expired", row: 0, ...at }] : [{ kind: "read", row: fault.row, ...at }]
  })

/** Makes sinks faulty as a plan says; calls are counted over all of them, and all processes. */
export const faultySinks = ({ faults }: WorldFaults): (<S extends AnySink>(world: World, sink: S) => S) => {
  const planned = sinkFaultsOf(faults)
  const count: { calls: number; struck: (kind: SinkFault["kind"]) => void } = { calls: 0, struck: () => undefined }
  return <S extends AnySink>(world: World, sink: S): S => {
    count.struck = (kind) => world.struck(`sink ${kind}`)
    return faultySink(world.simulator, sink, planned, count) as S
  }
}
