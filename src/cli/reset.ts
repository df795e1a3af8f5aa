/** `tidemark reset NAME`: forgets a query's checkpoint, once `--yes` is said; before, says what would be forgotten. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Manifest } from "../checkpoint/Manifest.ts"
import { listQueries, readChain } from "../checkpoint/ReadChain.ts"
import { resetQuery } from "../checkpoint/resetQuery.ts"
import { isObjectName, type ObjectStore } from "../model/ObjectStore.ts"
import { inWordsOf, resetCommand } from "./advice.ts"
import { checkpointStore } from "./checkpoint.ts"
import { type CliFailure, describeError, ExitCode, failed } from "./failure.ts"
import { Host } from "./Host.ts"
import { count, cut, instant, many, oneLine } from "./words.ts"

/** What the command line said. */
export interface ResetOptions {
  readonly name: string
  readonly checkpoint: string
  readonly yes: boolean
}

/** Names shown of those that there are. */
const namesShown = 20

/** Fails unless the store has a checkpoint of that name; says which there are. */
export const checkQuery = (objects: ObjectStore, name: string, folder: string): Effect.Effect<void, CliFailure> =>
  Effect.gen(function* () {
    const shown = cut(oneLine(name), 200)
    if (name.includes("/") || !isObjectName(name)) {
      return yield* Effect.fail(failed(`"${shown}" is not the name of a query (1 to 128 of A-Z a-z 0-9 . _ -)`))
    }
    const names = yield* Effect.mapError(listQueries(objects), (error) => failed(describeError(error)))
    if (names.includes(name)) return
    const some = names.slice(0, namesShown).join(", ")
    const others = names.length > namesShown ? `, and ${count(names.length - namesShown)} more` : ""
    const there = names.length === 0 ? "there are none" : `there are ${some}${others}`
    return yield* Effect.fail(failed(`no query named ${shown} has a checkpoint in ${folder}: ${there}`))
  })

const standing = ({ epoch, atMs, readers, ended }: Manifest): string => {
  const how = ended === undefined ? "" : ended === "exhausted" ? ", its input read to the end" : ", stopped"
  const rows = readers.reduce((sum, reader) => sum + reader.rows, 0)
  return `epoch ${count(epoch)} of ${instant(atMs)} UTC${how}: ${many(rows, "row")} read from ${many(readers.length, "partition")}`
}

const sinksOf = ({ plan }: Manifest): ReadonlyArray<string> => [
  ...new Set(plan.operators.flatMap(({ parameters: { sink } }) => (typeof sink === "string" ? [oneLine(sink)] : [])))
]

/** What stays, as sentences. */
const remains = (manifest: Manifest | undefined): ReadonlyArray<string> => {
  const sinks = manifest === undefined ? [] : sinksOf(manifest)
  const places = sinks.length === 0 ? "its sinks" : sinks.join(", ")
  return [
    `what it wrote to ${places} stays: begun anew, it writes those rows again;`,
    "a file sink refuses to begin beside that, until it is moved away or the sink has startOver: true;",
    "dead letters and savepoints stay as well"
  ]
}

/** Resets a query. */
export const reset = (options: ResetOptions): Effect.Effect<void, CliFailure, Host> =>
  Effect.gen(function* () {
    const { name, checkpoint } = options
    const host = yield* Host
    const objects = yield* checkpointStore(checkpoint)
    yield* checkQuery(objects, name, checkpoint)
    // One that cannot be read can be forgotten all the same.
    const found = yield* Effect.option(readChain(objects, name))
    const manifest = Option.getOrUndefined(Option.flatten(found))?.manifest
    const what =
      manifest === undefined
        ? "a checkpoint that cannot be read"
        : manifest.epoch === 0
          ? "no epoch yet"
          : standing(manifest)
    if (!options.yes) {
      host.result(`${name}  ${what}`)
      for (const line of remains(manifest)) host.result(`  ${line}`)
      const again = `nothing was forgotten: say ${resetCommand(name, checkpoint)}`
      return yield* Effect.fail(failed(again, ExitCode.usage))
    }
    yield* Effect.mapError(resetQuery(objects, name), (error) => failed(describeError(inWordsOf("reset", error))))
    host.result(`${name}  forgotten: ${what}`)
    for (const line of remains(manifest)) host.result(`  ${line}`)
  })
