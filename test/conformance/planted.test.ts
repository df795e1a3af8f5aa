/** The suites are worth something: each fault planted here in a sound implementation is caught by a law. */
import { Effect, Exit, Option, type Scope } from "effect"
import { describe, expect, it } from "vitest"
import * as Memory from "../../src/connectors/memory/Memory.ts"
import type { ObjectStore } from "../../src/model/ObjectStore.ts"
import { position } from "../../src/model/Position.ts"
import type { Prepared, SinkFeatures, SinkWriter } from "../../src/model/Sink.ts"
import type { PartitionCursor, Source, SourceChunk, SourceFeatures } from "../../src/model/Source.ts"
import { sinkLaws, type SinkRow, type SinkUnderTest } from "./sink.ts"
import { context } from "./sinkWorld.ts"
import { sourceLaws, type SourceUnderTest } from "./source.ts"
import { storeLaws } from "./store.ts"

/** The laws that a world breaks; one that takes over a second counts as broken. */
const broken = <W>(
  laws: Record<string, (world: W) => Effect.Effect<void, unknown, Scope.Scope>>,
  make: Effect.Effect<W, unknown, Scope.Scope>
): Promise<ReadonlyArray<string>> =>
  Effect.runPromise(
    Effect.map(
      Effect.forEach(
        Object.entries(laws),
        ([title, law]) =>
          Effect.map(Effect.exit(Effect.timeout(Effect.scoped(Effect.flatMap(make, law)), "1 second")), (exit) =>
            Exit.isFailure(exit) ? [title] : []
          ),
        { concurrency: "unbounded" }
      ),
      (titles) => titles.flat()
    )
  )

const rows = Array.from({ length: 20 }, (_, n) => ({ n }))
type Row = (typeof rows)[number]
type Cursor = PartitionCursor<Row, unknown, unknown>
const bounded = { bounded: true, appendTime: false, endPosition: true, replayable: true, dynamicPartitions: false }

const worldOf = (source: Source<Row, unknown, unknown>): SourceUnderTest<Row> => ({
  source,
  contents: new Map(["p0", "p1"].map((p) => [p, { rows, dead: 1 }]))
})

/** A channel with a dead row after the fifth of each partition. */
const filled = (options: Memory.ChannelOptions): Effect.Effect<Memory.Channel<Row>> =>
  Effect.gen(function* () {
    const channel = Memory.channel<Row>({ ...options, partitions: ["p0", "p1"] })
    for (const p of ["p0", "p1"]) {
      yield* channel.push(p, rows.slice(0, 5))
      yield* channel.pushDead(p, {
        reason: "malformed",
        detail: "bad",
        place: "5",
        bytes: new Uint8Array(1),
        truncated: false
      })
      yield* channel.push(p, rows.slice(5))
      if (options.bounded === true) yield* channel.end(p)
    }
    return channel
  })

type Fault = (source: Source<Row, unknown, unknown>) => Source<Row, unknown, unknown>

const withCursor =
  (change: (cursor: Cursor) => Cursor): Fault =>
  (source) => ({ ...source, open: (p, from) => Effect.map(source.open(p, from), change) })

const withChunk = (change: (chunk: SourceChunk<Row>, n: number) => SourceChunk<Row>): Fault =>
  withCursor((cursor) => {
    let n = 0
    return { ...cursor, pull: (demand) => Effect.map(cursor.pull(demand), (chunk) => change(chunk, n++)) }
  })

