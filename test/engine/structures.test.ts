import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Lanes } from "../../src/actors/Lanes.ts"
import { IdSlots } from "../../src/streams/state/IdSlots.ts"
import { MinHeap } from "../../src/streams/state/MinHeap.ts"
import {
  firstWindow,
  firstWindowEndingAfter,
  lastWindow,
  sliceStart,
  timeWindows
} from "../../src/streams/state/SliceArithmetic.ts"
import { windowsOver } from "../oracle/Oracle.ts"

describe("IdSlots", () => {
  it("is a map from ids to slots in order of first use, whatever the ids", () => {
    const ids = fc.array(fc.oneof(fc.nat(40), fc.nat(), fc.constantFrom(0, 2 ** 31 - 1, 2 ** 30)), { maxLength: 300 })
    fc.assert(
      fc.property(ids, fc.nat(64), (all, expected) => {
        const slots = new IdSlots(expected)
        const model = new Map<number, number>()
        for (const id of all) {
          expect(slots.get(id)).toBe(model.get(id) ?? -1)
          if (!model.has(id)) model.set(id, model.size)
          expect(slots.getOrAdd(id)).toBe(model.get(id))
        }
        expect(slots.size).toBe(model.size)
        expect([...slots.ids.subarray(0, slots.size)]).toEqual([...model.keys()])
      }),
      { numRuns: 100 }
    )
  })

  it("is empty after it was cleared", () => {
    const slots = new IdSlots(4)
    for (let id = 0; id < 100; id++) slots.getOrAdd(id * 7)
    slots.clear()
    expect(slots.size).toBe(0)
    for (let id = 0; id < 100; id++) expect(slots.get(id * 7)).toBe(-1)
    expect(slots.getOrAdd(700)).toBe(0)
  })
})

describe("MinHeap", () => {
  it("gives back values by key, and each value once", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.integer({ min: -5, max: 5 }), fc.constant(-8.64e15))), (keys) => {
        const heap = new MinHeap<number>()
        keys.forEach((key, i) => heap.push(key, i))
        const out: Array<number> = []
        while (heap.size > 0) {
          const least = heap.minKey()
          const i = heap.pop()
          expect(keys[i]).toBe(least)
          out.push(i)
        }
        expect(out.map((i) => keys[i])).toEqual(keys.toSorted((a, b) => a - b))
        expect(new Set(out).size).toBe(keys.length)
      }),
      { numRuns: 100 }
    )
  })
})

describe("T1: slices", () => {
  it("a time's windows are those between the first and the last of its slice, by the definition", () => {
    const w = fc.record({
      size: fc.integer({ min: 1, max: 30 }),
      slide: fc.integer({ min: 1, max: 40 }),
      offset: fc.nat(39)
    })
    fc.assert(
      fc.property(w, fc.integer({ min: -200, max: 200 }), fc.integer({ min: -200, max: 200 }), (o, t, bound) => {
        const offset = o.offset % o.slide
        const windows = timeWindows(o.size, o.slide, offset)
        const wanted = windowsOver({ kind: "time", ...o, offset }, t)
        const slice = sliceStart(windows, t)
        expect(slice <= t && t < slice + windows.sliceMs).toBe(true)
        const got: Array<number> = []
        for (let start = firstWindow(windows, slice); start <= lastWindow(windows, t); start += o.slide) {
          if (start + o.size > t) got.push(start)
        }
        expect(got).toEqual(wanted)
        // All times of a slice have the same windows.
        expect(firstWindow(windows, slice)).toBe(firstWindow(windows, slice + windows.sliceMs - 1))
        const next = firstWindowEndingAfter(windows, bound)
        expect(next + o.size).toBeGreaterThan(bound)
        expect(next - o.slide + o.size).toBeLessThanOrEqual(bound)
      }),
      { numRuns: 500 }
    )
  })
})

describe("Lanes: what readers know of each other", () => {
  const lanesAt = (...watermarks: ReadonlyArray<number>): Lanes => {
    const lanes = new Lanes(10)
    for (const w of watermarks) lanes.report(lanes.join(), w)
    return lanes
  }

  it("T7: the minimum is over the readers that are neither idle nor ended; none when there is none", () => {
    const lanes = lanesAt(5, 3, 1)
    lanes.setIdle(2, true)
    expect(lanes.activeMinimum()).toBe(3)
    lanes.end(1)
    expect(lanes.activeMinimum()).toBe(5)
    lanes.setIdle(0, true)
    expect(lanes.activeMinimum()).toBeUndefined()
    lanes.setIdle(2, false)
    expect(lanes.activeMinimum()).toBe(1)
  })

  it("T12: one that joins later starts at the minimum of those that have not ended, idle ones too", () => {
    const lanes = lanesAt(5, 3, 1)
    lanes.setIdle(1, true)
    lanes.end(2)
    expect(lanes.watermarkOf(lanes.join())).toBe(3)
    const fresh = new Lanes(10)
    expect([fresh.join(), fresh.join()].map((lane) => fresh.watermarkOf(lane))).toEqual([-Infinity, -Infinity])
  })

  it("T14: ahead is more than the drift above the slowest that has spoken and is neither idle nor ended", () => {
    const lanes = lanesAt(20, 9, -Infinity)
    expect(lanes.isAhead(0)).toBe(true)
    lanes.report(1, 10)
    expect(lanes.isAhead(0)).toBe(false)
    expect(lanes.isAhead(2)).toBe(false)
  })

  it("T14: a reader that waits is resumed once, by whatever lets it: a report, an idle, an end", () => {
    for (const free of [(l: Lanes) => l.report(1, 10), (l: Lanes) => l.setIdle(1, true), (l: Lanes) => l.end(1)]) {
      const lanes = lanesAt(20, 5)
      let resumed = 0
      lanes.pause(0, () => resumed++)
      lanes.report(1, 6)
      expect(resumed).toBe(0)
      expect(lanes.isPaused(0)).toBe(true)
      free(lanes)
      expect(resumed).toBe(1)
      lanes.report(1, 15)
      expect(resumed).toBe(1)
    }
  })
})
