/** Random histories of an event hub: those of a live source, with a hub that does what hubs do. */
import * as fc from "fast-check"
import type { HubFault } from "./hubFaults.ts"
import type { HubCase, HubStart } from "./hubHistory.ts"
import { oftenSlow } from "./liveCases.ts"
import { minimisedBy } from "./minimise.ts"
import { simplerHub } from "./smallerHub.ts"

const kind = <K extends string>(name: K): fc.Arbitrary<K> => fc.constant(name)

const at = { partition: fc.nat(3), event: fc.nat(12) }

const passing = fc.constantFrom("unavailable" as const, "unavailable" as const, "busy" as const)
const passingOrFull = fc.oneof(
  { weight: 5, arbitrary: passing },
  { weight: 1, arbitrary: kind("too-many-readers" as const) }
)

const drop: fc.Arbitrary<HubFault> = fc.record({ kind: kind("drop"), ...at, fault: passingOrFull, all: fc.boolean() })
const steal: fc.Arbitrary<HubFault> = fc.record({ kind: kind("steal"), ...at, calls: fc.nat(2) })
const away: fc.Arbitrary<HubFault> = fc.record({
  kind: kind("away"),
  ...at,
  ms: fc.integer({ min: 1, max: 2_500 }),
  all: fc.boolean()
})
const refuse: fc.Arbitrary<HubFault> = fc.record({
  kind: kind("refuse"),
  of: fc.constantFrom("partitions" as const, "info" as const, "info" as const, "receive" as const),
  fault: passingOrFull,
  atCall: fc.nat(12),
  calls: fc.integer({ min: 1, max: 12 })
})
const back = fc.integer({ min: 1, max: 5 })
const again: fc.Arbitrary<HubFault> = fc.record({ kind: kind("again"), ...at, back })
const jump: fc.Arbitrary<HubFault> = fc.record({ kind: kind("jump"), ...at, by: fc.integer({ min: 1, max: 9 }) })
const trim: fc.Arbitrary<HubFault> = fc.record({ kind: kind("trim"), ...at, back: fc.nat(3) })
const poison: fc.Arbitrary<HubFault> = fc.record({ kind: kind("poison"), ...at })

/** Events come, and go, while nobody can read them; or are given again to who comes back. */
const together: fc.Arbitrary<ReadonlyArray<HubFault>> = fc
  .record({
    partition: fc.nat(3),
    event: fc.nat(10),
    ms: fc.integer({ min: 300, max: 2_500 }),
    back: fc.nat(2),
    more: fc.integer({ min: 1, max: 4 })
  })
  .chain(({ partition, event, ms, back: kept, more }) =>
    fc.constantFrom<ReadonlyArray<HubFault>>(
      [{ kind: "away", partition, event, ms: ms + 500, all: false }],
      [
        { kind: "away", partition, event, ms, all: false },
        { kind: "trim", partition, event: event + more, back: kept }
      ],
      [
        { kind: "trim", partition, event, back: kept },
        { kind: "trim", partition, event: event + more, back: 0 },
        { kind: "away", partition, event: Math.max(0, event - more), ms, all: true }
      ],
      [
        { kind: "trim", partition, event, back: 0 },
        { kind: "refuse", of: "receive", fault: "busy", atCall: 1 + kept, calls: 2 + more },
        { kind: "trim", partition, event: event + more, back: 0 }
      ],
      [
        { kind: "drop", partition, event, fault: "unavailable", all: false },
        { kind: "again", partition, event, back: more }
      ]
    )
  )

const one = fc.oneof(
  { weight: 3, arbitrary: drop },
  { weight: 1, arbitrary: steal },
  { weight: 2, arbitrary: away },
  { weight: 2, arbitrary: refuse },
  { weight: 2, arbitrary: again },
  { weight: 1, arbitrary: jump },
  { weight: 2, arbitrary: trim },
  { weight: 1, arbitrary: poison }
)

const faults: fc.Arbitrary<ReadonlyArray<HubFault>> = fc
  .tuple(
    fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: together }),
    fc.array(one, { maxLength: 4, size: "max" })
  )
  .map(([first, others]) => [...first, ...others])

const startAt: fc.Arbitrary<HubStart> = fc.oneof<fc.WeightedArbitrary<HubStart>[]>(
  { weight: 6, arbitrary: fc.constant({ at: "earliest" }) },
  { weight: 1, arbitrary: fc.constant({ at: "latest" }) },
  { weight: 1, arbitrary: fc.record({ event: fc.nat(8), inclusive: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ afterMs: fc.nat(60) }) }
)

const hub: fc.Arbitrary<HubCase> = oftenSlow.chain((c) =>
  fc
    .record({
      hub: faults,
      startAt,
      firstSequence: fc.constantFrom(0, 0, 17),
      failOnDataLoss: fc.boolean(),
      ownerLevel: fc.constantFrom("none" as const, "same" as const, "rising" as const),
      prefetchEvents: fc.constantFrom(3, 10, 3_000)
    })
    .map(({ ownerLevel, ...more }): HubCase => {
      // Of two processes at once, an owner level sends one away for good, and it may be the one that owns the query.
      const isAlone = !c.faults.some(({ kind }) => kind === "freeze" || kind === "second")
      return { ...c, endPosition: true, ...more, ownerLevel: isAlone ? ownerLevel : "none" }
    })
)

/** Cases of a hub. */
export const hubCase: fc.Arbitrary<HubCase> = minimisedBy(fc.noBias(hub), simplerHub)
