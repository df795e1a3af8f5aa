import { Effect, Exit, Option, Schema } from "effect"
import { mkdir, readdir, rename, rm } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import * as Files from "../../src/connectors/files/Files.ts"
import { nodeFileSystem } from "../../src/connectors/files/nodeFileSystem.ts"
import { safeName } from "../../src/connectors/files/sinkNames.ts"
import * as Csv from "../../src/formats/Csv.ts"
import { SinkError } from "../../src/model/Errors.ts"
import { Failpoints } from "../../src/model/Failpoint.ts"
import { FileError, type FileSystem } from "../../src/model/FileSystem.ts"
import { failingFileSystem, interrupted, readLane, temporaryFolder } from "./support.ts"

import { after, context, failure, listing, part, parts, prepare, promise, run, tag, using } from "./sinkSupport.ts"

describe("part files", () => {
  it("are named by writer and epoch; nothing is seen before the commit, nothing staged is left after it", async () => {
    await run(
      Effect.gen(function* () {
        const path = join(yield* temporaryFolder, "out")
        const sink = Files.jsonLines(path)
        const prepared = yield* prepare(sink, 12, [{ a: 1 }, { a: 2 }])
        expect(yield* parts(path)).toEqual({})
        expect((yield* listing(path))[0]).toMatch(/^\.0000000001_q_0_[0-9a-f]{8}_[0-9a-z]+_0$/)
        yield* sink.commit(prepared)
        expect(part(12)).toMatch(/^part-0-00000012-[0-9a-f]{8}\.jsonl$/)
        expect(yield* parts(path)).toEqual({ [part(12)]: '{"a":1}\n{"a":2}\n' })
        expect(yield* listing(path)).toEqual([".staged", part(12)])
        expect(yield* listing(join(path, ".staged"))).toEqual([`q_0_epoch_00000012_${tag}`])
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
          [part(1, 0, ".csv")]: "a\n1234567890\n",
          [part(1, 1, ".csv")]: "a\nb\nc\nd\ne\n"
        })
      })
    )
  })

  it("C9: of an epoch prepared again have numbers that go on", async () => {
    await run(
      Effect.gen(function* () {
        const path = yield* temporaryFolder
        const sink = Files.csv(path, { rollBytes: 10 })
        const writer = yield* sink.writer(context)
        for (const a of ["1234567890", "b", "c"]) yield* writer.write({ rows: [{ a }] })
        yield* writer.prepare(2)
        yield* writer.write({ rows: [{ a: "d" }] })
        yield* sink.commit(yield* writer.prepare(2))
        const contents = ["a\n1234567890\n", "a\nb\nc\n", "a\nd\n"]
        expect(yield* parts(path)).toEqual(Object.fromEntries(contents.map((c, i) => [part(2, i, ".csv"), c])))
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
        yield* sink.commit(yield* prepare(sink, 2, rows.slice(25), after(1)))
        yield* prepare(sink, 3, [rows[0]], after(2))
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
          yield* sink.sweep?.({ ...context, attempt: 2, keep: undefined }) ?? Effect.void
          yield* sink.commit(yield* prepare(sink, 3, rows, { ...context, attempt: 2 }))
          expect(yield* parts(path)).toEqual({ [part(3)]: text })
          expect(yield* listing(path)).toEqual([".staged", part(3)])
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
            const second = yield* prepare(sink, 2, rows, after(1))
            const exit = yield* Effect.exit(using(failingFileSystem(k, onwards).fs)(sink.commit(second)))
            for (let i = 0; i < 2; i++) yield* Files.jsonLines(path).commit(second)
            yield* sink.sweep?.({ ...context, attempt: 3, keep: second }) ?? Effect.void
            expect(Object.values(yield* parts(path)).join("")).toBe(text + text)
            expect(yield* sink.committed("q", "0")).toEqual(Option.some(2))
            expect(yield* listing(join(path, ".staged"))).toEqual([`q_0_epoch_00000002_${tag}`])
            expect((yield* listing(path)).filter((name) => name.startsWith("."))).toEqual([".staged"])
            return Exit.isSuccess(exit)
          })
        )
      }
      expect(k).toBeGreaterThan(11)
    }
  })

  it("a reader may take a part away wherever a commit is cut off: no row is shown twice, none is lost", async () => {
    for (const onwards of [true, false]) {
      let k = 0
      for (let done = false; !done; k++) {
        done = await run(
          Effect.gen(function* () {
            const root = yield* temporaryFolder
            const path = join(root, "out")
            const taken = join(root, "taken")
            yield* promise(() => mkdir(taken))
            const take = promise(async () => {
              for (const name of (await readdir(path)).filter((n) => !n.startsWith("."))) {
                expect(await readdir(taken)).not.toContain(name)
                await rename(join(path, name), join(taken, name))
              }
            })
            const sink = Files.jsonLines(path, { rollBytes: 1 })
            const prepared = yield* prepare(sink, 2, rows)
            const exit = yield* Effect.exit(using(failingFileSystem(k, onwards).fs)(sink.commit(prepared)))
            for (let i = 0; i < 2; i++) {
              yield* take
              yield* Files.jsonLines(path).commit(prepared)
            }
            yield* take
            expect(Object.values(yield* parts(taken)).join("")).toBe(text)
            return Exit.isSuccess(exit)
          })
        )
      }
      expect(k).toBeGreaterThan(12)
    }
  })

  it("two processes that commit at once, one behind the other by any number of calls: nothing is there twice", async () => {
    for (let k = 0, met = true; met; k++) {
      met = false
      await run(
        Effect.gen(function* () {
          const path = join(yield* temporaryFolder, "out")
          const sink = Files.jsonLines(path, { rollBytes: 1 })
          const prepared = yield* prepare(sink, 1, rows)
          let call = 0
          const other = Effect.suspend(() => {
            if (call++ !== k) return Effect.void
            met = true
            return Effect.gen(function* () {
              yield* sink.commit(prepared)
              for (const name of yield* listing(path))
                if (!name.startsWith(".")) yield* promise(() => rm(join(path, name)))
              yield* sink.commit(yield* prepare(sink, 3, [{ n: 4 }], after(1)))
            }).pipe(Effect.orDie)
          })
          yield* using(interrupted(other))(sink.commit(prepared))
          if (met) expect(yield* parts(path)).toEqual({ [part(3)]: '{"n":4}\n' })
          else expect(Object.values(yield* parts(path)).join("")).toBe(text)
          yield* sink.commit(prepared)
          expect(yield* sink.committed("q", "0")).toEqual(Option.some(met ? 3 : 1))
        })
      )
      expect(k).toBeLessThan(60)
    }
  })
})

