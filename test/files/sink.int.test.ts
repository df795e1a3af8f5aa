import { Effect, Exit, Option, Schema, type Scope } from "effect"
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import * as Files from "../../src/connectors/files/Files.ts"
import { nodeFileSystem } from "../../src/connectors/files/nodeFileSystem.ts"
import { partName, safeName } from "../../src/connectors/files/sinkNames.ts"
import * as Csv from "../../src/formats/Csv.ts"
import { SinkError } from "../../src/model/Errors.ts"
import type { FileSystem } from "../../src/model/FileSystem.ts"
import type { Prepared, Sink, WriterContext } from "../../src/model/Sink.ts"
import { failingFileSystem, readLane, temporaryFolder } from "./support.ts"

const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> => Effect.runPromise(Effect.scoped(effect))
const promise = <A>(f: () => Promise<A>): Effect.Effect<A> => Effect.promise(f)
const context = { query: "q", writer: "0", mode: "append", identity: [] } as const
const using = (fs: FileSystem) => Effect.provideService(Files.FileSystem, fs)

const prepare = <A>(
  sink: Sink<A, "append", SinkError>,
  epoch: number,
  rows: ReadonlyArray<A>,
  c: WriterContext = context
): Effect.Effect<Prepared, SinkError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const writer = yield* sink.writer(c)
      for (const row of rows) yield* writer.write({ rows: [row] })
      return JSON.parse(JSON.stringify(yield* writer.prepare(epoch))) as Prepared
    })
  )

const listing = (path: string): Effect.Effect<ReadonlyArray<string>> =>
  promise(async () => (await readdir(path)).sort())
/** The rows of every part, by part. */
const parts = (path: string): Effect.Effect<{ readonly [part: string]: string }> =>
  promise(async () => {
    const out: { [part: string]: string } = {}
    for (const name of (await readdir(path)).sort())
      if (!name.startsWith(".")) out[name] = await readFile(join(path, name), "utf8")
    return out
  })
const failure = (exit: Exit.Exit<unknown, SinkError>): SinkError => Option.getOrThrow(Exit.findErrorOption(exit))

