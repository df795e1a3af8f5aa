import { Duration, Effect, Fiber, Option, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { rename, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { FileSystem } from "../../src/connectors/files/FileSystem.ts"
import * as Files from "../../src/connectors/files/Files.ts"
import { nodeFileSystem } from "../../src/connectors/files/nodeFileSystem.ts"
import * as Json from "../../src/formats/Json.ts"
import { failure, folderWith, numbered, promise, readLane, run, values } from "./support.ts"

describe("a watched folder", () => {
  const watching = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
    run(Effect.provide(effect, TestClock.layer()))
  const pause = promise(() => new Promise((resolve) => setTimeout(resolve, 10)))
  /** One interval passes, and there is time for a look at the folder. */
  const interval = Effect.andThen(Effect.andThen(pause, TestClock.adjust(Duration.seconds(10))), pause)
  /** Intervals pass until it is so. */
  const eventually = (so: () => boolean): Effect.Effect<void> =>
    Effect.gen(function* () {
      for (let i = 0; i < 300 && !so(); i++) yield* interval
    })

  it("takes each file once, when it did not change for an interval, in the order of names", async () => {
    await watching(
      Effect.gen(function* () {
        const path = yield* folderWith({
          "b.jsonl": numbered(2, 4),
          "a.jsonl": numbered(0, 2),
          "empty.jsonl": "",
          ".d.jsonl": numbered(8, 9)
        })
        // Still being written: it grows between any two looks, however late a look is.
        const growing = { looks: 0, until: 0 }
        const fs = {
          ...nodeFileSystem,
          info: (file: string) =>
            file === join(path, "c.jsonl") && growing.looks < growing.until
              ? Effect.andThen(
                  promise(() => writeFile(file, numbered(20, 21 + growing.looks++))),
                  nodeFileSystem.info(file)
                )
              : nodeFileSystem.info(file)
        }
        const source = Files.source({ path, format: Json.lines(), watch: "10 seconds" })
        expect(source.features.bounded).toBe(false)
        const cursor = yield* Effect.provideService(source.open("lane-0", Option.none()), FileSystem, fs)
        const seen: Array<unknown> = []
        const reader = yield* Effect.forkScoped(
          Effect.forever(
            Effect.map(cursor.pull({ rows: 100, bytes: 1 << 20 }), (c) => seen.push(...values(c.rows ?? [])))
          )
        )
        yield* pause
        expect(seen).toEqual([])
        yield* eventually(() => seen.length >= 4)
        expect(seen).toEqual([0, 1, 2, 3])
        growing.until = 6
        yield* promise(() => writeFile(join(path, "c.jsonl"), numbered(20, 21)))
        yield* eventually(() => growing.looks >= 5)
        expect(seen).toEqual([0, 1, 2, 3])
        yield* eventually(() => seen.length >= 10)
        const first = [0, 1, 2, 3, 20, 21, 22, 23, 24, 25]
        expect(seen).toEqual(first)
        // A name before those that were read, by a rename; what was read is moved away; the empty one is filled.
        yield* promise(() => rename(join(path, ".d.jsonl"), join(path, "0.jsonl")))
        yield* promise(() => rm(join(path, "a.jsonl")))
        yield* eventually(() => seen.length >= 11)
        yield* promise(() => writeFile(join(path, "empty.jsonl"), numbered(9, 10)))
        yield* eventually(() => seen.length >= 12)
        for (let i = 0; i < 3; i++) yield* interval
        expect(seen).toEqual([...first, 8, 9])
        yield* Fiber.interrupt(reader)
      })
    )
  })

  it("goes on at a position: in the file, and without what was read", async () => {
    await run(
      Effect.gen(function* () {
        const path = yield* folderWith({ "a.jsonl": numbered(0, 4), "b.jsonl": numbered(4, 8) })
        const source = Files.source({ path, format: Json.lines(), watch: "2 millis" })
        const all = yield* readLane(source, { rows: 3, enough: 8 })
        expect(values(all.rows)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
        yield* promise(() => writeFile(join(path, "0.jsonl"), numbered(8, 9)))
        expect(values((yield* readLane(source, { from: all.positions[0], enough: 6 })).rows)).toEqual([
          3, 8, 4, 5, 6, 7
        ])
        expect(values((yield* readLane(source, { from: all.positions.at(-1) as never, enough: 1 })).rows)).toEqual([8])
        // The file that was being read is gone: said, and then the others.
        yield* promise(() => rm(join(path, "a.jsonl")))
        const gone = yield* readLane(source, { from: all.positions[0], enough: 6 })
        expect(values(gone.rows)).toEqual([8, 4, 5, 6, 7])
        expect(gone.dead.map((d) => d.detail)).toEqual(["the file is gone: it was there when its folder was listed"])
      })
    )
  })

  it("lanes share the files by their names, each exactly once", async () => {
    await run(
      Effect.gen(function* () {
        const files = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`f${i}.jsonl`, numbered(i, i + 1)]))
        const source = Files.source({
          path: yield* folderWith(files),
          format: Json.lines(),
          watch: "2 millis",
          lanes: 3
        })
        const seen: Array<unknown> = []
        const read = (lane: string) =>
          Effect.gen(function* () {
            const cursor = yield* source.open(lane, Option.none())
            return yield* Effect.forever(
              Effect.map(cursor.pull({ rows: 2, bytes: 99 }), (c) => seen.push(...values(c.rows ?? [])))
            )
          })
        for (const lane of yield* source.partitions(new Set())) yield* Effect.forkScoped(Effect.scoped(read(lane)))
        for (let i = 0; i < 500 && seen.length < 12; i++) yield* Effect.sleep(10)
        yield* Effect.sleep(30)
        expect([...seen].sort((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 12 }, (_, i) => i))
      })
    )
  })

  it("a folder that is not there is an error", async () => {
    const source = Files.source({ path: "/nonexistent/folder", format: Json.lines(), watch: true })
    expect(failure(await Effect.runPromiseExit(source.partitions(new Set()))).message).toContain("/nonexistent/folder")
  })
})
