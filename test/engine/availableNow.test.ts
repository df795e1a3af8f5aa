/** A5, T7: what a run over what there is gives is decided by what there is, and not by who reads it first. */
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { Checkpoint, EventStream, Memory, Query, Trigger, Window } from "tidemark"

interface Row {
  readonly at: number
}

const from = (first: number, last: number): ReadonlyArray<Row> =>
  Array.from({ length: (last - first) / 10 + 1 }, (_, i) => ({ at: first + i * 10 }))

/** Windows of 50 ms, as `start:count`, after each run over what was pushed. */
const runs = (
  partitions: ReadonlyArray<string>,
  pushes: ReadonlyArray<{ readonly [partition: string]: ReadonlyArray<Row> }>
): Promise<ReadonlyArray<ReadonlyArray<string>>> =>
  Effect.gen(function* () {
    const channel = Memory.channel<Row>({ partitions })
    const out = Memory.sink<{ window_start: number; n: number }>()
    const query = EventStream.from(channel.source).pipe(
      EventStream.withEventTime("at", { outOfOrderness: 10 }),
      EventStream.keyBy(),
      EventStream.window(Window.tumbling(50), { late: "drop" }),
      EventStream.aggregate(({ count }) => ({ n: count })),
      EventStream.to(out)
    )
    const seen: Array<ReadonlyArray<string>> = []
    for (const push of pushes) {
      for (const [partition, rows] of Object.entries(push)) yield* channel.push(partition, rows)
      yield* Query.run(query, { name: "windows", trigger: Trigger.availableNow() })
      seen.push((yield* out.rows).map(({ window_start, n }) => `${window_start}:${n}`).toSorted())
    }
    return seen
  }).pipe(Effect.scoped, Effect.provide(Checkpoint.layerMemory), Effect.runPromise)

describe("A5, T7: available now", () => {
  it("a partition without rows holds no window open", async () => {
    for (const partitions of [["a"], ["a", "b"], ["b", "a"], ["b", "a", "c"]])
      expect(await runs(partitions, [{ a: from(0, 110) }])).toEqual([["0:5", "50:5"]])
  })

  it("nor does one that has had none since the run before", async () => {
    for (const partitions of [
      ["a", "b"],
      ["b", "a"]
    ])
      expect(await runs(partitions, [{ a: from(0, 60), b: from(0, 30) }, { a: from(70, 160) }])).toEqual([
        [],
        ["0:9", "100:5", "50:5"]
      ])
  })

  it("the slower of two that have rows does", async () => {
    for (const partitions of [
      ["a", "b"],
      ["b", "a"]
    ])
      expect(await runs(partitions, [{ a: from(0, 160), b: from(0, 70) }])).toEqual([["0:10"]])
  })
})