describe("part files", () => {
  it("are named by writer and epoch; nothing is seen before the commit, nothing staged is left after it", async () => {
    await run(
      Effect.gen(function* () {
        const path = join(yield* temporaryFolder, "out")
        const sink = Files.jsonLines(path)
        const prepared = yield* prepare(sink, 12, [{ a: 1 }, { a: 2 }])
        expect(yield* listing(path)).toEqual([".staged"])
        yield* sink.commit(prepared)
        expect(yield* parts(path)).toEqual({ "part-0-00000012.jsonl": '{"a":1}\n{"a":2}\n' })
        expect(yield* listing(join(path, ".staged"))).toEqual(["q_0_epoch_00000012"])
      })
    )
  })

  it("an epoch without rows, or with refused ones only, makes no file", async () => {
    await run(
      Effect.gen(function* () {
        const path = join(yield* temporaryFolder, "out")
        const sink = Files.jsonLines(path)
        const writer = yield* sink.writer(context)
        yield* sink.commit(yield* writer.prepare(1))
        const dead = yield* writer.write({ rows: [{ a: Number.NaN }, 5] })
        expect(dead.map((d) => [d.before, d.reason, d.detail, new TextDecoder().decode(d.bytes)])).toEqual([
          [0, "sink", "a: NaN cannot be written", '{"a":"NaN"}'],
          [1, "sink", "a row must be an object", "5"]
        ])
        yield* sink.commit(yield* writer.prepare(2))
        expect(yield* listing(path)).toEqual([".staged"])
        expect(yield* sink.committed("q", "0")).toEqual(Option.some(2))
      })
    )
  })

  it("roll by size, in order of their names", async () => {
    await run(
      Effect.gen(function* () {
        const path = yield* temporaryFolder
        const sink = Files.csv(path, { rollBytes: 10 })
        yield* sink.commit(
          yield* prepare(sink, 1, [{ a: "1234567890" }, { a: "b" }, { a: "c" }, { a: "d" }, { a: "e" }])
        )
        expect(yield* parts(path)).toEqual({
          "part-0-00000001.csv": "a\n1234567890\n",
          "part-0-00000001_0001.csv": "a\nb\nc\nd\ne\n"
        })
      })
    )
  })

  it("what a source reads of a sink's folder is what was written", async () => {
    await run(
      Effect.gen(function* () {
        const path = yield* temporaryFolder
        const Row = Schema.Struct({ id: Schema.BigInt, at: Schema.Date, name: Schema.NullOr(Schema.String) })
        const rows = Array.from({ length: 40 }, (_, i) => ({
          id: 2n ** 60n + BigInt(i),
          at: new Date(i),
          name: i % 3 === 0 ? null : `"${i}",\n`
        }))
        const sink = Files.csv(path, { schema: Row, rollBytes: 500 })
        yield* sink.commit(yield* prepare(sink, 1, rows.slice(0, 25)))
        yield* sink.commit(yield* prepare(sink, 2, rows.slice(25)))
        yield* prepare(sink, 3, [rows[0]])
        const got = yield* readLane(Files.source({ path, format: Csv.rows(Row) }))
        expect(got.dead).toEqual([])
        expect(got.rows).toEqual(rows)
      })
    )
  })

  it("names of queries and writers do no harm and do not clash", async () => {
    await run(
      Effect.gen(function* () {
        const path = join(yield* temporaryFolder, "out")
        const sink = Files.jsonLines(path)
        const names = [
          "../../evil",
          "a/b",
          "a_b",
          "a b",
          "",
          ".",
          "..",
          "ä",
          "\ud800",
          "x".repeat(500),
          `${"x".repeat(499)}y`,
          "=",
          "A"
        ]
        for (const [i, writer] of names.entries())
          yield* sink.commit(yield* prepare(sink, 1, [{ i }], { ...context, writer }))
        expect(Object.values(yield* parts(path)).length).toBe(names.length)
        for (const writer of names) expect(yield* sink.committed("q", writer)).toEqual(Option.some(1))
        for (const query of names) expect(yield* sink.committed(query, "other")).toEqual(Option.none())
        expect(new Set(names.map(safeName)).size).toBe(names.length)
        expect(partName("0", 7, 0, ".csv")).toBe("part-0-00000007.csv")
      })
    )
  })

  it("columns: those of a schema are told to the planner; rows with more are refused", async () => {
    const Row = Schema.Struct({ a: Schema.Number, b: Schema.String })
    expect(Files.jsonLines("x", { schema: Row }).columns).toEqual(["a", "b"])
    expect(Files.csv("x", { columns: ["b"] }).columns).toEqual(["b"])
    expect(Files.jsonLines("x").columns).toBeUndefined()
    await run(
      Effect.gen(function* () {
        const writer = yield* Files.jsonLines(yield* temporaryFolder, { schema: Row }).writer(context)
        const dead = yield* writer.write({ rows: [{ a: 1, b: "x", c: 2 } as never, { a: 1, b: "x" }] })
        expect(dead.map((d) => [d.before, d.reason])).toEqual([[0, "sink"]])
      })
    )
  })

  it("wrong options are problems", () => {
    expect((Files.jsonLines("", { rollBytes: 0 }).problems ?? []).map((p) => p.option)).toEqual([
      "Files.rollBytes",
      "Files.folder"
    ])
    expect((Files.csv("x", { delimiter: "" }).problems ?? []).map((p) => p.option)).toEqual(["Files.csv.delimiter"])
  })
})

describe("C2, C3: whatever call fails, rows stand there once or not at all", () => {
  const rows = [{ n: 1 }, { n: 2 }, { n: 3 }]
  const text = '{"n":1}\n{"n":2}\n{"n":3}\n'

  it("an attempt that stops at any call of writing and preparing leaves nothing to be seen", async () => {
    let k = 0
    for (let done = false; !done; k++) {
      done = await run(
        Effect.gen(function* () {
          const path = join(yield* temporaryFolder, "out")
          const { fs } = failingFileSystem(k)
          const exit = yield* Effect.exit(using(fs)(prepare(Files.jsonLines(path), 1, rows)))
          if (Exit.isSuccess(exit)) return true
          expect(failure(exit)).toBeInstanceOf(SinkError)
          const sink = Files.jsonLines(path)
          yield* sink.commit(yield* prepare(sink, 1, rows))
          expect(yield* parts(path)).toEqual({ "part-0-00000001.jsonl": text })
          return false
        })
      )
    }
    expect(k).toBeGreaterThan(6)
  })

  it("a commit that stops at any call is finished by the next one, by whomever", async () => {
    for (const onwards of [true, false]) {
      let k = 0
      for (let done = false; !done; k++) {
        done = await run(
          Effect.gen(function* () {
            const path = join(yield* temporaryFolder, "out")
            const sink = Files.jsonLines(path, { rollBytes: 1 })
            yield* sink.commit(yield* prepare(sink, 1, rows))
            const second = yield* prepare(sink, 2, rows)
            const exit = yield* Effect.exit(using(failingFileSystem(k, onwards).fs)(sink.commit(second)))
            for (let i = 0; i < 2; i++) yield* Files.jsonLines(path).commit(second)
            expect(Object.values(yield* parts(path)).join("")).toBe(text + text)
            expect(yield* sink.committed("q", "0")).toEqual(Option.some(2))
            expect(yield* listing(join(path, ".staged"))).toEqual(["q_0_epoch_00000002"])
            return Exit.isSuccess(exit)
          })
        )
      }
      expect(k).toBeGreaterThan(11)
    }
  })

  it("parts that their reader took away are not written again", async () => {
    await run(
      Effect.gen(function* () {
        const root = yield* temporaryFolder
        const path = join(root, "out")
        const sink = Files.jsonLines(path)
        const first = yield* prepare(sink, 1, rows)
        yield* sink.commit(first)
        yield* promise(() => rename(join(path, "part-0-00000001.jsonl"), join(root, "taken.jsonl")))
        yield* sink.commit(first)
        expect(yield* parts(path)).toEqual({})
      })
    )
  })

  it("another process between link and marker: both finish, nothing is there twice", async () => {
    await run(
      Effect.gen(function* () {
        const path = join(yield* temporaryFolder, "out")
        const sink = Files.jsonLines(path)
        const prepared = yield* prepare(sink, 1, rows)
        let other = false
        const fs: FileSystem = {
          ...nodeFileSystem,
          syncDirectory: (folder) => {
            if (folder !== path || other) return nodeFileSystem.syncDirectory(folder)
            other = true
            return Effect.andThen(Effect.orDie(sink.commit(prepared)), nodeFileSystem.syncDirectory(folder))
          }
        }
        yield* using(fs)(sink.commit(prepared))
        expect(other).toBe(true)
        expect(yield* parts(path)).toEqual({ "part-0-00000001.jsonl": text })
      })
    )
  })
})

