/** M1: several queries read one source: they share fetching and decoding, and nothing else. */
import { Effect, type Scope } from "effect"
import { describe } from "vitest"
import * as Memory from "../../src/connectors/memory/Memory.ts"
import { shareSource } from "../../src/actors/shared/SharedSource.ts"
import type { ReadySource } from "../../src/actors/Topology.ts"
import type { Source } from "../../src/model/Source.ts"
import { type Contents, sourceConformance, type SourceUnderTest } from "../conformance/source.ts"

const rowsOf = (partition: string, count: number): ReadonlyArray<{ readonly n: number; readonly text: string }> =>
  Array.from({ length: count }, (_, n) => ({ n, text: `${partition} ${n}` }))
type Row = ReturnType<typeof rowsOf>[number]

const small = { chunks: 3, history: 2, recent: 1, bytes: 1 << 20 }

/** The same world with its source shared. */
const shared = <A>(
  world: Effect.Effect<SourceUnderTest<A>, unknown, Scope.Scope>
): Effect.Effect<SourceUnderTest<A>, unknown, Scope.Scope> =>
  Effect.flatMap(world, (w) =>
    Effect.map(shareSource(w.source as ReadySource, ["a"], small), ([view]) => ({
      ...w,
      source: view.source as Source<A, unknown, unknown>
    }))
  )

/** A channel with dead rows in each partition. */
const fed = (options: Memory.ChannelOptions): Effect.Effect<SourceUnderTest<Row>> =>
  Effect.gen(function* () {
    const channel = Memory.channel<Row>({ ...options, partitions: ["p0", "p1"] })
    const contents = new Map<string, Contents<Row>>()
    const dead = { reason: "malformed", detail: "not JSON", bytes: new Uint8Array(3), truncated: false } as const
    for (const p of ["p0", "p1"]) {
      const rows = rowsOf(p, p === "p0" ? 30 : 7)
      yield* channel.push(p, rows.slice(0, 5))
      yield* channel.pushDead(p, { ...dead, place: `${p}:5` })
      yield* channel.push(p, rows.slice(5))
      yield* channel.pushDead(p, { ...dead, place: `${p}:end` })
      if (options.bounded) yield* channel.end(p)
      contents.set(p, { rows, dead: 2 })
    }
    const added = rowsOf("added", 4)
    return {
      source: channel.source,
      contents,
      held: channel.cursors,
      taken: channel.handedOut,
      readAheadRowsMax: 0,
      more: (p) => Effect.as(channel.push(p, added), added),
      addPartition: Effect.as(channel.addPartition("p2"), "p2")
    }
  })

describe("M1: a shared source is a source", () => {
  const replayable = {
    bounded: false,
    appendTime: false,
    endPosition: true,
    replayable: true,
    dynamicPartitions: false
  }
  sourceConformance("shared, unbounded", replayable, shared(fed({})))
  sourceConformance(
    "shared, bounded, append times",
    { ...replayable, bounded: true, appendTime: true },
    shared(fed({ bounded: true, appendTime: true }))
  )
  sourceConformance(
    "shared, partitions come, no end position",
    { ...replayable, dynamicPartitions: true, endPosition: false },
    shared(fed({ dynamicPartitions: true, endPosition: false }))
  )
  sourceConformance(
    "shared, not replayable",
    { ...replayable, dynamicPartitions: true, endPosition: false, replayable: false },
    shared(fed({ dynamicPartitions: true, endPosition: false, replayable: false }))
  )
  sourceConformance(
    "shared, columns in chunks of 4",
    { ...replayable, bounded: true },
    shared(
      Effect.succeed({
        source: Memory.source<Row>(
          { partitions: { p0: rowsOf("p0", 37), empty: [] } },
          { columns: true, chunkRows: 4 }
        ),
        contents: new Map([
          ["p0", { rows: rowsOf("p0", 37) }],
          ["empty", { rows: [] }]
        ])
      })
    )
  )
})
