/** The checker of the crash checks finds what it is there to find: faults planted into what a job left. */
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { changed, compare, filesIn, look, type Seen, total, watch } from "../../bench/kill/parts.ts"

let folder: string
let undisturbed: Seen
const path = (file: string): string => join(folder, file)
const twice = '{"n":4}'

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tidemark-parts-"))
  for (const output of ["hourly/.staged", "table/.staged"]) mkdirSync(path(output), { recursive: true })
  writeFileSync(path("hourly/part-0-00000001.jsonl"), '{"n":1}\n{"n":2}\n')
  writeFileSync(path("hourly/part-0-00000002.jsonl"), `{"n":3}\n${twice}\n${twice}\n`)
  writeFileSync(path("hourly/.staged/flights_hourly_1_0"), '{"n":5}\n')
  writeFileSync(path("table/part-1-00000001.csv"), "n,m\r\n1,2\r\n")
  writeFileSync(path("table/part-1-00000002.csv"), "n,m\r\n3,4\r\n5,6\r\n")
  undisturbed = look(folder)
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const whole = () => {
  const { lost, duplicated, foreign } = compare(undisturbed, look(folder), true)
  return { lost, duplicated, foreign }
}
const right = { lost: 0, duplicated: 0, foreign: 0 }

describe("what readers see", () => {
  it("is the rows of part files, without staged ones and headers", () => {
    expect(total(undisturbed)).toBe(8)
    expect(undisturbed.rows.get("hourly")?.get(twice)).toBe(2)
    expect([...(undisturbed.rows.get("table")?.keys() ?? [])]).toEqual(["1,2\r", "3,4\r", "5,6\r"])
  })

  it("of the same rows is right, however they are spread over files", () => {
    expect(whole()).toEqual(right)
    writeFileSync(path("hourly/part-0-00000001.jsonl"), `${twice}\n{"n":2}\n{"n":1}\n`)
    writeFileSync(path("hourly/part-0-00000002.jsonl"), twice.concat("\n"))
    appendFileSync(path("hourly/part-0-00000002.jsonl"), '{"n":3}\n')
    expect(whole()).toEqual(right)
  })

  it("is nothing where there is no folder", () => {
    expect(total(look(path("none")))).toBe(0)
  })
})

describe("planted faults are found", () => {
  it("a part that is gone is lost rows, and no fault while the job still runs", () => {
    rmSync(path("hourly/part-0-00000002.jsonl"))
    expect(whole()).toEqual({ ...right, lost: 3 })
    expect(compare(undisturbed, look(folder), false).samples).toEqual([])
  })

  it("an output that is gone is lost rows", () => {
    rmSync(path("table"), { recursive: true })
    expect(whole()).toEqual({ ...right, lost: 3 })
  })

  it("a part that is there twice is doubled rows, at any time", () => {
    copyFileSync(path("hourly/part-0-00000001.jsonl"), path("hourly/part-0-00000009.jsonl"))
    expect(whole()).toEqual({ ...right, duplicated: 2 })
    expect(compare(undisturbed, look(folder), false).duplicated).toBe(2)
  })

  it("one row too many of those that come twice is one doubled row; one too few is one lost", () => {
    const file = path("hourly/part-0-00000002.jsonl")
    const text = readFileSync(file, "utf8")
    writeFileSync(file, `${text}${twice}\n`)
    expect(whole()).toEqual({ ...right, duplicated: 1 })
    writeFileSync(file, text.replace(`${twice}\n`, ""))
    expect(whole()).toEqual({ ...right, lost: 1 })
  })

  it("a staged file that readers see is foreign rows", () => {
    renameSync(path("hourly/.staged/flights_hourly_1_0"), path("hourly/flights_hourly_1_0"))
    expect(whole()).toEqual({ ...right, foreign: 1 })
    expect(compare(undisturbed, look(folder), false).samples).toEqual(['foreign in hourly: {"n":5}'])
  })

  it("a row of one output in another is lost there and foreign here, and so is a header", () => {
    renameSync(path("table/part-1-00000001.csv"), path("hourly/part-1-00000001.csv"))
    expect(whole()).toEqual({ ...right, lost: 1, foreign: 2 })
  })

  it("a header that is wrong is foreign, at any time; of one that is gone the first row is taken", () => {
    writeFileSync(path("table/part-1-00000001.csv"), "n,k\r\n1,2\r\n")
    expect(whole()).toEqual({ ...right, foreign: 1 })
    const watching = watch(undisturbed)
    expect(watching.look(filesIn(folder))).toEqual(["foreign in header of table: n,k\r"])
    writeFileSync(path("table/part-1-00000001.csv"), "1,2\r\n")
    expect(whole()).toEqual({ ...right, lost: 1, foreign: 1 })
  })

  it("a part that is cut off in a row is not taken for a whole one", () => {
    writeFileSync(path("hourly/part-0-00000001.jsonl"), '{"n":1}\n{"n":2}')
    expect(whole().foreign).toBe(1)
    expect(whole().lost).toBe(2)
  })

  it("a part that changed, or went, after readers saw it is told", () => {
    writeFileSync(path("hourly/part-0-00000003.jsonl"), '{"n":5}\n')
    expect(changed(undisturbed.files, filesIn(folder))).toEqual([])
    appendFileSync(path("hourly/part-0-00000001.jsonl"), '{"n":5}\n')
    rmSync(path("table/part-1-00000002.csv"))
    expect(changed(undisturbed.files, filesIn(folder))).toEqual([
      "hourly/part-0-00000001.jsonl was seen by readers and has changed",
      "table/part-1-00000002.csv was seen by readers and is gone"
    ])
  })

  it("while a job runs, each look tells what is wrong with what is new", () => {
    const watching = watch(undisturbed)
    const seen = () => watching.look(filesIn(folder))
    rmSync(path("table"), { recursive: true })
    expect(seen()).toEqual([])
    expect(seen()).toEqual([])
    writeFileSync(path("hourly/part-0-00000003.jsonl"), `{"n":1}\n{"n":5}\n${twice}\n`)
    expect(seen()).toEqual([
      'there 2 times in hourly: {"n":1}',
      'foreign in hourly: {"n":5}',
      `there 3 times in hourly: ${twice}`
    ])
    rmSync(path("hourly/part-0-00000001.jsonl"))
    expect(seen()).toEqual(["hourly/part-0-00000001.jsonl was seen by readers and is gone"])
  })
})
