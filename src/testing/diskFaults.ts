/** Faults of the disk: what each call to it meets, and how long it takes. */
import * as Effect from "effect/Effect"
import { FileError } from "../model/FileSystem.ts"
import type { Fault } from "./Fault.ts"
import type { Simulator } from "./Simulator.ts"

type DiskFault = Extract<Fault, { readonly kind: "disk full" | "disk error" | "too many files" }>

const isDiskFault = (fault: Fault): fault is DiskFault =>
  fault.kind === "disk full" || fault.kind === "disk error" || fault.kind === "too many files"

/** What happens before each call of any process: it takes a turn, or some time, and may fail. */
export const diskFaults = (
  simulator: Simulator,
  all: ReadonlyArray<Fault>,
  struck: (kind: DiskFault["kind"]) => void
): ((call: number, what: string) => Effect.Effect<void, FileError>) => {
  const faults = all.filter(isDiskFault)
  let calls = 0
  let syncs = 0
  return (call, what) => {
    const at = calls++
    const atSync = what.startsWith("fsync /") ? syncs++ : -1
    const fault = faults.find(({ atCall, calls: many, of }) => {
      const mine = of === "syncs" ? atSync : at
      return atCall <= mine && mine < atCall + many
    })?.kind
    if (fault !== undefined) {
      struck(fault)
      const code = fault === "disk full" ? "NoSpace" : "Other"
      return Effect.fail(new FileError({ code, operation: what, path: what, message: `${what}: simulated ${fault}` }))
    }
    simulator.note(call)
    const pace = simulator.random.below(8)
    return pace === 0 ? Effect.sleep(1 + simulator.random.below(3)) : pace < 5 ? Effect.yieldNow : Effect.void
  }
}
