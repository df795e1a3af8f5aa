/**
 * Where dead letters go when nobody said otherwise: one object of JSON lines per epoch in the checkpoint store,
 * `dead/<query>/<epoch>-<run>.jsonl`. Kept until someone deletes them.
 *
 * Exactly once: letters are prepared in the epoch's own record, or in a staged object when they are many, and put under
 * the epoch's name when it is committed, which may be repeated (rule C2). A marker beside the staged objects says what was
 * committed last, so that letters which someone took away do not come back. An epoch without letters costs no request,
 * and leaves no marker.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { DeadLetter } from "../model/DeadLetter.ts"
import { StoreError } from "../model/Errors.ts"
import { failpoint } from "../model/Failpoint.ts"
import { hashPair } from "../model/Hash.ts"
import { Limits } from "../model/Limits.ts"
import type { ObjectStore } from "../model/ObjectStore.ts"
import { fieldOf } from "../model/RowChunk.ts"
import type { CountedPrepared, Prepared, Sink, SinkWriter, SweepContext, WriterContext } from "../model/Sink.ts"

const prefixOf = (query: string): string => `dead/${query}/`
const stagedPrefixOf = (query: string): string => `dead-staged/${query}/`

const hashText = (...texts: ReadonlyArray<string>): string => {
  const pair = new Int32Array(2)
  hashPair(JSON.stringify(texts), pair)
  return [...pair].map((n) => (n >>> 0).toString(16).padStart(8, "0")).join("")
}

const padded = (n: number): string => String(n).padStart(10, "0")

/** Object names sort by epoch. Those of another chain, and of another writer, differ. */
const nameOf = (query: string, epoch: number, tag: string): string => `${prefixOf(query)}${padded(epoch)}-${tag}.jsonl`

const tagOf = (queryId: string, writer: string): string => hashText(queryId, writer)

const stagedName = (query: string, attempt: number, tag: string, epoch: number): string =>
  `${stagedPrefixOf(query)}${padded(attempt)}-${tag}-${padded(epoch)}`

/** Attempt and tag of a staged object's name; undefined for any other name. */
const stagedBy = (name: string): { readonly attempt: number; readonly tag: string } | undefined => {
  const found = /\/(\d{10,})-([0-9a-f]{16})-\d{10,}$/.exec(name)
  return found === null ? undefined : { attempt: Number(found[1]), tag: found[2] }
}

const markerName = (query: string, writer: string): string => `${stagedPrefixOf(query)}marker-${hashText(writer)}`

interface Marker {
  readonly tag: string
  readonly epoch: number
}

/** What a `Prepared` carries: the letters, or the object that they are staged in; neither when there are none. */
interface LettersRecord {
  readonly tag: string
  readonly lines?: string
  readonly staged?: string
}

const failure = (objects: ObjectStore, name: string, message: string, cause?: unknown): StoreError =>
  new StoreError({
    store: objects.name,
    name,
    operation: "get",
    message: `${objects.name}: ${name}: ${message}`,
    cause
  })

const readMarker = (
  objects: ObjectStore,
  query: string,
  writer: string
): Effect.Effect<Marker | undefined, StoreError> =>
  Effect.gen(function* () {
    const name = markerName(query, writer)
    const bytes = Option.getOrUndefined(yield* objects.get(name))
    if (bytes === undefined) return undefined
    const [tag, epoch] = new TextDecoder().decode(bytes).split(" ")
    if (/^[0-9a-f]{16}$/.test(tag) && /^\d+$/.test(epoch ?? "")) return { tag, epoch: Number(epoch) }
    const message =
      "is not a marker of dead letters: was it changed? Delete it, and the last epoch's letters may come again"
    return yield* Effect.fail(failure(objects, name, message))
  })

const recordOf = (objects: ObjectStore, { query, epoch, data }: Prepared): Effect.Effect<LettersRecord, StoreError> => {
  const sound = [fieldOf(data, "lines"), fieldOf(data, "staged")].every((v) => v === undefined || typeof v === "string")
  if (sound && /^[0-9a-f]{16}$/.test(String(fieldOf(data, "tag")))) return Effect.succeed(data as LettersRecord)
  const message = `the record of epoch ${epoch} was not made by this sink: the dead-letter sink of ${query} has changed; start with a new checkpoint`
  return Effect.fail(failure(objects, prefixOf(query), message))
}

