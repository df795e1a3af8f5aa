/** The conformance suite of object stores: registers the laws of `src/model/ObjectStore.ts` for one implementation. */
import { Effect, Option, type Scope } from "effect"
import { describe, expect, it } from "vitest"
import type { ObjectStore } from "../../src/model/ObjectStore.ts"

const text = (s: string): Uint8Array => new TextEncoder().encode(s)

/** Bytes that no text encoding survives, the same on every run. */
const noise = (length: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  let x = 0x9e3779b9
  for (let i = 0; i < length; i++) {
    x = (Math.imul(x ^ (x >>> 15), 0x2c1b3c6d) + i) | 0
    bytes[i] = x >>> 11
  }
  return bytes
}

/** The laws of an object store, by title. */
export const storeLaws: Record<string, (store: ObjectStore) => Effect.Effect<void, unknown>> = {
  "has a name for errors": (store) => Effect.sync(() => expect(store.name).not.toBe("")),
  "get of a name that is not there is none": (store) =>
    Effect.gen(function* () {
      expect(Option.isNone(yield* store.get("a/b"))).toBe(true)
    }),
  "put, then get: the same bytes, empty and large ones too": (store) =>
    Effect.gen(function* () {
      for (const [i, bytes] of [
        new Uint8Array(0),
        text("hello"),
        Uint8Array.from([0, 255, 10, 13, 128]),
        noise(5_000_000)
      ].entries()) {
        yield* store.put(`sizes/${i}`, bytes)
        const got = Option.getOrThrow(yield* store.get(`sizes/${i}`))
        expect(got).toBeInstanceOf(Uint8Array)
        expect(Buffer.compare(got, bytes)).toBe(0)
      }
    }),
  "put overwrites, with shorter bytes too": (store) =>
    Effect.gen(function* () {
      yield* store.put("a", text("long, longer"))
      yield* store.put("a", text("short"))
      expect(Option.getOrThrow(yield* store.get("a"))).toEqual(text("short"))
    }),
  "keeps its own copy: changing the caller's bytes changes nothing": (store) =>
    Effect.gen(function* () {
      const bytes = text("before")
      yield* store.put("a", bytes)
      bytes.fill(0)
      const got = Option.getOrThrow(yield* store.get("a"))
      expect(got).toEqual(text("before"))
      got.fill(0)
      expect(Option.getOrThrow(yield* store.get("a"))).toEqual(text("before"))
    }),
  "puts the bytes of a view, not of its whole buffer": (store) =>
    Effect.gen(function* () {
      yield* store.put("view", noise(100).subarray(10, 20))
      expect(Option.getOrThrow(yield* store.get("view"))).toEqual(noise(100).slice(10, 20))
    }),
  "putIfAbsent creates once and never overwrites": (store) =>
    Effect.gen(function* () {
      expect(yield* store.putIfAbsent("a/b", text("first"))).toBe(true)
      expect(yield* store.putIfAbsent("a/b", text("second"))).toBe(false)
      expect(Option.getOrThrow(yield* store.get("a/b"))).toEqual(text("first"))
      yield* store.put("c", new Uint8Array(0))
      expect(yield* store.putIfAbsent("c", text("second"))).toBe(false)
    }),
  "of 50 putIfAbsent at once exactly one wins, and its bytes are there": (store) =>
    Effect.gen(function* () {
      const won = yield* Effect.forEach(
        Array.from({ length: 50 }, (_, i) => i),
        (i) =>
          Effect.map(store.putIfAbsent("race/n", text(`writer ${i} ${"x".repeat(i * 100)}`)), (created) => ({
            i,
            created
          })),
        { concurrency: "unbounded" }
      )
      const winners = won.filter((w) => w.created)
      expect(winners.length).toBe(1)
      const { i } = winners[0]
      expect(Option.getOrThrow(yield* store.get("race/n"))).toEqual(text(`writer ${i} ${"x".repeat(i * 100)}`))
    }),
  "a reader beside writers sees one whole object or the other": (store) =>
    Effect.gen(function* () {
      const [a, b] = [noise(300_000), noise(300_000).reverse()]
      yield* store.put("swap", a)
      const writes = Effect.forEach(
        Array.from({ length: 10 }, (_, i) => i),
        (i) => store.put("swap", i % 2 === 0 ? b : a)
      )
      const reads = Effect.forEach(
        Array.from({ length: 20 }, (_, i) => i),
        () =>
          Effect.map(store.get("swap"), (got) => {
            const bytes = Option.getOrThrow(got)
            expect(Buffer.compare(bytes, a) === 0 || Buffer.compare(bytes, b) === 0).toBe(true)
          })
      )
      yield* Effect.all([writes, reads], { concurrency: "unbounded" })
    }),
  "after a delete the name is free again; deleting a missing name succeeds": (store) =>
    Effect.gen(function* () {
      yield* store.delete("a/b")
      yield* store.put("a/b", text("x"))
      yield* store.delete("a/b")
      yield* store.delete("a/b")
      expect(Option.isNone(yield* store.get("a/b"))).toBe(true)
      expect(yield* store.list("", 10)).toEqual([])
      expect(yield* store.putIfAbsent("a/b", text("y"))).toBe(true)
    }),
  "lists names in code-unit order, the first `limit` of them": (store) =>
    Effect.gen(function* () {
      const names = ["b", "a/2", "a/10", "a/1", "A", "a0", "a-b", "a.b", "a=b", "a_b", "a/b/c", "Z/1", "0"]
      for (const name of names) yield* store.put(name, text(name))
      const sorted = [...names].sort((x, y) => (x < y ? -1 : 1))
      expect(yield* store.list("", 1000)).toEqual(sorted)
      expect(yield* store.list("", 3)).toEqual(sorted.slice(0, 3))
      expect(yield* store.list("", 1)).toEqual(sorted.slice(0, 1))
      expect(yield* store.list("", names.length)).toEqual(sorted)
    }),
  "lists the newest of many first, whatever lies behind": (store) =>
    Effect.gen(function* () {
      const name = (n: number): string =>
        `q/copy/${String(9999 - n)
          .padStart(4, "0")
          .slice(0, 2)}/${9999 - n}`
      for (let n = 1; n <= 250; n++) yield* store.put(name(n), text(String(n)))
      for (let n = 1; n < 120; n++) yield* store.delete(name(n))
      expect(yield* store.list("q/copy/", 2)).toEqual([name(250), name(249)])
      expect(yield* store.list("q/copy/", 131)).toEqual(Array.from({ length: 131 }, (_, i) => name(250 - i)))
      expect((yield* store.list("q/", 1000)).length).toBe(131)
      expect(yield* store.list("q/copy/", 0)).toEqual([])
      for (let n = 120; n <= 250; n++) yield* store.delete(name(n))
      expect(yield* store.list("", 1000)).toEqual([])
      yield* store.put("q/copy", text("a name that was a folder's"))
      expect(yield* store.list("", 1000)).toEqual(["q/copy"])
    }),
  "lists by prefix: a folder, part of a name, nothing": (store) =>
    Effect.gen(function* () {
      for (const name of ["a/1", "a/2", "a2", "ab/1", "b"]) yield* store.put(name, text(name))
      expect(yield* store.list("a/", 10)).toEqual(["a/1", "a/2"])
      expect(yield* store.list("a", 10)).toEqual(["a/1", "a/2", "a2", "ab/1"])
      expect(yield* store.list("a/2", 10)).toEqual(["a/2"])
      expect(yield* store.list("ab/", 1)).toEqual(["ab/1"])
      expect(yield* store.list("zz", 10)).toEqual([])
      expect(yield* store.list("none/such/", 10)).toEqual([])
    }),
  "a folder is not an object": (store) =>
    Effect.gen(function* () {
      yield* store.put("deep/er/and/deeper/1", text("1"))
      yield* store.put("deep/er/and/deeper/2", text("2"))
      expect(yield* store.list("deep/er/", 10)).toEqual(["deep/er/and/deeper/1", "deep/er/and/deeper/2"])
      expect(Option.isNone(yield* store.get("deep/er"))).toBe(true)
    }),
  "refuses bad names with a StoreError, and does nothing": (store) =>
    Effect.gen(function* () {
      const long = "x".repeat(900)
      for (const bad of [
        "",
        "/",
        "a/",
        "/a",
        "a//b",
        "..",
        "../a",
        "a/../b",
        ".",
        ".hidden",
        "a/.b",
        "a b",
        "a\\b",
        "a\0",
        "ä",
        "a:b",
        "a%2fb",
        long
      ]) {
        const calls: ReadonlyArray<Effect.Effect<unknown, { readonly _tag: string }>> = [
          store.get(bad),
          store.put(bad, text("x")),
          store.putIfAbsent(bad, text("x")),
          store.delete(bad)
        ]
        for (const call of calls) expect((yield* Effect.flip(call))._tag, JSON.stringify(bad)).toBe("StoreError")
      }
      expect(yield* store.list("", 10)).toEqual([])
    }),
  "takes names such as __proto__ and constructor as any other": (store) =>
    Effect.gen(function* () {
      for (const name of ["__proto__", "constructor", "toString", "a/__proto__"]) {
        expect(Option.isNone(yield* store.get(name))).toBe(true)
        expect(yield* store.putIfAbsent(name, text(name))).toBe(true)
        expect(Option.getOrThrow(yield* store.get(name))).toEqual(text(name))
      }
      expect(yield* store.list("", 10)).toEqual(["__proto__", "a/__proto__", "constructor", "toString"])
    })
}

/** Registers the laws. `make` gives a new, empty store for each, in a scope that ends with it. */
export const storeConformance = (name: string, make: Effect.Effect<ObjectStore, unknown, Scope.Scope>): void => {
  describe(`store conformance: ${name}`, () => {
    for (const [title, law] of Object.entries(storeLaws)) {
      it(title, () => Effect.runPromise(Effect.scoped(Effect.flatMap(make, law))))
    }
  })
}
