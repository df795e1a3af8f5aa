/** Random plans of faults for fast-check: which kinds, where they can strike, and when; they shrink to none. And the processes that they strike. */
import * as fc from "fast-check"
import { failpointsAfterRot, failpointsOf } from "./failpoints.ts"
import type { Fault, FaultKind, Moment, ProcessFault, WorldFault } from "./Fault.ts"
import type { Life, Store } from "./World.ts"

/** Steps that a process of a usual history takes until its end. */
const stepsUsual = 500
/** Faults of a history beside its first. */
const moreFaultsMax = 3
/** The longest that a partition stands still, ms. */
const stallMsMax = 20_000

/** Moments before or after one of these failpoints, at one of these passages. */
export const momentAt = (names: ReadonlyArray<string>, ...passages: ReadonlyArray<number>): fc.Arbitrary<Moment> =>
  fc.record({
    failpoint: fc.constantFrom(...names),
    when: fc.constantFrom("before" as const, "after" as const),
    passage: fc.constantFrom(...passages)
  })

/**
 * Moments anywhere, three at a failpoint for `weight` after so many steps: failpoints stay where they are when rows are
 * taken away, so that histories shrink.
 */
export const momentIn = (names: ReadonlyArray<string>, weight: number): fc.Arbitrary<Moment> =>
  fc.oneof(
    { weight, arbitrary: fc.record({ steps: fc.integer({ min: 1, max: stepsUsual }) }) },
    { weight: 3, arbitrary: momentAt(names, 1, 1, 2) }
  )

/** Seeds of histories and faults. */
export const seed = fc.integer({ min: 0, max: 0x3fff_ffff })

/** Faults of processes of a kind, at such moments. */
export const processFault = (kind: ProcessFault["kind"], at: fc.Arbitrary<Moment>): fc.Arbitrary<ProcessFault> => {
  switch (kind) {
    case "kill":
    case "sigterm":
    case "second":
      return fc.record({ kind: fc.constant(kind), at })
    case "power loss":
    case "rot":
      return fc.record({ kind: fc.constant(kind), at, seed })
    case "freeze":
      return fc.record({
        kind: fc.constant(kind),
        at,
        wakeAfter: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 8000 }))
      })
    case "clock jump":
      return fc.record({
        kind: fc.constant(kind),
        at,
        byMs: fc.constantFrom(-86_400_000, -3_000, 3_000, 86_400_000)
      })
  }
}

const calls = (atMax: number, callsMax: number) => ({
  atCall: fc.integer({ min: 0, max: atMax }),
  calls: fc.integer({ min: 1, max: callsMax })
})

const rows = { partition: fc.nat(5), row: fc.nat(12) }

const worldFault = (kind: WorldFault["kind"]): fc.Arbitrary<WorldFault> => {
  switch (kind) {
    case "disk full":
    case "disk error":
    case "too many files":
      return fc.record({ kind: fc.constant(kind), ...calls(250, 8) })
    case "store fails":
    case "store no reply":
      return fc.record({ kind: fc.constant(kind), ...calls(50, 6) })
    case "sink fails":
    case "sink no reply":
    case "sink slow":
      return fc.record({ kind: fc.constant(kind), ...calls(12, 3) })
    case "stall":
      return fc.record({ kind: fc.constant(kind), ...rows, ms: fc.integer({ min: 1, max: stallMsMax }) })
    case "read error":
      return fc.record({ kind: fc.constant(kind), ...rows })
    case "expired":
      return fc.record({ kind: fc.constant(kind), partition: fc.nat(5) })
  }
}

const weights: { readonly [kind in FaultKind]?: number } = { kill: 4, "power loss": 3 }
const onFiles: ReadonlySet<FaultKind> = new Set<FaultKind>(["disk full", "disk error", "too many files"])
const onRemote: ReadonlySet<FaultKind> = new Set<FaultKind>(["store fails", "store no reply"])
const ofWorld: ReadonlySet<FaultKind> = new Set<FaultKind>([
  ...onFiles,
  ...onRemote,
  "sink fails",
  "sink no reply",
  "sink slow",
  "stall",
  "read error",
  "expired"
])

/** Where checkpoints are kept: mostly in a remote store, which is quicker, unless only the other one has such faults. */
export const storeFor = (kinds: ReadonlySet<FaultKind>): fc.Arbitrary<Store> => {
  const all = [...kinds]
  if (all.length > 0 && all.every((kind) => onFiles.has(kind) || kind === "power loss")) return fc.constant("files")
  if (all.length > 0 && all.every((kind) => onRemote.has(kind))) return fc.constant("remote")
  return fc.constantFrom("remote" as const, "remote" as const, "remote" as const, "files" as const)
}

/** Plans of faults of these kinds; one in ten is empty. */
export const faultPlan = (kinds: ReadonlySet<FaultKind>, store: Store): fc.Arbitrary<ReadonlyArray<Fault>> => {
  const possible = [...kinds].filter((kind) => !(store === "files" ? onRemote : onFiles).has(kind))
  if (possible.length === 0) return fc.constant([])
  const moment = momentIn(failpointsOf(store, false), 1)
  const afterRot = momentIn(failpointsAfterRot, 1)
  const choices = possible.map((kind) => ({
    weight: weights[kind] ?? 2,
    arbitrary: (ofWorld.has(kind)
      ? worldFault(kind as WorldFault["kind"])
      : processFault(kind as ProcessFault["kind"], moment)) as fc.Arbitrary<Fault>
  }))
  if (kinds.has("rot") && kinds.has("kill"))
    choices.push({ weight: 1, arbitrary: processFault("kill", afterRot) as fc.Arbitrary<Fault> })
  const any = fc.oneof(...choices)
  return fc
    .tuple(fc.option(any, { nil: undefined, freq: 10 }), fc.array(any, { maxLength: moreFaultsMax, size: "max" }))
    .map(([first, others]) => (first === undefined ? [] : [first, ...others]))
}

/** How a process of a history differs from others. */
export const life: fc.Arbitrary<Life> = fc.record({
  parallelism: fc.integer({ min: 1, max: 3 }),
  chunkRows: fc.constantFrom(1, 3, 7, 1024),
  elsewhere: fc.boolean()
})

/** What the processes of a history are like. */
export const lives: fc.Arbitrary<ReadonlyArray<Life>> = fc.array(life, { minLength: 1, maxLength: 3 })
