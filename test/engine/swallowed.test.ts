/**
 * One row swallowed in each operator and each sink, planted in a copy of the sources: the ledger stops the query before
 * anything is committed, and names where it was.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { Cause, Console, Effect, Exit, Option, Schema } from "effect"
import type * as Tidemark from "tidemark"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"

const root = resolve(import.meta.dirname, "../..")
const folder = mkdtempSync(join(tmpdir(), "tidemark-swallowed-"))
const world = globalThis as { swallow?: string | undefined }

/** Whether this loss is on, as an expression of the copy. */
const on = (name: string): string => `((globalThis as { swallow?: string }).swallow === ${JSON.stringify(name)})`
const shorter = "chunk.pick(Int32Array.from({ length: chunk.length - 1 }, (_, j) => j), chunk.length - 1)"

/** Where rows are swallowed: a text of a file, what it becomes, and what the ledger must name. */
const losses: ReadonlyArray<
  readonly [name: string, file: string, from: string, to: (on: string) => string, where: RegExp]
> = [
  [
    "a source",
    "actors/engineRows.ts",
    "if (select === undefined) return plain",
    (is) => `if (${is}) return plain.pick(Int32Array.of(0), 1)\n  if (select === undefined) return plain`,
    /out of source memory/
  ],
  [
    "map",
    "streams/Stateless.ts",
    "next.push(chunk.withRows(out))",
    (is) => `next.push(${is} && operator.startsWith("map-") ? ${shorter} : chunk.withRows(out))`,
    /out of map-1/
  ],
  [
    "select",
    "streams/Stateless.ts",
    "const out = new Array<unknown>(n)",
    (is) =>
      `if (${is} && operator.startsWith("select")) {\n counters.in += n\n counters.forwarded += n\n return next.push(${shorter})\n }\n const out = new Array<unknown>(n)`,
    /out of select-1/
  ],
  [
    "filter",
    "streams/Stateless.ts",
    "if (count === n) next.push(chunk)",
    (is) => `if (${is}) next.push(chunk.pick(kept, count - 1))\n    else if (count === n) next.push(chunk)`,
    /out of filter-\d/
  ],
  [
    "flatMap",
    "streams/Stateless.ts",
    "out.push(row)",
    (is) => `if (${is} && i === 0) continue\n out.push(row)`,
    /out of flatMap-1/
  ],
  [
    "union",
    "streams/Stateless.ts",
    "next.push(chunk.withSubs(subs))",
    (is) => `next.push(${is} ? ${shorter} : chunk.withSubs(subs))`,
    /through union-1/
  ],
  [
    "mapEffect",
    "actors/Chain.ts",
    "counters.forwarded += from.length",
    (is) => `counters.forwarded += from.length\n      if (${is}) from.pop()`,
    /out of mapEffect-1/
  ],
  [
    "withEventTime",
    "streams/Stateless.ts",
    "next.push(timed.chunk)",
    (is) => `chunk = timed.chunk\n    next.push(${is} ? ${shorter} : timed.chunk)`,
    /out of withEventTime-1/
  ],
  [
    "a row without a time, on its way to the dead letters",
    "actors/Task.ts",
    "this.bury([letterOfRow(head, chunk.rows[i])])",
    (is) => `if (!${is}) this.bury([letterOfRow(head, chunk.rows[i])])`,
    /dead letters of source memory/
  ],
  [
    "an exchange by key",
    "streams/Exchange.ts",
    "if (mine !== undefined) send(receiver, this.#part(chunk, inputs, receiver, picks[receiver], mine))",
    (is) =>
      `if (mine !== undefined && !(${is} && receiver === 0)) send(receiver, this.#part(chunk, inputs, receiver, picks[receiver], mine))`,
    /out of (window-1|session|global|running-1|process-1)\S*\.exchange/
  ],
  [
    "dedupe",
    "streams/state/DedupeState.ts",
    "this.#counters.forwarded += count",
    (is) => `this.#counters.forwarded += count\n    if (${is} && count > 0) count--`,
    /out of dedupe-1/
  ],
  [
    "dedupe, a row that is late",
    "streams/state/DedupeState.ts",
    "if (lateRows !== undefined) out.late(lateRows)",
    (is) => `if (lateRows !== undefined && !${is}) out.late(lateRows)`,
    /late rows of dedupe-1/
  ],
  [
    "a window over time",
    "streams/state/TimeWindowState.ts",
    "state.add(slots, batch.inputs, from, to, batch.order)",
    (is) => `state.add(slots, batch.inputs, ${is} ? from + 1 : from, to, batch.order)`,
    /window-1: contributed = held \+ settled/
  ],
  [
    "a window over time, a row that is late",
    "streams/state/TimeWindowState.ts",
    "if (lateRows !== undefined) out.late(lateRows)",
    (is) => `if (lateRows !== undefined && !${is}) out.late(lateRows)`,
    /late rows of window-1/
  ],
  [
    "a session",
    "streams/state/SessionState.ts",
    "this.#store.add(this.#slots, batch.inputs, from, to, batch.order)",
    (is) => `this.#store.add(this.#slots, batch.inputs, ${is} ? from + 1 : from, to, batch.order)`,
    /window-2: contributed = held \+ settled/
  ],
  [
    "a running aggregate",
    "streams/state/GlobalState.ts",
    "state.add(slots, batch.inputs, 0, n, batch.order)",
    (is) => `state.add(slots, batch.inputs, ${is} ? 1 : 0, n, batch.order)`,
    /(running-1|window-3): contributed = held \+ settled/
  ],
  [
    "process",
    "streams/state/ProcessState.ts",
    "} else this.#row(id, batch, i, t, Math.max(t, w), watermark)",
    (is) => `} else if (!(${is} && i === 0)) this.#row(id, batch, i, t, Math.max(t, w), watermark)`,
    /process-1: in = the sum of its dispositions/
  ],
  [
    "a sink in memory",
    "connectors/memory/MemorySink.ts",
    "for (let i = 0; i < batch.rows.length; i++) {",
    (is) => `for (let i = ${is} ? 1 : 0; i < batch.rows.length; i++) {`,
    /memory: received = written \+ dead/
  ],
  [
    "files",
    "connectors/files/fileWriter.ts",
    "for (let i = 0; i < rows.length; i++) {",
    (is) => `for (let i = ${is} ? 1 : 0; i < rows.length; i++) {`,
    /files: received = written \+ dead/
  ],
  [
    "foreach",
    "connectors/foreach/Foreach.ts",
    "for (let i = 0; i < rows.rows.length; i++) {",
    (is) => `for (let i = ${is} ? 1 : 0; i < rows.rows.length; i++) {`,
    /each: received = written \+ dead/
  ],
  [
    "foreachBatch",
    "connectors/foreach/Foreach.ts",
    "for (let i = 0; i < batch.rows.length; i++) {",
    (is) => `for (let i = ${is} ? 1 : 0; i < batch.rows.length; i++) {`,
    /batch: received = written \+ dead/
  ],
  [
    "the terminal",
    "connectors/terminal/Terminal.ts",
    "into.total += batch.rows.length",
    (is) => `into.total += batch.rows.length - (${is} ? 1 : 0)`,
    /terminal: received = written \+ dead/
  ],
  [
    "dead letters that are kept",
    "checkpoint/DeadLetters.ts",
    "for (const row of rows) lines.push(JSON.stringify(row))",
    (is) => `for (const row of ${is} ? rows.slice(1) : rows) lines.push(JSON.stringify(row))`,
    /dead: received = written \+ dead/
  ]
]

