import { Effect, Exit, Option, Schema } from "effect"
import { chmod, rm, symlink, truncate, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { gzipSync, zstdCompressSync } from "node:zlib"
import { describe, expect, it } from "vitest"
import * as Files from "../../src/connectors/files/Files.ts"
import * as Csv from "../../src/formats/Csv.ts"
import * as Json from "../../src/formats/Json.ts"
import * as Parquet from "../../src/formats/Parquet.ts"
import * as Text from "../../src/formats/Text.ts"
import { SourceError } from "../../src/model/Errors.ts"
import { position } from "../../src/model/Position.ts"
import { told } from "../formats/support.ts"
import { failure, folderWith, numbered, promise, readLane, run, values } from "./support.ts"

describe("which files", () => {
  const files = {
    "b.txt": "b",
    "a.txt": "a",
    ".hidden": "x",
    _SUCCESS: "x",
    "c.tmp": "x",
    "sub/d.txt": "d",
    "sub/deep/e.txt": "e",
    "_sub/f.txt": "x",
    "x.log": "x.log"
  }
  const read = (path: (folder: string) => string) =>
    run(
      Effect.gen(function* () {
        const folder = yield* folderWith(files)
        yield* promise(() => symlink(join(folder, "a.txt"), join(folder, "link.txt")))
        yield* promise(() => symlink(folder, join(folder, "sub", "round")))
        return values((yield* readLane(Files.source({ path: path(folder), format: Text.lines() }))).rows)
      })
    )

  it("one file, a folder, a glob, folders below; names of work in progress are left out; links to folders are not followed", async () => {
    expect(await read((f) => join(f, "a.txt"))).toEqual(["a"])
    expect(await read((f) => `${f}/`)).toEqual(["a", "b", "a", "x.log"])
    expect(await read((f) => join(f, "*.txt"))).toEqual(["a", "b", "a"])
    expect(await read((f) => join(f, "**", "*.txt"))).toEqual(["a", "b", "a", "d", "e"])
    expect(await read((f) => join(f, "{x,y}.log"))).toEqual(["x.log"])
    expect(await read((f) => join(f, "s?b", "[a-d].txt"))).toEqual(["d"])
  })

  it("a name with wildcards that is there is that file", async () => {
    const got = await run(
      Effect.gen(function* () {
        const folder = yield* folderWith({ "a[1].txt": "literal", "a1.txt": "pattern" })
        return (yield* readLane(Files.source({ path: join(folder, "a[1].txt"), format: Text.lines() }))).rows
      })
    )
    expect(got).toEqual([{ value: "literal" }])
  })

  it("nothing there is an error that names the path, not an empty result", async () => {
    await run(
      Effect.gen(function* () {
        const folder = yield* folderWith({ "a.txt": "a" })
        for (const path of [join(folder, "none"), join(folder, "none", "*.txt"), join(folder, "*.json")]) {
          const error = failure(yield* Effect.exit(Files.source({ path, format: Text.lines() }).partitions(new Set())))
          expect(error).toBeInstanceOf(SourceError)
          expect(error.message).toContain(path)
          expect(error.retryable).toBe(false)
        }
      })
    )
  })
})

describe("T12: lanes", () => {
  it("files are dealt to lanes in the order of their names; rows tell file and line", async () => {
    await run(
      Effect.gen(function* () {
        const path = yield* folderWith({
          "c.jsonl": numbered(4, 6),
          "a.jsonl": `\n${numbered(0, 2)}`,
          "b.jsonl": numbered(2, 4),
          "d.jsonl": numbered(6, 7)
        })
        const source = Files.source({ path, format: Json.lines(), lanes: 3 })
        expect(yield* source.partitions(new Set())).toEqual(["lane-0", "lane-1", "lane-2"])
        const first = yield* readLane(source)
        expect(values(first.rows)).toEqual([0, 1, 6])
        expect(first.lines).toEqual(["a.jsonl:2", "a.jsonl:3", "d.jsonl:1"])
        expect(values((yield* readLane(source, { lane: "lane-1" })).rows)).toEqual([2, 3])
        expect(values((yield* readLane(source, { lane: "lane-2" })).rows)).toEqual([4, 5])
      })
    )
  })

  it("a lane may have no file", async () => {
    await run(
      Effect.gen(function* () {
        const source = Files.source({ path: yield* folderWith({ a: "x" }), format: Text.lines(), lanes: 2 })
        expect((yield* readLane(source, { lane: "lane-1" })).rows).toEqual([])
      })
    )
  })
})

describe("positions", () => {
  it("go on where files were added behind, and refuse when those that were read are not the same", async () => {
    await run(
      Effect.gen(function* () {
        const path = yield* folderWith({ "a.jsonl": numbered(0, 3), "c.jsonl": numbered(3, 6) })
        const source = Files.source({ path, format: Json.lines() })
        const { positions } = yield* readLane(source, { rows: 2 })
        expect(positions.length).toBe(4)
        yield* promise(() => writeFile(join(path, "d.jsonl"), numbered(6, 8)))
        expect(values((yield* readLane(source, { from: positions[0] })).rows)).toEqual([2, 3, 4, 5, 6, 7])
        expect(values((yield* readLane(source, { from: positions[3] })).rows)).toEqual([6, 7])
        yield* promise(() => writeFile(join(path, "b.jsonl"), numbered(9, 10)))
        const error = failure(yield* Effect.exit(readLane(source, { from: positions[2] })))
        expect(error.message).toMatch(/not those that were there/)
        expect(error.retryable).toBe(false)
        yield* promise(() => rm(join(path, "b.jsonl")))
        const lanes = failure(
          yield* Effect.exit(readLane(Files.source({ path, format: Json.lines(), lanes: 2 }), { from: positions[0] }))
        )
        expect(lanes.message).toMatch(/lanes: 1, now it is 2/)
        const odd = failure(
          yield* Effect.exit(
            readLane(source, { from: position(`{"lanes":1,"index":0,"hash":0,"file":"a.jsonl","at":[-1,0,0]}`) })
          )
        )
        expect(odd.message).toMatch(/not one of a file source/)
      })
    )
  })

  it("a file that became shorter than what was read of it is a dead row; the next file is read", async () => {
    await run(
      Effect.gen(function* () {
        for (const compress of [(s: string) => Buffer.from(s), gzipSync, zstdCompressSync]) {
          const path = yield* folderWith({
            "a.jsonl": compress(numbered(0, 100)),
            "b.jsonl": compress(numbered(100, 101))
          })
          const source = Files.source({ path, format: Json.lines() })
          const { positions } = yield* readLane(source, { rows: 50 })
          yield* promise(() => writeFile(join(path, "a.jsonl"), compress(numbered(0, 3))))
          const rest = yield* readLane(source, { from: positions[0] })
          expect(values(rest.rows)).toEqual([100])
          expect(told(rest.dead)).toEqual([
            expect.stringMatching(/^0 .*a\.jsonl:51 malformed: the file has \d+ bytes, but \d+ were read of it before/)
          ])
        }
      })
    )
  })

  it("a CSV file is read on with the columns of its header, compressed or not", async () => {
    await run(
      Effect.gen(function* () {
        const csv = `a,b\n${Array.from({ length: 20 }, (_, i) => `${i},"x\n${i}"\n`).join("")}`
        for (const content of [csv, gzipSync(csv)]) {
          const source = Files.source({ path: join(yield* folderWith({ f: content }), "f"), format: Csv.rows() })
          const all = yield* readLane(source, { rows: 3 })
          expect(all.rows.length).toBe(20)
          for (const [k, from] of all.positions.entries()) {
            const rest = yield* readLane(source, { from, rows: 7 })
            expect(rest.rows).toEqual(all.rows.slice((k + 1) * 3))
            expect(rest.lines).toEqual(all.lines.slice((k + 1) * 3))
          }
        }
      })
    )
  })
})

describe("bad files", () => {
  it("cut off gzip and zstd: the rows before, one dead row that says where and why, then the next file", async () => {
    await run(
      Effect.gen(function* () {
        const text = Array.from({ length: 60_000 }, (_, n) => `{"n":${n},"t":"${(n * 7919) % 104_729}"}\n`).join("")
        for (const [name, bytes] of [
          ["gz", gzipSync(text)],
          ["zst", zstdCompressSync(text)]
        ] as const) {
          const path = yield* folderWith({
            [`a.${name}`]: bytes.subarray(0, Math.floor(bytes.length * 0.7)),
            "b.jsonl": `{"n":"next"}`
          })
          const got = yield* readLane(Files.source({ path, format: Json.lines() }))
          const n = got.rows.length - 1
          expect(n).toBeGreaterThan(30_000)
          expect(values(got.rows.slice(0, -1))).toEqual(Array.from({ length: n }, (_, i) => i))
          expect(values(got.rows.slice(-1))).toEqual(["next"])
          expect(told(got.dead)).toEqual([
            expect.stringMatching(
              new RegExp(`^${n} .*a\\.${name}:${n + 1} malformed: the (gzip|zstd) data ends too early`)
            )
          ])
        }
      })
    )
  })

  it("a name that promises compression without it, garbage behind it, a wrong checksum: one dead row each", async () => {
    await run(
      Effect.gen(function* () {
        const good = gzipSync(numbered(0, 3))
        const torn = Buffer.from(good)
        torn[torn.length - 6] ^= 1
        const cases: ReadonlyArray<readonly [string, Uint8Array, RegExp]> = [
          ["a.gz", Buffer.from(numbered(0, 3)), /broken gzip data/],
          ["a.zst", Buffer.from(numbered(0, 3)), /broken zstd data/],
          ["a.gz", new Uint8Array(0), /ends too early/],
          ["a", Buffer.concat([good, Buffer.from("garbage")]), /broken gzip data/],
          ["a", torn, /the gzip checksum is wrong: rows read from this file may be damaged/]
        ]
        for (const [name, content, what] of cases) {
          const path = yield* folderWith({ [name]: content, "b.jsonl": `{"n":"next"}` })
          const got = yield* readLane(Files.source({ path, format: Json.lines() }))
          expect(values(got.rows).at(-1)).toBe("next")
          expect(told(got.dead)).toEqual([expect.stringMatching(what)])
        }
      })
    )
  })

  it("several gzip members and zstd frames are one file; zeros behind gzip are padding", async () => {
    await run(
      Effect.gen(function* () {
        const parts = [numbered(0, 5000), numbered(5000, 5001), numbered(5001, 9000)]
        const contents = [
          Buffer.concat(parts.map((p) => gzipSync(p))),
          Buffer.concat(parts.map((p) => zstdCompressSync(p))),
          Buffer.concat([...parts.map((p) => gzipSync(p)), new Uint8Array(1000)])
        ]
        for (const content of contents) {
          const got = yield* readLane(
            Files.source({ path: join(yield* folderWith({ f: content }), "f"), format: Json.lines() })
          )
          expect(got.dead).toEqual([])
          expect(got.rows.length).toBe(9000)
        }
      })
    )
  })

  it("a file that vanishes between listing and opening is one dead row; one that vanishes while it is read is read to its end", async () => {
    await run(
      Effect.gen(function* () {
        const path = yield* folderWith({
          "a.jsonl": numbered(0, 50_000),
          "b.jsonl": numbered(0, 9),
          "c.jsonl": numbered(50_000, 50_001)
        })
        const source = Files.source({ path, format: Json.lines() })
        yield* source.partitions(new Set())
        const cursor = yield* source.open("lane-0", Option.none())
        const first = yield* cursor.pull({ rows: 10, bytes: 1 << 20 })
        yield* promise(() => rm(join(path, "a.jsonl")))
        yield* promise(() => rm(join(path, "b.jsonl")))
        const rows = [...(first.rows ?? [])]
        const dead = []
        for (;;) {
          const chunk = yield* Effect.result(cursor.pull({ rows: 4096, bytes: 1 << 30 }))
          if (chunk._tag === "Failure") break
          rows.push(...(chunk.success.rows ?? []))
          dead.push(...(chunk.success.dead ?? []))
        }
        expect(values(rows)).toEqual(Array.from({ length: 50_001 }, (_, i) => i))
        expect(told(dead)).toEqual([expect.stringMatching(/^0 .*b\.jsonl malformed: the file is gone/)])
      })
    )
  })

  it("a file that shrinks while it is read is one dead row", async () => {
    await run(
      Effect.gen(function* () {
        const path = join(yield* folderWith({ "a.jsonl": numbered(0, 100_000) }), "a.jsonl")
        const cursor = yield* Files.source({ path, format: Json.lines() }).open("lane-0", Option.none())
        yield* cursor.pull({ rows: 10, bytes: 1 << 20 })
        yield* promise(() => truncate(path, 1000))
        const dead = []
        for (;;) {
          const chunk = yield* Effect.result(cursor.pull({ rows: 4096, bytes: 1 << 30 }))
          if (chunk._tag === "Failure") break
          dead.push(...(chunk.success.dead ?? []))
        }
        expect(told(dead)).toEqual([expect.stringMatching(/it was cut off or replaced/)])
      })
    )
  })

  it("a file that may not be read is an error, not a dead row", async () => {
    await run(
      Effect.gen(function* () {
        const path = join(yield* folderWith({ "a.jsonl": numbered(0, 1) }), "a.jsonl")
        yield* promise(() => chmod(path, 0))
        const exit = yield* Effect.exit(readLane(Files.source({ path, format: Json.lines() })))
        // A superuser may read everything.
        if (process.getuid?.() === 0) expect(Exit.isSuccess(exit)).toBe(true)
        else expect(failure(exit).message).toMatch(/EACCES.*right to read/)
      })
    )
  })

  it("a file that is no Parquet is one dead row, and the next one is read", async () => {
    await run(
      Effect.gen(function* () {
        const path = yield* folderWith({ "a.parquet": "PAR1 nonsense PAR1", "b.parquet": "" })
        const got = yield* readLane(Files.source({ path, format: Parquet.rows() }))
        expect(got.rows).toEqual([])
        expect(told(got.dead)).toEqual([
          expect.stringMatching(/a\.parquet malformed: the footer/),
          expect.stringMatching(/b\.parquet malformed: the footer/)
        ])
      })
    )
  })
})

describe("options", () => {
  it("wrong ones are problems that name the option, the value and what to write", () => {
    const format = Json.lines()
    const of = (options: object): ReadonlyArray<string> =>
      (Files.source({ path: "x", format, ...options }).problems ?? []).map((p) => `${p.option}: ${p.value}: ${p.fix}`)
    expect(of({})).toEqual([])
    expect(of({ path: "" })).toEqual(['Files.source.path: "": must be the path of a file or folder, or a glob'])
    expect(of({ lanes: 0 })).toEqual(["Files.source.lanes: 0: must be a whole number from 1 to 1024"])
    expect(of({ lanes: 1e9 })).toEqual(["Files.source.lanes: 1000000000: must be a whole number from 1 to 1024"])
    expect(of({ watch: "1 secnd" })).toEqual(['Files.source.watch: "1 secnd": is not a duration (try "10 minutes")'])
    expect(of({ compression: "rar" })).toEqual([
      'Files.source.compression: "rar": must be "auto", "none", "gzip" or "zstd"'
    ])
    expect(of({ format: Parquet.rows(), compression: "gzip" })).toEqual([expect.stringContaining("is not for Parquet")])
    expect(of({ lineBytesMax: -1, jsonDepthMax: 0.5 }).length).toBe(2)
    expect(of({ onBadInput: { dropAs: "" } })).toEqual([expect.stringContaining("Files.source.onBadInput")])
    expect(of({ format: Csv.rows(undefined, { delimiter: "ab" }) })).toEqual([
      expect.stringContaining("Csv.rows.delimiter")
    ])
    expect(Files.source({ path: "./in/*.json", format }).name).toBe("files ./in/*.json")
  })

  it("a schema that CSV cannot carry is an error that says so", async () => {
    class Own {
      readonly x = 1
    }
    const format = Csv.rows(Schema.Struct({ a: Schema.instanceOf(Own) }))
    await run(
      Effect.gen(function* () {
        const path = yield* folderWith({ "a.csv": "a\n1\n" })
        const error = failure(yield* Effect.exit(readLane(Files.source({ path, format }))))
        expect(error.message).toMatch(/CSV cannot be read: the schema has a field that has no form in CSV/)
        expect(error.retryable).toBe(false)
      })
    )
  })

  it("limits and the schema reach the decoder", async () => {
    await run(
      Effect.gen(function* () {
        const path = yield* folderWith({ "a.jsonl": `{"n":1}\n{"n":"${"x".repeat(100)}"}\n{"n":[[[]]]}\n{"n":"2"}\n` })
        const format = Json.lines(Schema.Struct({ n: Schema.Unknown }))
        const got = yield* readLane(Files.source({ path, format, lineBytesMax: 50, jsonDepthMax: 3 }))
        expect(values(got.rows)).toEqual([1, "2"])
        expect(got.dead.map((d) => d.detail)).toEqual([
          "a line longer than 50 bytes (lineBytesMax)",
          "nested deeper than 3 (jsonDepthMax)"
        ])
        expect(got.dead[0].place).toBe(`${join(path, "a.jsonl")}:2`)
      })
    )
  })
})
