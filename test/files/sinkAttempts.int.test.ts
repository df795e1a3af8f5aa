import { Effect, Exit, Option } from "effect"
import { rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import * as Files from "../../src/connectors/files/Files.ts"
import { partName, stagedName, tagOf } from "../../src/connectors/files/sinkNames.ts"
import type { SinkError } from "../../src/model/Errors.ts"
import type { WriterContext } from "../../src/model/Sink.ts"
import { interrupted, temporaryFolder } from "./support.ts"
import { after, context, failure, listing, part, parts, prepare, promise, run, tag, using } from "./sinkSupport.ts"

describe("C5, C6: a run that does not continue the one before", () => {
  const opens = (path: string, c: WriterContext, options = {}): Effect.Effect<Exit.Exit<unknown, SinkError>> =>
    Effect.exit(Effect.scoped(Files.jsonLines(path, options).writer(c)))
  /** A folder with three committed epochs. */
  const folder = Effect.gen(function* () {
    const path = join(yield* temporaryFolder, "out")
    const sink = Files.jsonLines(path)
    for (const epoch of [1, 2, 3]) yield* sink.commit(yield* prepare(sink, epoch, [{ epoch }], after(epoch - 1)))
    return path
  })

  it("is refused when its writer opens, with what to do, and changes nothing", async () => {
    await run(
      Effect.gen(function* () {
        const path = yield* folder
        const before = yield* parts(path)
        for (const [c, message] of [
          [{ ...context, queryId: "anew" }, /output of q up to epoch 3, by an earlier run.*another folder.*startOver/],
          [after(2, { queryId: "anew" }), /up to 3, written by another run.*goes on from 2/],
          [context, /up to 3, and the checkpoint goes on from 0: another process has taken the query over/],
          [after(2), /up to 3, and the checkpoint goes on from 2.*older checkpoint/]
        ] as const) {
          const error = failure(yield* opens(path, c))
          expect(error.message).toMatch(message)
          expect(error.retryable).toBe(false)
        }
        expect(failure(yield* opens(path, after(2), { startOver: true })).message).toMatch(/older checkpoint/)
        expect(failure(yield* opens(path, context, { startOver: true })).message).toMatch(/taken the query over/)
        expect(yield* parts(path)).toEqual(before)
        for (const c of [after(3), after(7), after(3, { queryId: "anew" }), { ...context, query: "other" }])
          expect(Exit.isSuccess(yield* opens(path, c))).toBe(true)
        expect(Exit.isSuccess(yield* opens(join(path, "new output"), after(3)))).toBe(true)
      })
    )
  })

  it("an epoch that is there with other content is refused by the commit too", async () => {
    await run(
      Effect.gen(function* () {
        const path = join(yield* temporaryFolder, "out")
        const sink = Files.jsonLines(path)
        const early = yield* prepare(sink, 1, [{ again: 1 }])
        const same = yield* prepare(sink, 3, [{ again: 3 }])
        for (const epoch of [1, 2, 3]) yield* sink.commit(yield* prepare(sink, epoch, [{ epoch }], after(epoch - 1)))
        const before = yield* parts(path)
        for (const prepared of [early, same])
          expect(failure(yield* Effect.exit(sink.commit(prepared))).message).toMatch(
            /is there already, with other content/
          )
        expect(yield* parts(path)).toEqual(before)
      })
    )
  })

  it("a foreign file that has the part's name is not written over", async () => {
    await run(
      Effect.gen(function* () {
        const path = yield* temporaryFolder
        yield* promise(() => writeFile(join(path, part(1)), "mine"))
        const sink = Files.jsonLines(path)
        expect(failure(yield* Effect.exit(sink.commit(yield* prepare(sink, 1, [{}])))).message).toContain(part(1))
        expect(yield* parts(path)).toEqual({ [part(1)]: "mine" })
      })
    )
  })

  it("startOver takes the earlier output of the same query and writer away, and nothing else", async () => {
    await run(
      Effect.gen(function* () {
        const path = yield* folder
        const sink = Files.jsonLines(path, { startOver: true })
        const mine = [
          "mine.jsonl",
          "part-0-notes.jsonl",
          "part-0-00000001.csv",
          partName("0", 1, 0, "0123abcd", ".jsonl")
        ]
        for (const name of mine) yield* promise(() => writeFile(join(path, name), name))
        const others = [after(3, { writer: "1" }), { ...context, query: "other", queryId: "other" }]
        for (const c of others) yield* sink.commit(yield* prepare(Files.jsonLines(path), 4, [{ c: c.query }], c))
        const anew = { ...context, queryId: "anew" }
        yield* prepare(Files.jsonLines(path), 4, [{ left: 1 }], after(3))
        yield* sink.commit(yield* prepare(sink, 2, [{ again: 2 }], anew))
        yield* sink.commit(
          yield* prepare(sink, 3, [{ again: 3 }], { ...anew, attempt: 2, continues: 2, begins: "checkpoint" })
        )
        const found = yield* parts(path)
        for (const name of mine) expect(found[name]).toBe(name)
        expect(
          Object.values(found)
            .filter((text) => text.startsWith("{"))
            .sort()
        ).toEqual(['{"again":2}\n', '{"again":3}\n', '{"c":"other"}\n', '{"c":"q"}\n'])
        expect((yield* listing(path)).filter((name) => name.startsWith("."))).toEqual([".staged"])
        expect(yield* sink.committed("q", "0")).toEqual(Option.some(3))
        expect(yield* sink.committed("other", "0")).toEqual(Option.some(4))
      })
    )
  })

  it("that begins with a savepoint leaves the output there which that covers, and startOver does too", async () => {
    for (const startOver of [false, true]) {
      await run(
        Effect.gen(function* () {
          const path = yield* folder
          const before = yield* parts(path)
          const begun = { ...context, queryId: "anew", begins: "savepoint" } as const
          const sink = Files.jsonLines(path, { startOver })
          // Of a store of its own, so with lower numbers than those in the folder.
          yield* sink.commit(yield* prepare(sink, 2, [{ next: 2 }], begun))
          const next = { ...begun, attempt: 2, continues: 2, begins: "checkpoint" } as const
          yield* sink.commit(yield* prepare(sink, 3, [{ next: 3 }], next))
          const added = [2, 3].map((n) => [partName("0", n, 0, tagOf("anew"), ".jsonl"), `{"next":${n}}\n`])
          expect(yield* parts(path)).toEqual({ ...before, ...Object.fromEntries(added) })
          expect(yield* sink.committed("q", "0")).toEqual(Option.some(3))
        })
      )
    }
  })

  it("an overtaken attempt that starts over late takes nothing away, wherever it was frozen", async () => {
    for (let k = 0, met = true; met; k++) {
      met = false
      await run(
        Effect.gen(function* () {
          const path = yield* folder
          const anew: WriterContext = { ...context, queryId: "anew" }
          const sink = Files.jsonLines(path, { startOver: true })
          let call = 0
          const other = Effect.suspend(() => {
            if (call++ !== k) return Effect.void
            met = true
            const c = { ...anew, attempt: 2 }
            return Effect.orDie(Effect.flatMap(prepare(sink, 3, [{ anew: 3 }], c), sink.commit))
          })
          yield* Effect.exit(using(interrupted(other))(prepare(sink, 2, [{ zombie: 2 }], anew)))
          if (met) {
            expect(yield* parts(path)).toEqual({ [partName("0", 3, 0, tagOf("anew"), ".jsonl")]: '{"anew":3}\n' })
            expect(yield* sink.committed("q", "0")).toEqual(Option.some(3))
          }
        })
      )
      expect(k).toBeLessThan(60)
    }
  })

  it("what a killed commit left of a marker is swept, but not a higher attempt's", async () => {
    await run(
      Effect.gen(function* () {
        const path = yield* folder
        const names = [2, 5, 9].map(
          (attempt) => `${stagedName({ query: "q", writer: "0", attempt, tag }, "x", 0).slice(1, -2)}.marker`
        )
        for (const name of names) yield* promise(() => writeFile(join(path, ".staged", name), "half"))
        yield* Files.jsonLines(path).sweep?.({ ...context, attempt: 5, keep: undefined }) ?? Effect.void
        const left = yield* listing(join(path, ".staged"))
        expect(left).toEqual([names[1], names[2], `q_0_epoch_00000003_${tag}`])
        yield* Files.jsonLines(join(path, "none")).sweep?.({ ...context, attempt: 5, keep: undefined }) ?? Effect.void
      })
    )
  })

  it("staged output that was lost is an error, not an empty epoch", async () => {
    await run(
      Effect.gen(function* () {
        const path = join(yield* temporaryFolder, "out")
        const sink = Files.jsonLines(path)
        const prepared = yield* prepare(sink, 1, [{}])
        yield* promise(() => rm(path, { recursive: true }))
        expect(failure(yield* Effect.exit(sink.commit(prepared))).message).toMatch(/is gone before it was committed/)
        for (const data of [
          null,
          {},
          { attempt: 1, tag, files: [{ staged: "../x", part: "y" }] },
          { attempt: 1, tag, files: [{ staged: "a", part: "../../etc/x" }] },
          { attempt: 1, tag: "../x", files: [] },
          { attempt: "../x", tag, files: [] }
        ]) {
          expect(failure(yield* Effect.exit(sink.commit({ ...prepared, data }))).message).toMatch(
            /not made by a file sink/
          )
        }
      })
    )
  })
})