let tidemark: typeof Tidemark

beforeAll(async () => {
  cpSync(join(root, "src"), join(folder, "src"), { recursive: true })
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"))
  for (const [name, file, from, to] of losses) {
    const path = join(folder, "src", file)
    const text = readFileSync(path, "utf8")
    expect(text, `the text to change in ${file} for ${name}`).toContain(from)
    writeFileSync(
      path,
      text.replace(from, () => to(on(name)))
    )
  }
  tidemark = (await import(/* @vite-ignore */ join(folder, "src/index.ts"))) as typeof Tidemark
}, 120_000)

afterAll(() => {
  world.swallow = undefined
  rmSync(folder, { recursive: true, force: true })
})

afterEach(() => {
  world.swallow = undefined
  rmSync(join(folder, "out"), { recursive: true, force: true })
})

interface Row {
  readonly id: string
  readonly t: number | null
  readonly k: string
}

/** Rows of which some are late, some copies, some without a time. */
const rows: ReadonlyArray<Row> = Array.from({ length: 60 }, (_, i) => ({
  id: `r${i - (i % 20 === 3 ? 1 : 0)}`,
  t: i % 15 === 7 ? null : i % 20 === 3 ? i - 1 : i % 11 === 10 ? Math.max(0, i - 30) : i,
  k: "abcdef"[i % 6]
}))

