import { Effect, Exit, Option, type Scope } from "effect"
import { mkdir, readdir, symlink, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import * as Files from "../../src/connectors/files/Files.ts"
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
