/** Rows that are read from files: as JSON lines on a simulated disk, put there by someone else before any process starts. */
import * as Effect from "effect/Effect"
import { Files, Json } from "tidemark"
import { makeFolder, pathIn } from "../../src/connectors/files/FileSystem.ts"
import type { FileError } from "../../src/model/FileSystem.ts"
import type { SimulatedDisk } from "../../src/testing/SimulatedDisk.ts"
import type { Partition, Row } from "../../test/oracle/Job.ts"

/** What JSON cannot say of an event time is no instant either way. */
const lineOf = (row: Row): string =>
  `${JSON.stringify(row, (_, v: unknown) => (v === undefined || typeof v === "bigint" ? null : v))}\n`

/** Puts the rows of each partition into `each` files of a folder, whose names deal them to one lane for each partition. */
export const putFiles = (
  disk: SimulatedDisk,
  folder: string,
  partitions: ReadonlyArray<Partition>,
  each: number
): void => {
  const { fs } = disk.process()
  const put = (name: string, text: string): Effect.Effect<void, FileError> =>
    Effect.gen(function* () {
      const file = yield* fs.open(pathIn(folder, name), "create")
      yield* file.append(new TextEncoder().encode(text))
      yield* file.sync
    })
  Effect.runSync(
    Effect.gen(function* () {
      yield* makeFolder(fs, folder)
      for (const [p, { rows }] of partitions.entries()) {
        const size = Math.ceil(rows.length / each)
        for (let n = 0; n < each; n++)
          yield* put(
            `${n}-${p}.jsonl`,
            rows
              .slice(n * size, (n + 1) * size)
              .map(lineOf)
              .join("")
          )
      }
      yield* fs.syncDirectory(folder)
    })
  )
}

/** A source of such files. */
export const filesOf = (folder: string, lanes: number) => Files.source({ path: folder, format: Json.lines(), lanes })