/** A query with everything that rows go through. */
const query = () => {
  const { Checkpoint, EventStream, Files, Foreach, Late, Memory, Query, Terminal, Trigger, Window } = tidemark
  const seen = Memory.sink()
  const spare = () => Memory.sink<unknown>()
  const mapped = EventStream.from(Memory.source(rows)).pipe(
    EventStream.map((row: Row) => ({ ...row, n: 1 })),
    EventStream.filter((row) => row.k !== "f"),
    EventStream.flatMap((row) => (row.k === "e" ? [] : [row])),
    EventStream.select(
      Schema.Struct({ id: Schema.String, t: Schema.NullOr(Schema.Number), k: Schema.String, n: Schema.Number })
    ),
    EventStream.mapEffect((row) => Effect.succeed(row), { concurrency: 2 })
  )
  const early = mapped.pipe(
    EventStream.withEventTime((row: { readonly t: number | null }) => row.t as number, { outOfOrderness: 2 })
  )
  const timed = early.pipe(
    EventStream.filter((row) => row.k < "c"),
    EventStream.union(early.pipe(EventStream.filter((row) => row.k >= "c")))
  )
  const unique = timed.pipe(EventStream.dedupe("id", { late: Late.to(spare()) }))
  const keyed = timed.pipe(EventStream.keyBy("k"))
  const windows = keyed.pipe(
    EventStream.window(Window.tumbling(10), { late: Late.to(spare()) }),
    EventStream.aggregate(({ count, last }) => ({ n: count, last: last("id") }))
  )
  const sessions = keyed.pipe(
    EventStream.window(Window.session(5), { late: "drop" }),
    EventStream.aggregate(({ count }) => ({ n: count }))
  )
  const running = keyed.pipe(EventStream.aggregateRunning(({ count }) => ({ n: count })))
  const processed = keyed.pipe(
    EventStream.process({ state: Schema.Number, ttl: "1 hour", late: "process", onRow: (row) => [{ id: row.id }] })
  )
  const pipeline = Query.outputs({
    memory: windows.pipe(EventStream.to(seen)),
    files: windows.pipe(EventStream.to(Files.jsonLines(join(folder, "out")))),
    each: sessions.pipe(EventStream.to(Foreach.sink(() => Effect.void))),
    batch: unique.pipe(EventStream.to(Foreach.batch(() => Effect.void))),
    running: running.pipe(EventStream.to(spare(), { mode: "update" })),
    processed: processed.pipe(EventStream.to(spare())),
    terminal: sessions.pipe(EventStream.to(Terminal.sink()))
  })
  const run = Query.run(pipeline, { name: "q", trigger: Trigger.every("1 hour"), parallelism: 2 })
  return Effect.gen(function* () {
    const exit = yield* Effect.exit(run)
    return { exit, seen: yield* seen.rows }
  }).pipe(
    Effect.provide(Checkpoint.layerMemory),
    Effect.provideService(Console.Console, { ...globalThis.console, log: () => undefined } as Console.Console)
  )
}

describe("L1-L4: a swallowed row stops the query before the commit, and its place is named", () => {
  it("swallows nothing: the ledger balances", async () => {
    const { exit, seen } = await Effect.runPromise(
      query() as Effect.Effect<{ exit: Exit.Exit<unknown, unknown>; seen: ReadonlyArray<unknown> }>
    )
    expect(Exit.isSuccess(exit) ? "" : Cause.pretty(exit.cause)).toBe("")
    expect(seen.length).toBeGreaterThan(5)
  })

  it.each(losses.map(([name, , , , where]) => [name, where] as const))("%s", async (name, where) => {
    world.swallow = name
    const { exit, seen } = await Effect.runPromise(
      query() as Effect.Effect<{ exit: Exit.Exit<unknown, unknown>; seen: ReadonlyArray<unknown> }>
    )
    const error = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.findErrorOption(exit.cause)) : undefined
    expect(error, Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "it ended well").toMatchObject({
      reason: "LedgerImbalance"
    })
    expect((error as Error).message).toMatch(where)
    expect(seen).toEqual([])
  })
})