const sourceFaults: Record<string, Fault> = {
  "gives more than was asked for": withCursor((c) => ({ ...c, pull: (d) => c.pull({ ...d, rows: d.rows + 1 }) })),
  "swaps two rows": withChunk((c) => ({ ...c, rows: (c.rows ?? []).toReversed() })),
  "names a position one too far": withChunk((c) => ({ ...c, next: position(String(Number(c.next) + 1)) })),
  "names the position before the chunk": withChunk((c) => ({
    ...c,
    next: position(String(Number(c.next) - c.length))
  })),
  "forgets a dead row": withChunk((c) => ({ ...c, dead: [] })),
  "puts dead rows in the wrong place": withChunk((c) => ({
    ...c,
    dead: (c.dead ?? []).map((d) => ({ ...d, before: 0 }))
  })),
  "has columns that disagree": withChunk((c) => ({ ...c, columns: { n: new Float64Array(c.length).fill(-1) } })),
  "has append times it did not declare": withChunk((c) => ({ ...c, appendTimes: new Float64Array(c.length) })),
  "waits at the end instead of ending": withCursor((c) => ({
    ...c,
    pull: (d) => c.pull(d).pipe(Effect.catch(() => Effect.never))
  })),
  "loses what a pull took when it is interrupted": withCursor((c) => ({
    ...c,
    pull: (d) => Effect.tap(c.pull(d), () => Effect.yieldNow)
  })),
  "takes rows a step before it hands them over": withCursor((c) => ({
    ...c,
    pull: (d) => Effect.suspend(() => Effect.runSyncExit(c.pull(d)))
  })),
  "lets cursors share their place": (source) => {
    const open = new Map<string, Cursor>()
    return {
      ...source,
      open: (p, from) =>
        Effect.map(source.open(p, from), (cursor) => {
          if (Option.isSome(from)) return cursor
          const first = open.get(p) ?? cursor
          open.set(p, first)
          return first
        })
    }
  },
  "takes any text for the start": (source) => ({
    ...source,
    open: (p, from) =>
      source.open(
        p,
        Option.filter(from, (f) => /^\d{1,3}$/.test(f))
      )
  }),
  "gives an empty partition for an unknown one": (source) => ({
    ...source,
    open: (p, from) => source.open(p.startsWith("p") ? p : "p0", from)
  }),
  "lists a partition that is known": (source) => ({ ...source, partitions: () => source.partitions(new Set()) }),
  "claims another end": withCursor((c) => ({ ...c, end: Effect.succeed(Option.some(position("1"))) })),
  "does not know its end": withCursor((c) => ({ ...c, end: Effect.succeed(Option.none()) }))
}

const unboundedFaults: Record<string, Fault> = {
  "T11: ends although it is not bounded": withCursor((c) => ({
    ...c,
    pull: (d) => Effect.timeout(c.pull(d), 20)
  })),
  "returns empty chunks instead of waiting": withCursor((c) => ({
    ...c,
    pull: (d) =>
      Effect.map(
        Effect.timeoutOption(c.pull(d), 5),
        Option.getOrElse((): SourceChunk<Row> => ({ length: 0, rows: [], next: position("21"), bytes: 0 }))
      )
  }))
}

describe("planted in a source", () => {
  const world = (features: SourceFeatures, fault: Fault): Promise<ReadonlyArray<string>> =>
    broken(
      sourceLaws<Row>(features),
      Effect.map(filled(features), (channel) => ({
        ...worldOf(fault(channel.source)),
        held: channel.cursors,
        taken: channel.handedOut,
        more: (p: string) => Effect.as(channel.push(p, [{ n: -1 }]), [{ n: -1 }])
      }))
    )
  it("nothing: no law is broken", async () => {
    expect(await world(bounded, (s) => s)).toEqual([])
    expect(await world({ ...bounded, bounded: false }, (s) => s)).toEqual([])
  })
  it.each(Object.entries(sourceFaults))("%s", async (_, fault) => expect(await world(bounded, fault)).not.toEqual([]))
  it.each(Object.entries(unboundedFaults))("%s", async (_, fault) =>
    expect(await world({ ...bounded, bounded: false }, fault)).not.toEqual([])
  )
  it("a cursor that outlives its scope", async () => {
    const leaking = Effect.map(filled(bounded), (channel) => {
      let opened = 0
      const open: typeof channel.source.open = (p, from) =>
        Effect.tap(channel.source.open(p, from), () => Effect.sync(() => opened++))
      return { ...worldOf({ ...channel.source, open }), held: Effect.sync(() => opened) }
    })
    expect(await broken(sourceLaws<Row>(bounded), leaking)).not.toEqual([])
  })
  it("reading ahead without bound", async () => {
    const greedy = Effect.map(filled(bounded), ({ source }) => ({
      ...worldOf(source),
      taken: () => Effect.succeed(1e6)
    }))
    expect(await broken(sourceLaws<Row>(bounded), greedy)).not.toEqual([])
  })
})

const features: SinkFeatures = {
  modes: ["append", "update", "complete"],
  guarantee: "exactly-once",
  multiWriter: true,
  deletes: true
}
type MemorySink = Memory.MemorySink<SinkRow>
type Writer = SinkWriter<SinkRow, unknown>