describe("a run that does not continue the one before", () => {
  it("is refused before it writes twice or drops, with what to do", async () => {
    await run(
      Effect.gen(function* () {
        const path = join(yield* temporaryFolder, "out")
        const sink = Files.jsonLines(path)
        for (const epoch of [1, 2, 3]) yield* sink.commit(yield* prepare(sink, epoch, [{ epoch }]))
        const before = yield* parts(path)
        for (const epoch of [1, 3]) {
          const error = failure(yield* Effect.exit(sink.commit(yield* prepare(sink, epoch, [{ again: epoch }]))))
          expect(error.message).toMatch(/written by an earlier run.*another folder/)
          expect(error.retryable).toBe(false)
        }
        expect(yield* parts(path)).toEqual(before)
      })
    )
  })

  it("also when only a foreign file has the part's name", async () => {
    await run(
      Effect.gen(function* () {
        const path = yield* temporaryFolder
        yield* promise(() => writeFile(join(path, "part-0-00000001.jsonl"), "mine"))
        const sink = Files.jsonLines(path)
        expect(failure(yield* Effect.exit(sink.commit(yield* prepare(sink, 1, [{}])))).message).toMatch(
          /part-0-00000001\.jsonl was written by an earlier run/
        )
        expect(yield* parts(path)).toEqual({ "part-0-00000001.jsonl": "mine" })
      })
    )
  })

  it("startOver takes the earlier output of the same writer away, and nothing else", async () => {
    await run(
      Effect.gen(function* () {
        const path = join(yield* temporaryFolder, "out")
        const sink = Files.jsonLines(path, { startOver: true })
        yield* promise(() => mkdir(path))
        for (const name of ["mine.jsonl", "part-0-notes.jsonl", "part-1-00000001.jsonl", "part-0-00000001.csv"])
          yield* promise(() => writeFile(join(path, name), name))
        for (const epoch of [1, 2]) yield* sink.commit(yield* prepare(Files.jsonLines(path), epoch, [{ epoch }]))
        yield* sink.commit(yield* prepare(sink, 1, [{ again: 1 }]))
        expect(yield* parts(path)).toEqual({
          "mine.jsonl": "mine.jsonl",
          "part-0-00000001.csv": "part-0-00000001.csv",
          "part-0-00000001.jsonl": '{"again":1}\n',
          "part-0-notes.jsonl": "part-0-notes.jsonl",
          "part-1-00000001.jsonl": "part-1-00000001.jsonl"
        })
        expect(yield* sink.committed("q", "0")).toEqual(Option.some(1))
      })
    )
  })

  it("staged output that was lost is an error, not an empty epoch", async () => {
    await run(
      Effect.gen(function* () {
        const path = join(yield* temporaryFolder, "out")
        const sink = Files.jsonLines(path)
        const prepared = yield* prepare(sink, 1, [{}])
        yield* promise(() => rm(join(path, ".staged"), { recursive: true }))
        expect(failure(yield* Effect.exit(sink.commit(prepared))).message).toMatch(/is gone before it was committed/)
        for (const data of [
          null,
          {},
          { files: [{ staged: "../x", part: "y" }] },
          { files: [{ staged: "a", part: "../../etc/x" }] }
        ]) {
          expect(failure(yield* Effect.exit(sink.commit({ ...prepared, data }))).message).toMatch(
            /not made by a file sink/
          )
        }
      })
    )
  })
})
