/** C1, C11: an operator that goes on from a snapshot cannot be told from one that was never disturbed. */
import * as fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import type { SnapshotValue } from "../src/model/Snapshot.ts"
import { loadSchema } from "../src/streams/aggregates/Reduce.ts"
import { written } from "../test/aggregates/feed.ts"
import { cases } from "./snapshotCases.ts"
import { type Case, Fleet, type Step } from "./snapshotRuns.ts"

beforeAll(loadSchema)

interface Cut {
  readonly at: number
  /** The fleet that goes on from here has as many instances. */
  readonly instances: number
  /** Encoded at once, or when the operator it was taken of has long gone on. */
  readonly late: boolean
}

const cut = fc.record({ at: fc.nat(), instances: fc.integer({ min: 1, max: 3 }), late: fc.boolean() })

interface Taken {
  readonly at: number
  readonly instances: number
  readonly watermark: number
  readonly counts: Readonly<Record<string, number>>
  readonly keys: number
  readonly held: number
  readonly snapshots: () => ReadonlyArray<SnapshotValue>
}

const take = (fleet: Fleet, { at, instances, late }: Cut): Taken => {
  const snapshots = fleet.snapshot()
  const encoded = late ? undefined : snapshots.map(written)
  return {
    at,
    instances,
    watermark: fleet.watermark,
    counts: fleet.counts,
    keys: fleet.keys,
    held: fleet.held,
    snapshots: () => encoded ?? snapshots.map(written)
  }
}

const added = (a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.keys(a).map((name) => [name, a[name] + b[name]]))

/** Every step of a fleet gives what it gave in the undisturbed run. */
const follows = (fleet: Fleet, steps: ReadonlyArray<Step>, wanted: ReadonlyArray<unknown>, from: number): void => {
  for (let i = from; i < steps.length; i++) expect(fleet.apply(steps[i]), `step ${i}`).toEqual(wanted[i])
}

const holds = (of: Case, instances: number, cuts: ReadonlyArray<Cut>): void => {
  const { steps } = of
  const undisturbed = new Fleet(of, 1)
  const wanted = steps.map((step) => {
    const given = undisturbed.apply(step)
    const { contributed, settled } = undisturbed.counts
    expect(contributed, "L2").toBe(undisturbed.held + settled)
    return given
  })
  const fleet = new Fleet(of, instances)
  const taken: Array<Taken> = []
  for (let i = 0; i <= steps.length; i++) {
    for (const c of cuts) if (c.at % (steps.length + 1) === i) taken.push(take(fleet, { ...c, at: i }))
    if (i < steps.length) expect(fleet.apply(steps[i]), `step ${i}`).toEqual(wanted[i])
  }
  for (const { at, instances: n, watermark, counts, keys, held, snapshots } of taken) {
    const restored = new Fleet(of, n)
    restored.restore(snapshots(), watermark)
    expect(restored.held).toBe(held)
    expect(restored.keys).toBeLessThanOrEqual(keys)
    expect(restored.bytes).toBeGreaterThanOrEqual(0)
    follows(restored, steps, wanted, at)
    expect(added(counts, restored.counts)).toEqual(undisturbed.counts)
    // Senders' numbers hold keys too; they are the same ones only where the instances are.
    if (n === 1) expect(restored.keys).toBeLessThanOrEqual(undisturbed.keys)
  }
}

describe("C1, C11: snapshots of keyed operators", () => {
  it("restored at any point, by any number of instances, encoded early or late, taken again: nothing changes", () => {
    fc.assert(
      fc.property(
        cases,
        fc.integer({ min: 1, max: 3 }),
        fc.array(cut, { minLength: 1, maxLength: 3 }),
        (of, instances, cuts) => holds(of, instances, cuts)
      ),
      { numRuns: 200 }
    )
  })
})