const withWriter =
  (change: (writer: Writer, sink: MemorySink) => Writer) =>
  (sink: MemorySink): SinkUnderTest["sink"] => ({
    ...sink,
    writer: (context) => Effect.map(sink.writer(context), (writer) => change(writer, sink))
  })

const sinkFaults: Record<string, (sink: MemorySink) => SinkUnderTest["sink"]> = {
  "writes at once": withWriter((w, sink) => ({
    ...w,
    write: (b) =>
      Effect.andThen(w.write(b), Effect.flatMap(w.prepare(1e6), sink.commit) as Effect.Effect<never[], unknown>)
  })),
  "reverses rows": withWriter((w) => ({ ...w, write: (b) => w.write({ ...b, rows: b.rows.toReversed() }) })),
  "drops rows it does not like, silently": withWriter((w) => ({
    ...w,
    write: (b) => w.write({ ...b, rows: b.rows.filter((r) => typeof r.n === "number") })
  })),
  "fails on a hostile row": withWriter((w) => ({
    ...w,
    write: (b) => (b.rows.some((r) => typeof r.n === "bigint") ? Effect.fail("bigint") : w.write(b))
  })),
  "names the wrong row dead": withWriter((w) => ({
    ...w,
    write: (b) =>
      Effect.map(w.write({ ...b, rows: b.rows.filter((r) => typeof r.text === "string") }), () =>
        b.rows.every((r) => typeof r.text === "string")
          ? []
          : [
              {
                before: 0,
                reason: "sink" as const,
                detail: "no text",
                place: "?",
                bytes: new Uint8Array(0),
                truncated: false
              }
            ]
      )
  })),
  "prepares what JSON does not keep": withWriter((w) => ({
    ...w,
    prepare: (epoch) =>
      Effect.map(w.prepare(epoch), (p): Prepared => ({ ...p, data: { ...(p.data as object), at: new Date(0) } }))
  })),
  "ignores deletes": withWriter((w) => ({ ...w, write: ({ rows: r }) => w.write({ rows: r }) })),
  "forgets what a checkpoint that was given up covered": withWriter((w) => {
    let last = 0
    return {
      ...w,
      prepare: (epoch) =>
        Effect.suspend(() => {
          const again = epoch === last
          last = epoch
          return Effect.map(w.prepare(again ? epoch + 0.5 : epoch), (p): Prepared => ({ ...p, epoch }))
        })
    }
  }),
  "sweeps whatever is not kept": (sink) => ({
    ...sink,
    sweep: (c) => sink.sweep?.({ ...c, attempt: 1e9 }) ?? Effect.void
  }),
  "sweeps what is kept too": (sink) => ({
    ...sink,
    sweep: (c) => sink.sweep?.({ ...c, keep: undefined }) ?? Effect.void
  }),
  "sweeps other chains": (sink) => ({
    ...sink,
    sweep: (c) => sink.sweep?.({ ...c, queryId: "chain-1" }) ?? Effect.void
  }),
  "sweeps nothing": (sink) => ({ ...sink, sweep: () => Effect.void }),
  "takes an older checkpoint for the newest": (sink) => ({
    ...sink,
    writer: (c) => sink.writer({ ...c, continues: Number.POSITIVE_INFINITY })
  }),
  "takes a query that begins anew for the one before, and drops its rows": (sink) => ({
    ...sink,
    writer: (c) => sink.writer({ ...c, queryId: "chain-1", continues: c.queryId === "chain-1" ? c.continues : 1e9 })
  }),
  "forgets the marker": (sink) => ({ ...sink, committed: () => Effect.succeed(Option.none()) }),
  "has one marker for all writers": (sink) => ({ ...sink, committed: () => sink.committed("q", "w") }),
  "commits twice what is committed twice": (sink) => {
    let n = 0
    return {
      ...sink,
      writer: (context) =>
        Effect.map(sink.writer(context), (w) => {
          const written: Array<SinkRow> = []
          return {
            write: (b) =>
              Effect.andThen(
                Effect.sync(() => written.push(...b.rows)),
                w.write(b)
              ),
            prepare: (epoch) =>
              Effect.map(w.prepare(epoch), (p) => ({ ...p, data: { ...(p.data as object), rows: written.splice(0) } }))
          }
        }),
      commit: (p) =>
        Effect.gen(function* () {
          const w = yield* sink.writer(context("append", { query: "again", writer: String(n++) }))
          yield* w.write({ rows: (p.data as { readonly rows: ReadonlyArray<SinkRow> }).rows })
          yield* sink.commit(yield* w.prepare(1))
        }).pipe(Effect.scoped)
    }
  }
}