const makeWriter = (objects: ObjectStore, context: WriterContext): SinkWriter<DeadLetter, StoreError> => {
  const { query, queryId, writer, attempt } = context
  const tag = tagOf(queryId, writer)
  let lines: Array<string> = []
  let count = { epoch: -1, rows: 0 }
  /** The last one prepared: the same number again goes on with it (rule C9). */
  let last: { readonly epoch: number; readonly text: string } = { epoch: -1, text: "" }
  return {
    write: ({ rows }) =>
      Effect.sync(() => {
        for (const row of rows) lines.push(JSON.stringify(row))
        return []
      }),
    prepare: (epoch) =>
      Effect.gen(function* () {
        const text = `${last.epoch === epoch ? last.text : ""}${lines.map((line) => `${line}\n`).join("")}`
        const rows = (count.epoch === epoch ? count.rows : 0) + lines.length
        const prepared = (more: Partial<LettersRecord>): CountedPrepared => ({
          query,
          writer,
          epoch,
          data: { tag, ...more },
          rows
        })
        let record = prepared(text === "" ? {} : { lines: text })
        if (text.length > Limits.deadLettersInlineMax) {
          const staged = stagedName(query, attempt, tag, epoch)
          yield* failpoint("stage.write", objects.put(staged, new TextEncoder().encode(text)))
          record = prepared({ staged })
        }
        lines = []
        count = { epoch, rows }
        last = { epoch, text }
        return record
      })
  }
}

const commitTo = (objects: ObjectStore, prepared: Prepared): Effect.Effect<void, StoreError> =>
  Effect.gen(function* () {
    const { query, writer, epoch } = prepared
    const { tag, lines, staged } = yield* recordOf(objects, prepared)
    if (lines === undefined && staged === undefined) return
    const isCommitted = Effect.map(readMarker(objects, query, writer), (m) => m?.tag === tag && m.epoch >= epoch)
    if (!(yield* isCommitted)) {
      const bytes =
        staged === undefined ? new TextEncoder().encode(lines) : Option.getOrUndefined(yield* objects.get(staged))
      if (bytes !== undefined) {
        yield* objects.put(nameOf(query, epoch, tag), bytes)
        yield* objects.put(markerName(query, writer), new TextEncoder().encode(`${tag} ${epoch}`))
      } else if (!(yield* isCommitted) && Option.isNone(yield* objects.get(nameOf(query, epoch, tag)))) {
        const message = `the dead letters of epoch ${epoch} of ${query} are gone before they were committed: was the folder cleaned? Start from the beginning with a new checkpoint`
        return yield* Effect.fail(failure(objects, staged ?? "", message))
      }
    }
    if (staged !== undefined) yield* objects.delete(staged)
  })

/** A new chain begins without a marker; one that goes on finds its own. */
const begin = (objects: ObjectStore, context: WriterContext): Effect.Effect<void, StoreError> =>
  Effect.gen(function* () {
    const { query, queryId, writer, continues } = context
    const marker = yield* readMarker(objects, query, writer)
    if (marker === undefined) return
    if (marker.tag !== tagOf(queryId, writer)) {
      if (continues === 0) yield* objects.delete(markerName(query, writer))
      return
    }
    if (marker.epoch <= continues) return
    const message = `holds dead letters of ${query} up to epoch ${marker.epoch}, and the checkpoint goes on from ${continues}: another process has taken the query over meanwhile, or this is an older checkpoint: start with the newest one`
    return yield* Effect.fail(failure(objects, markerName(query, writer), message))
  })

const sweepIn = (
  objects: ObjectStore,
  { query, queryId, writer, attempt, keep }: SweepContext
): Effect.Effect<void, StoreError> =>
  Effect.gen(function* () {
    const tag = tagOf(queryId, writer)
    const kept = fieldOf(keep?.data, "staged")
    for (const name of yield* objects.list(stagedPrefixOf(query), sweptMax)) {
      const by = stagedBy(name)
      if (by !== undefined && by.tag === tag && by.attempt < attempt && name !== kept) yield* objects.delete(name)
    }
  })

/** Staged objects looked at by one sweep; an attempt leaves a few at most, and the next sweep goes on. */
const sweptMax = 1000

/** A sink for dead letters on an object store. */
export const deadLetterSink = (objects: ObjectStore): Sink<DeadLetter, "append", StoreError> => ({
  name: `dead letters in ${objects.name}`,
  features: { modes: ["append"], guarantee: "exactly-once", multiWriter: true, deletes: false },
  writer: (context) => Effect.map(begin(objects, context), () => makeWriter(objects, context)),
  commit: (prepared) => commitTo(objects, prepared),
  committed: (query, writer) =>
    Effect.map(readMarker(objects, query, writer), (marker) => Option.fromUndefinedOr(marker?.epoch)),
  sweep: (context) => sweepIn(objects, context)
})

/** The dead letters kept for a query, oldest first; at most `limit` objects' worth. */
export const deadLettersOf = (
  objects: ObjectStore,
  query: string,
  limit: number
): Effect.Effect<ReadonlyArray<DeadLetter>, StoreError> =>
  Effect.gen(function* () {
    const letters: Array<DeadLetter> = []
    for (const name of yield* objects.list(prefixOf(query), limit)) {
      const bytes = yield* objects.get(name)
      if (Option.isNone(bytes)) continue
      for (const line of new TextDecoder().decode(bytes.value).split("\n")) {
        if (line === "") continue
        letters.push(
          yield* Effect.try({
            try: () => JSON.parse(line) as DeadLetter,
            catch: (cause) => failure(objects, name, "is not a file of dead letters", cause)
          })
        )
      }
    }
    return letters
  })
