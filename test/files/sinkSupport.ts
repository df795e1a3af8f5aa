/** What the tests of the file sink share: a writer's context, prepared epochs, and what stands in a folder. */
import { Effect, Exit, Option, type Scope } from "effect"
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import * as Files from "../../src/connectors/files/Files.ts"
import { partName, tagOf } from "../../src/connectors/files/sinkNames.ts"
import type { SinkError } from "../../src/model/Errors.ts"
import type { FileSystem } from "../../src/model/FileSystem.ts"
import type { Prepared, Sink, WriterContext } from "../../src/model/Sink.ts"
import { context as contextOf } from "../conformance/sinkWorld.ts"

/** Runs an effect with a scope of its own. */
export const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.scoped(effect))
/** A promise as an effect. */
export const promise = <A>(f: () => Promise<A>): Effect.Effect<A> => Effect.promise(f)
/** The first attempt of query `q`, writer `0`. */
export const context = contextOf("append", { writer: "0" })
/** The same query, going on from an epoch, under the next takeover. */
export const after = (continues: number, more: Partial<WriterContext> = {}): WriterContext => ({
  ...context,
  continues,
  begins: continues > 0 ? "checkpoint" : "anew",
  attempt: continues + 1,
  ...more
})
/** Part files end with the tag of their chain of checkpoints. */
export const tag = tagOf(context.queryId)
/** Name of a part of that writer. */
export const part = (epoch: number, index = 0, extension = ".jsonl"): string =>
  partName("0", epoch, index, tag, extension)
/** With another file system. */
export const using = (fs: FileSystem) => Effect.provideService(Files.FileSystem, fs)

/** Rows as a prepared epoch, as a manifest would bring it back. */
export const prepare = <A>(
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

/** Names in a folder. */
export const listing = (path: string): Effect.Effect<ReadonlyArray<string>> =>
  promise(async () => (await readdir(path)).sort())
/** The rows of every part, by part. */
export const parts = (path: string): Effect.Effect<{ readonly [part: string]: string }> =>
  promise(async () => {
    const out: { [part: string]: string } = {}
    for (const name of (await readdir(path)).sort())
      if (!name.startsWith(".")) out[name] = await readFile(join(path, name), "utf8")
    return out
  })
/** What an effect failed with. */
export const failure = (exit: Exit.Exit<unknown, SinkError>): SinkError => Option.getOrThrow(Exit.findErrorOption(exit))
