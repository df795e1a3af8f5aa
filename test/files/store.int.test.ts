import { Effect, Exit, Option, type Scope } from "effect"
import { mkdir, readdir, symlink, utimes, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import * as Files from "../../src/connectors/files/Files.ts"
import { nodeFileSystem } from "../../src/connectors/files/nodeFileSystem.ts"
import { Failpoints } from "../../src/model/Failpoint.ts"
import { FileError, type FileSystem } from "../../src/model/FileSystem.ts"
import { Limits } from "../../src/model/Limits.ts"
import { failingFileSystem, temporaryFolder } from "./support.ts"

const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> => Effect.runPromise(Effect.scoped(effect))
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

describe("the object store in a folder", () => {
  it("whatever call of a put fails, the object is the old one or the new one, whole; nothing is left beside it", async () => {
    for (const conditional of [false, true]) {
      for (let k = 0; ; k++) {
        const done = await run(
          Effect.gen(function* () {
            const path = yield* temporaryFolder
            const store = Files.store(path)
            if (!conditional) yield* store.put("a/b", bytes("old"))
            const { fs } = failingFileSystem(k, false)
            const put = conditional ? store.putIfAbsent("a/b", bytes("new")) : store.put("a/b", bytes("new"))
            const exit = yield* Effect.exit(Effect.provideService(put, Files.FileSystem, fs))
            const got = Option.map(yield* store.get("a/b"), (b) => new TextDecoder().decode(b))
            if (Exit.isSuccess(exit)) expect(got).toEqual(Option.some("new"))
            else expect([Option.none(), Option.some("old"), Option.some("new")]).toContainEqual(got)
            expect(yield* store.list("", 9)).toEqual(Option.isSome(got) ? ["a/b"] : [])
            return Exit.isSuccess(exit) && k > 8
          })
        )
        if (done) break
      }
    }
  })

  it("what a crash left of a put is not seen, and is in nobody's way", async () => {
    await run(
      Effect.gen(function* () {
        const path = yield* temporaryFolder
        yield* Effect.promise(() => mkdir(join(path, "a")))
        yield* Effect.promise(() => writeFile(join(path, "a", ".tmp-x1"), "half"))
        const store = Files.store(`${path}/`)
        expect(yield* store.list("", 9)).toEqual([])
        expect(yield* store.putIfAbsent("a/b", bytes("x"))).toBe(true)
        expect((yield* Effect.promise(() => readdir(join(path, "a")))).sort()).toEqual([".tmp-x1", "b"])
      })
    )
  })

  it("what a crash left long ago is removed by the next process that puts there; what is new is not", async () => {
    await run(
      Effect.gen(function* () {
        const path = yield* temporaryFolder
        const long = (Date.now() - Limits.checkpointTimeoutMs) / 1000
        for (const [name, seconds] of [
          [".tmp-old", long - 60],
          [".tmp-new", long + 60],
          [".other", long - 60]
        ] as const) {
          yield* Effect.promise(() => writeFile(join(path, name), "half"))
          yield* Effect.promise(() => utimes(join(path, name), seconds, seconds))
        }
        const store = Files.store(path)
        yield* store.put("a", bytes("x"))
        expect((yield* Effect.promise(() => readdir(path))).sort()).toEqual([".other", ".tmp-new", "a"])
      })
    )
  })

  it("a listing reads only the folders that it needs, and gives nothing that is not durable", async () => {
    await run(
      Effect.gen(function* () {
        const path = yield* temporaryFolder
        const store = Files.store(path)
        for (let i = 0; i < 12; i++) yield* store.put(`q/primary/${10 + (i % 6)}/${i}`, bytes("x"))
        yield* store.put("q/data/x", bytes("x"))
        const calls: Array<string> = []
        const fs: FileSystem = {
          ...nodeFileSystem,
          readDirectory: (p) =>
            Effect.tap(nodeFileSystem.readDirectory(p), () => Effect.sync(() => calls.push(`read ${p}`))),
          syncDirectory: (p) =>
            Effect.tap(nodeFileSystem.syncDirectory(p), () => Effect.sync(() => calls.push(`sync ${p}`)))
        }
        const list = (prefix: string, limit: number) =>
          Effect.provideService(store.list(prefix, limit), Files.FileSystem, fs)
        expect(yield* list("q/primary/", 3)).toEqual(["q/primary/10/0", "q/primary/10/6", "q/primary/11/1"])
        const read = ["q/primary", "q/primary/10", "q/primary/11"].map((folder) => join(path, folder))
        expect(calls).toEqual(read.flatMap((folder) => [`read ${folder}`, `sync ${folder}`]))
        calls.length = 0
        expect(yield* list("q/primary/13/", 9)).toEqual(["q/primary/13/3", "q/primary/13/9"])
        expect(calls.length).toBe(2)
      })
    )
  })

  it("deleting the last object of a folder takes the folder away; a put at the same time does not mind", async () => {
    await run(
      Effect.gen(function* () {
        const path = yield* temporaryFolder
        const store = Files.store(path)
        yield* store.put("q/a/b/1", bytes("x"))
        yield* store.put("q/c", bytes("x"))
        yield* store.delete("q/a/b/1")
        expect(yield* Effect.promise(() => readdir(join(path, "q")))).toEqual(["c"])
        const other = Files.store(path)
        const both = (s: typeof store, n: number) =>
          Effect.andThen(s.put(`q/a/b/${n}`, bytes("x")), s.delete(`q/a/b/${n}`))
        yield* Effect.forEach(
          Array.from({ length: 60 }, (_, i) => i),
          (i) => both(i % 2 === 0 ? store : other, i),
          { concurrency: 4 }
        )
        expect(yield* store.list("q/", 9)).toEqual(["q/c"])
      })
    )
  })

  it("says what to do about a full disk, and about a folder that it may not write in", async () => {
    await run(
      Effect.gen(function* () {
        const path = yield* temporaryFolder
        for (const [code, message] of [
          ["NoSpace", /put "a\/b".*the disk is full: make room for/],
          ["Denied", /put "a\/b".*needs the right to read and write in/]
        ] as const) {
          const refuse = (operation: string) => (at: string) =>
            Effect.fail(new FileError({ code, operation, path: at, message: `${operation} ${at}: planted` }))
          const fs: FileSystem = { ...nodeFileSystem, open: refuse("open") }
          const put = Effect.provideService(Files.store(path).put("a/b", bytes("x")), Files.FileSystem, fs)
          expect((yield* Effect.flip(put)).message).toMatch(message)
        }
      })
    )
  })

  it("C3: its steps are failpoints, named by the folder", async () => {
    await run(
      Effect.gen(function* () {
        const steps: Array<string> = []
        const noted = Effect.provideService(Failpoints, (name, when) =>
          Effect.sync(() => {
            if (name !== "dir.fsync.parent") steps.push(`${when} ${name}`)
          })
        )
        const store = Files.store(yield* temporaryFolder)
        for (const name of ["queries/data/primary/0/1", "queries/copy/data/1", "queries/q/copy/1", "dead/q/1"])
          yield* noted(store.putIfAbsent(name, bytes("x")))
        expect(steps.filter((step) => step.startsWith("after"))).toEqual([
          "after dir.fsync.primary",
          "after snapshot.fsync",
          "after dir.fsync.data",
          "after dir.fsync.copy"
        ])
      })
    )
  })

  it("never leaves its folder", async () => {
    await run(
      Effect.gen(function* () {
        const path = yield* temporaryFolder
        yield* Effect.promise(() => writeFile(join(path, "outside"), "secret"))
        yield* Effect.promise(() => mkdir(join(path, "store")))
        yield* Effect.promise(() => symlink(path, join(path, "store", "up")))
        const store = Files.store(join(path, "store"))
        for (const prefix of ["..", "../", "../out", "/", "a/../..", "./", "a//"])
          expect(yield* store.list(prefix, 9), prefix).toEqual([])
        expect(yield* store.list("", 9)).toEqual([])
        for (const name of ["../outside", "/etc/passwd", "a/../../outside"])
          expect(Exit.isFailure(yield* Effect.exit(store.get(name)))).toBe(true)
      })
    )
  })

  it("an object where a folder stands, and the other way round, is an error that names it", async () => {
    await run(
      Effect.gen(function* () {
        const store = Files.store(yield* temporaryFolder)
        yield* store.put("a/b", bytes("x"))
        expect(Exit.isFailure(yield* Effect.exit(store.put("a", bytes("y"))))).toBe(true)
        const error = yield* Effect.flip(store.put("a/b/c", bytes("z")))
        expect(error.message).toContain("a/b/c")
        expect(Option.isNone(yield* store.get("a/b/c"))).toBe(true)
        yield* store.delete("a/b/c")
        expect(yield* store.list("", 9)).toEqual(["a/b"])
      })
    )
  })
})
