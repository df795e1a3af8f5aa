import { Effect, type Scope } from "effect"
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { gzipSync, zstdCompressSync } from "node:zlib"
import { parquetWriteBuffer } from "hyparquet-writer"
import * as Files from "../../src/connectors/files/Files.ts"
import type { Format } from "../../src/formats/Format.ts"
import * as Csv from "../../src/formats/Csv.ts"
import * as Json from "../../src/formats/Json.ts"
import * as Parquet from "../../src/formats/Parquet.ts"
import * as Text from "../../src/formats/Text.ts"
import { Limits } from "../../src/model/Limits.ts"
import type { SourceFeatures } from "../../src/model/Source.ts"
import { sinkConformance, type SinkUnderTest } from "../conformance/sink.ts"
import { type Contents, sourceConformance, type SourceUnderTest } from "../conformance/source.ts"
import { storeConformance } from "../conformance/store.ts"
import { countingFileSystem, temporaryFolder } from "./support.ts"

storeConformance(
  "files",
  Effect.map(temporaryFolder, (path) => Files.store(join(path, "store")))
)

interface Row {
  readonly n: number
  readonly text: string
}
const rowsOf = (file: string, count: number): ReadonlyArray<Row> =>
  Array.from({ length: count }, (_, n) => ({ n, text: `${file} "${n}", ä` }))

/** Three files, dealt to two lanes: a and c, b. */
const inputs = { a: rowsOf("a", 23), b: rowsOf("b", 11), c: rowsOf("c", 4) }

interface Kind {
  readonly name: string
  readonly extension: string
  readonly format: Format<unknown>
  readonly write: (rows: ReadonlyArray<Row>) => Uint8Array
  readonly read?: (row: Row) => unknown
}
const text = (s: string): Uint8Array => new TextEncoder().encode(s)
const lines = (rows: ReadonlyArray<Row>): Uint8Array => text(rows.map((r) => `${JSON.stringify(r)}\n`).join(""))

const kinds: ReadonlyArray<Kind> = [
  { name: "JSON lines", extension: "jsonl", format: Json.lines(), write: lines },
  { name: "JSON lines, gzip", extension: "jsonl.gz", format: Json.lines(), write: (rows) => gzipSync(lines(rows)) },
  {
    name: "JSON lines, zstd",
    extension: "jsonl.zst",
    format: Json.lines(),
    write: (rows) => zstdCompressSync(lines(rows))
  },
  { name: "JSON array", extension: "json", format: Json.array(), write: (rows) => text(JSON.stringify(rows, null, 1)) },
  {
    name: "CSV",
    extension: "csv",
    format: Csv.rows(),
    write: (rows) => text(`n,text\n${rows.map((r) => `${r.n},"${r.text.replaceAll('"', '""')}"\n`).join("")}`),
    read: (r) => ({ n: String(r.n), text: r.text })
  },
  {
    name: "text",
    extension: "txt",
    format: Text.lines(),
    write: (rows) => text(rows.map((r) => `${r.text}\n`).join("")),
    read: (r) => ({ value: r.text })
  },
  {
    name: "Parquet",
    extension: "parquet",
    format: Parquet.rows(),
    write: (rows) =>
      new Uint8Array(
        parquetWriteBuffer({
          rowGroupSize: 7,
          columnData: [
            { name: "n", data: rows.map((r) => r.n), type: "INT32" },
            { name: "text", data: rows.map((r) => r.text), type: "STRING" }
          ]
        })
      )
  }
]

const bounded: SourceFeatures = {
  bounded: true,
  appendTime: false,
  endPosition: true,
  replayable: true,
  dynamicPartitions: false
}

const made = (kind: Kind): Effect.Effect<SourceUnderTest<unknown>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const path = yield* temporaryFolder
    const read = kind.read ?? ((r: Row) => r)
    for (const [name, rows] of Object.entries(inputs))
      yield* Effect.promise(() => writeFile(join(path, `${name}.${kind.extension}`), kind.write(rows)))
    const { fs, open } = countingFileSystem()
    const source = Files.source({ path, format: kind.format, lanes: 2 })
    const provided = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provideService(effect, Files.FileSystem, fs)
    const contents: ReadonlyMap<string, Contents<unknown>> = new Map([
      ["lane-0", { rows: [...inputs.a, ...inputs.c].map(read) }],
      ["lane-1", { rows: inputs.b.map(read) }]
    ])
    return {
      source: {
        ...source,
        partitions: (known) => provided(source.partitions(known)),
        open: (p, from) => provided(source.open(p, from))
      },
      contents,
      held: Effect.sync(open)
    }
  })

for (const kind of kinds) sourceConformance(`files, ${kind.name}`, bounded, made(kind))

