import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import * as fc from "fast-check"
import { afterAll, describe, expect, it } from "vitest"
import { job, runs } from "../../property-tests/engineJobs.ts"
import { type Job, multiset, type Row } from "../oracle/Job.ts"
import { evaluate } from "../oracle/Oracle.ts"
import { type Modules, modulesOf, runPure } from "./pure.ts"

const root = resolve(import.meta.dirname, "../..")
const folder = mkdtempSync(join(tmpdir(), "tidemark-planted-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Jobs of one source with time windows, keyed, without steps: what the pure run understands. */
const timeJobs = job
  .filter((j) => j.windows?.kind === "time" && j.dedupe === undefined)
  .map((j): Job => {
    const { maxFutureSkew: _, chained: __, branches: ___, ...rest } = j
    return { ...rest, before: [], after: [], keyed: true, sources: [j.sources.flat()] }
  })

const shown = (rows: ReadonlyArray<unknown>): ReadonlyArray<string> =>
  multiset(
    (rows as ReadonlyArray<Record<string, unknown>>).map((r) => ({
      key: r["key"],
      end: r["window_end"],
      total: r["total"]
    }))
  )

/** Whether the operators give what the oracle does. */
const agrees = (m: Modules, j: Job, seed: number): boolean => {
  const wanted = evaluate({ ...j, late: "output" })
  const { results, late } = runPure(m, j, seed)
  return (
    JSON.stringify(shown(results)) === JSON.stringify(shown(wanted.results)) &&
    JSON.stringify(multiset(late as ReadonlyArray<Row>)) === JSON.stringify(multiset(wanted.late))
  )
}

const law = (m: Modules, numRuns: number) =>
  fc.check(
    fc.property(timeJobs, fc.nat(), (j, seed) => agrees(m, j, seed)),
    { numRuns, endOnFailure: true }
  )

describe("T4, T5, T6: the pure operators give what the definition does, in any interleaving", () => {
  it("as they are", async () => {
    expect(fc.defaultReportMessage(law(await modulesOf(join(root, "src")), runs(1500)))).toBeUndefined()
  })
})

/** Faults that the rules warn of. `from` must stand in the file, however spaced: a change there asks for a look at this table. */
const faults: ReadonlyArray<readonly [name: string, file: string, from: string, to: string]> = [
  [
    "T5: a row late for some windows goes into the slice that all of them share",
    "streams/state/TimeWindowState.ts",
    "return this.#stateOf(slice, enter)\n    }",
    "return this.#stateOf(slice, first)\n    }"
  ],
  [
    "T4: with L > 0, lateness is cut at slice boundaries",
    "streams/state/TimeWindowState.ts",
    "const last = lastWindow(w, t)\n    if (last + w.sizeMs <= t)",
    "rowWatermark = sliceStart(w, rowWatermark)\n    const last = lastWindow(w, t)\n    if (last + w.sizeMs <= t)"
  ],
  [
    "T4: lateness is judged by W_op",
    "streams/state/TimeWindowState.ts",
    "this.#resolve(t, watermarks[i])",
    "this.#resolve(t, this.#slices.watermark)"
  ],
  [
    "T2: the rows of a chunk share one watermark",
    "streams/Watermark.ts",
    "watermarks[i] = watermark\n",
    "watermarks[i] = this.watermark\n"
  ]
]

describe("a planted fault is found", () => {
  it.each(faults)("%s", async (_name, file, from, to) => {
    const src = join(mkdtempSync(join(folder, "copy-")), "src")
    for (const part of ["model", "streams"]) cpSync(join(root, "src", part), join(src, part), { recursive: true })
    symlinkSync(join(root, "node_modules"), join(src, "node_modules"))
    const text = readFileSync(join(src, file), "utf8")
    const there = new RegExp(from.replace(/[^\s\w]/g, "\\$&").replace(/\s+/g, "\\s*"))
    expect(text, `the text to change in ${file}`).toMatch(there)
    writeFileSync(
      join(src, file),
      text.replace(there, () => to)
    )
    const report = law(await modulesOf(src), 3000)
    expect(report.failed).toBe(true)
  })
})