describe("C3: the steps of an epoch", () => {
  it("are failpoints, in their order", async () => {
    await run(
      Effect.gen(function* () {
        const path = join(yield* temporaryFolder, "out")
        const steps: Array<string> = []
        const noted = Effect.provideService(Failpoints, (name, when) =>
          Effect.sync(() => {
            if (when === "before" && name !== "dir.fsync.parent") steps.push(name)
          })
        )
        const sink = Files.jsonLines(path, { rollBytes: 1 })
        yield* sink.commit(yield* prepare(sink, 1, [{ n: 0 }]))
        const prepared = yield* noted(prepare(sink, 2, [{ n: 1 }, { n: 2 }], after(1)))
        expect(steps.splice(0)).toEqual(["stage.write", "stage.fsync", "stage.write", "stage.fsync", "dir.fsync.stage"])
        yield* noted(sink.commit(prepared))
        expect(steps.splice(0)).toEqual(["dir.fsync.stage", "file.link", "file.link", "dir.fsync.out", "file.unlink"])
        yield* noted(sink.commit(prepared))
        expect(steps.splice(0)).toEqual(["dir.fsync.stage", "file.link", "file.link", "dir.fsync.out"])
        yield* prepare(sink, 3, [{ n: 3 }], after(2))
        yield* noted(sink.sweep?.({ ...context, attempt: 9, keep: prepared }) ?? Effect.void)
        expect(steps).toEqual(["file.unlink", "dir.fsync.stage"])
      })
    )
  })

  it("a full disk, or one that fails, says so; the writer then fails always, since what was not synced may be gone", async () => {
    await run(
      Effect.gen(function* () {
        for (const [code, message] of [
          ["NoSpace", /the disk is full: make room there/],
          ["Denied", /the user of this process needs the right to read and write there/],
          ["Other", /fsync .*: planted$/]
        ] as const) {
          const sink = Files.jsonLines(join(yield* temporaryFolder, "out"))
          let isBroken = true
          const fs: FileSystem = {
            ...nodeFileSystem,
            open: (path, mode) =>
              Effect.map(nodeFileSystem.open(path, mode), (file) => ({
                ...file,
                sync: Effect.suspend(() =>
                  isBroken
                    ? Effect.fail(new FileError({ code, operation: "fsync", path, message: `fsync ${path}: planted` }))
                    : file.sync
                )
              }))
          }
          const writer = yield* using(fs)(sink.writer(context))
          yield* writer.write({ rows: [{ n: 1 }] })
          const error = yield* Effect.flip(writer.prepare(2))
          expect(error.message).toMatch(message)
          expect(error.retryable).toBe(code !== "Denied")
          isBroken = false
          expect(yield* Effect.flip(writer.prepare(2))).toBe(error)
          expect(yield* Effect.flip(writer.write({ rows: [{ n: 1 }] }))).toBe(error)
        }
      })
    )
  })
})