describe("planted in a sink", () => {
  const world = (fault: (sink: MemorySink) => SinkUnderTest["sink"], shared = true): Promise<ReadonlyArray<string>> =>
    broken(
      sinkLaws(features),
      Effect.sync((): SinkUnderTest => {
        const table = Memory.makeTable()
        const make = (): MemorySink => Memory.sink<SinkRow>({ table })
        const sink = make()
        const staged = Effect.sync(() => table.staged.size)
        const again = shared ? make : () => Memory.sink<SinkRow>()
        return { sink: fault(sink), again: () => fault(again()), visible: sink.rows, table: sink.table, staged }
      })
    )
  it("nothing: no law is broken", async () => expect(await world((sink) => sink)).toEqual([]))
  it.each(Object.entries(sinkFaults))("%s", async (_, fault) => expect(await world(fault)).not.toEqual([]))
  it("staged rows that only the process knows which made them", async () =>
    expect(await world((sink) => sink, false)).not.toEqual([]))
})

const storeFaults: Record<string, (store: ObjectStore) => ObjectStore> = {
  "looks before it puts": (s) => ({
    ...s,
    putIfAbsent: (name, bytes) =>
      Effect.flatMap(
        Effect.tap(s.get(name), () => Effect.yieldNow),
        (found) => (Option.isSome(found) ? Effect.succeed(false) : Effect.as(s.put(name, bytes), true))
      )
  }),
  "overwrites with putIfAbsent": (s) => ({
    ...s,
    putIfAbsent: (name, bytes) => Effect.tap(s.putIfAbsent(name, bytes), () => s.put(name, bytes))
  }),
  "takes empty bytes for none": (s) => ({
    ...s,
    get: (name) =>
      Effect.map(
        s.get(name),
        Option.filter((b) => b.length > 0)
      )
  }),
  "sorts by locale": (s) => ({
    ...s,
    list: (prefix, limit) =>
      Effect.map(s.list(prefix, 1e6), (names) => names.toSorted((a, b) => a.localeCompare(b)).slice(0, limit))
  }),
  "matches prefixes by folder": (s) => ({
    ...s,
    list: (prefix, limit) =>
      Effect.map(s.list(prefix, limit), (names) =>
        names.filter((n) => prefix === "" || prefix.endsWith("/") || n === prefix)
      )
  }),
  "ignores the limit": (s) => ({ ...s, list: (prefix) => s.list(prefix, 1e6) }),
  "fails to delete what is not there": (s) => ({
    ...s,
    delete: (name) =>
      Effect.flatMap(s.get(name), (found) => (Option.isSome(found) ? s.delete(name) : Effect.die("missing")))
  }),
  "deletes nothing": (s) => ({ ...s, delete: () => Effect.void }),
  "cleans names up instead of refusing them": (s) => ({
    ...s,
    put: (name, bytes) => s.put(name.replace(/[^A-Za-z0-9/]/g, "x") || "x", bytes)
  }),
  "hands out its own bytes": (s) => {
    const kept = new Map<string, Uint8Array>()
    return {
      ...s,
      put: (name, bytes) => Effect.tap(s.put(name, bytes), () => Effect.sync(() => kept.set(name, bytes))),
      get: (name) =>
        Effect.map(
          s.get(name),
          Option.map((bytes) => kept.get(name) ?? bytes)
        )
    }
  }
}

describe("planted in a store", () => {
  const world = (fault: (store: ObjectStore) => ObjectStore): Promise<ReadonlyArray<string>> =>
    broken(
      storeLaws,
      Effect.sync(() => fault(Memory.objectStore()))
    )
  it("nothing: no law is broken", async () => expect(await world((store) => store)).toEqual([]))
  it.each(Object.entries(storeFaults))("%s", async (_, fault) => expect(await world(fault)).not.toEqual([]))
})
