/**
 * What a file sink does when an attempt begins: it looks whether the folder is the one that the checkpoint goes on from,
 * removes an earlier run's output where it was asked to, and sweeps what attempts before it left (rule C5).
 *
 * An attempt that was overtaken may be frozen in the middle of any of this and go on much later. So an attempt only ever
 * removes staged files of lower attempts of its own chain, and parts and markers of other chains; their names are never
 * those of a newer attempt's files.
 */
import * as Effect from "effect/Effect"
import { SinkError } from "../../model/Errors.ts"
import { failpoint } from "../../model/Failpoint.ts"
import type { FileError, FileSystem } from "../../model/FileSystem.ts"
import type { SweepContext, WriterContext } from "../../model/Sink.ts"
import { makeFolder, pathIn, syncFolder, unlinkIfThere } from "./FileSystem.ts"
import { markersOf, type Place, recordOf } from "./fileCommit.ts"
import { markedEpoch, partTag, stagedBy, tagOf } from "./sinkNames.ts"

/** Removes from a folder what `goes` names; durable. */
const removeFrom = (
  fs: FileSystem,
  folder: string,
  what: "out" | "stage",
  goes: (name: string) => boolean
): Effect.Effect<void, FileError> =>
  Effect.gen(function* () {
    let removed = 0
    for (const { name } of yield* fs.readDirectory(folder)) {
      if (!goes(name)) continue
      yield* failpoint("file.unlink", unlinkIfThere(fs, pathIn(folder, name)))
      removed++
    }
    if (removed > 0) yield* syncFolder(fs, folder, what)
  })

/** Removes what other chains of this query left of this writer: its parts, and then the markers that would name them. */
const removeOutput = (
  fs: FileSystem,
  { folder, staging }: Place,
  { query, writer }: WriterContext,
  mine: string,
  others: ReadonlySet<string>
): Effect.Effect<void, FileError> =>
  Effect.gen(function* () {
    const isOther = (tag: string | undefined): boolean => tag !== undefined && tag !== mine
    yield* removeFrom(fs, folder, "out", (name) => {
      return others.has(partTag(name, writer) ?? "") || isOther(stagedBy(name, query, writer)?.tag)
    })
    yield* removeFrom(fs, staging, "stage", (name) => {
      return isOther(markedEpoch(name, query, writer)?.tag) || isOther(stagedBy(name, query, writer)?.tag)
    })
  })

/**
 * Makes the sink's folders ready for a writer. Refuses a folder that holds epochs which the checkpoint does not have: to
 * write them again, and to drop what has their number, would both be wrong. A folder that holds fewer, or nothing, is that
 * of a new output. What stands beside a query that begins with a savepoint is what the savepoint covers: those parts stay.
 */
export const openFolder = (
  fs: FileSystem,
  place: Place & { readonly startOver: boolean },
  context: WriterContext
): Effect.Effect<void, FileError | SinkError> =>
  Effect.gen(function* () {
    const { query, writer, continues, begins } = context
    const mine = tagOf(context.queryId)
    const refuse = (message: string) =>
      Effect.fail(new SinkError({ connector: place.name, retryable: false, message: `${place.name}: ${message}` }))
    yield* makeFolder(fs, place.staging)
    const found = yield* markersOf(fs, place.staging, query, writer)
    const last = found.at(0)?.epoch ?? 0
    const ours = found.find((m) => m.tag === mine)?.epoch ?? 0
    if (ours > continues) {
      return yield* refuse(
        `holds epochs of ${query} up to ${ours}, and the checkpoint goes on from ${continues}: another process has taken the query over meanwhile, or this is an older checkpoint, which would write the epochs after it twice: start with the newest one`
      )
    }
    if (continues > 0) {
      if (last <= continues) return
      return yield* refuse(
        `holds epochs of ${query} up to ${last}, written by another run than the checkpoint's, which goes on from ${continues}: start it with the checkpoint of that run, or choose another folder`
      )
    }
    if (begins === "savepoint") {
      // Its numbers may be higher than those of the epochs to come, which would be taken for done.
      return yield* removeFrom(fs, place.staging, "stage", (name) => {
        const marked = markedEpoch(name, query, writer)
        return marked !== undefined && marked.tag !== mine
      })
    }
    if (place.startOver) {
      return yield* removeOutput(
        fs,
        place,
        context,
        mine,
        new Set(found.map((m) => m.tag).filter((tag) => tag !== mine))
      )
    }
    if (found.length > 0) {
      return yield* refuse(
        `holds output of ${query} up to epoch ${last}, by an earlier run that this one does not go on from: start it with the checkpoint of that run, or choose another folder, or remove this one, or have it removed by startOver`
      )
    }
  })

/** Takes away what lower attempts of the chain staged, but for `keep`, and markers that they had not finished. */
export const sweepFiles = (
  fs: FileSystem,
  place: Place,
  { query, queryId, writer, attempt, keep }: SweepContext
): Effect.Effect<void, FileError | SinkError> =>
  Effect.gen(function* () {
    const mine = tagOf(queryId)
    const kept = new Set(keep === undefined ? [] : (yield* recordOf(place, keep)).files.map((f) => f.staged))
    const goes = (name: string): boolean => {
      const by = stagedBy(name, query, writer)
      return by !== undefined && by.tag === mine && by.attempt < attempt && !kept.has(name)
    }
    yield* removeFrom(fs, place.folder, "stage", goes)
    yield* removeFrom(fs, place.staging, "stage", goes)
  }).pipe(
    Effect.catchIf(
      (e) => e._tag === "FileError" && e.code === "NotFound",
      () => Effect.void
    )
  )