sourceConformance(
  "files, with bad lines",
  bounded,
  Effect.gen(function* () {
    const path = yield* temporaryFolder
    const bad = Buffer.concat([text(`{"n":1}\nnot json\n\n[1]\n{"n":2}\n`), Uint8Array.of(0xff, 10)])
    yield* Effect.promise(() => writeFile(join(path, "a.jsonl"), bad))
    yield* Effect.promise(() =>
      writeFile(join(path, "b.jsonl.gz"), gzipSync(Buffer.concat([bad, bad])).subarray(0, -5))
    )
    const rows = [{ n: 1 }, { n: 2 }]
    const contents = new Map<string, Contents<unknown>>([["lane-0", { rows: [...rows, ...rows, ...rows], dead: 10 }]])
    return { source: Files.source({ path, format: Json.lines() as Format<unknown> }), contents }
  })
)

sourceConformance(
  "files, watched",
  { ...bounded, bounded: false, endPosition: false },
  Effect.gen(function* () {
    const path = yield* temporaryFolder
    yield* Effect.promise(() => writeFile(join(path, "a.jsonl"), lines(inputs.a)))
    yield* Effect.promise(() => writeFile(join(path, "b.jsonl"), lines(inputs.b)))
    let count = 0
    return {
      source: Files.source({ path, format: Json.lines() as Format<unknown>, watch: "5 millis" }),
      contents: new Map<string, Contents<unknown>>([["lane-0", { rows: [...inputs.a, ...inputs.b] }]]),
      more: () =>
        Effect.promise(async () => {
          const rows = rowsOf("more", 5)
          await writeFile(join(path, `more-${count++}.jsonl`), lines(rows))
          return rows
        })
    }
  })
)

const visible = (
  path: string,
  parse: (content: string) => ReadonlyArray<unknown>
): Effect.Effect<ReadonlyArray<unknown>> =>
  Effect.promise(async () => {
    const out: Array<unknown> = []
    for (const name of (await readdir(path)).sort())
      if (!name.startsWith(".")) out.push(...parse(await readFile(join(path, name), "utf8")))
    return out
  })

/** The suite only writes in the modes that the features name. */
const asTested = (sink: unknown): SinkUnderTest["sink"] => sink as SinkUnderTest["sink"]

const sinkFeatures = {
  modes: ["append"],
  guarantee: "exactly-once",
  epochIntervalMs: Limits.filesEpochIntervalMs,
  multiWriter: false,
  deletes: false
} as const

/** Staged files, and markers that were not finished. */
const staged = (path: string): Effect.Effect<number> =>
  Effect.promise(async () => {
    const names = [...(await readdir(path)), ...(await readdir(join(path, ".staged")))]
    return names.filter((name) => /^\.?\d{10}_/.test(name)).length
  })

/** A reader that moves what it sees to a folder of its own. */
const take = (path: string): Effect.Effect<void> =>
  Effect.promise(async () => {
    await mkdir(join(path, "..", "taken"), { recursive: true })
    for (const name of await readdir(path))
      if (!name.startsWith(".")) await rename(join(path, name), join(path, "..", "taken", name))
  })

const jsonl = (content: string): ReadonlyArray<unknown> =>
  content
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as unknown)

for (const rollBytes of [undefined, 64]) {
  sinkConformance(
    `files, JSON lines, ${rollBytes === undefined ? "one file an epoch" : "rolling"}`,
    sinkFeatures,
    Effect.gen(function* () {
      const path = join(yield* temporaryFolder, "deep", "out")
      yield* Effect.promise(() => mkdir(path, { recursive: true }))
      const options = rollBytes === undefined ? {} : { rollBytes }
      const make = () => asTested(Files.jsonLines(path, options))
      return { sink: make(), again: make, visible: visible(path, jsonl), staged: staged(path), take: take(path) }
    })
  )
}

const csvRecords = (content: string): ReadonlyArray<unknown> =>
  // Quoted cells of the suite hold line breaks: a record ends where its quotes are even.
  content
    .split("\n")
    .reduce<Array<string>>((records, line) => {
      const last = records.at(-1)
      if (last !== undefined && last.split('"').length % 2 === 0) records[records.length - 1] = `${last}\n${line}`
      else records.push(line)
      return records
    }, [])
    .filter((record) => record !== "" && record !== "k,n,text")

sinkConformance(
  "files, CSV",
  sinkFeatures,
  Effect.gen(function* () {
    const path = join(yield* temporaryFolder, "out")
    yield* Effect.promise(() => mkdir(path))
    return {
      sink: asTested(Files.csv(path)),
      again: () => asTested(Files.csv(path)),
      visible: visible(path, csvRecords),
      staged: staged(path),
      take: take(path),
      rendered: (r) => `${r.k},${r.n},${r.text}`
    }
  })
)
