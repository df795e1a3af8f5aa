import { execFile } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, describe, expect, it } from "vitest"

const root = new URL("../../", import.meta.url)
const files = readdirSync(new URL("examples/", root))
  .filter((file) => file.endsWith(".ts"))
  .toSorted()

/** A folder of its own for what examples write. They read `./examples/data`. */
const folder = mkdtempSync(join(tmpdir(), "tidemark-examples-"))
symlinkSync(fileURLToPath(new URL("examples", root)), join(folder, "examples"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Runs an example in a process of its own, as its header says. */
const run = (
  ...args: ReadonlyArray<string>
): Promise<{ readonly code: unknown; readonly out: string; readonly err: string }> =>
  new Promise((resolve) => {
    const script = fileURLToPath(new URL("scripts/example.ts", root))
    execFile(process.execPath, ["--conditions=tidemark-source", script, ...args], { cwd: folder }, (error, out, err) =>
      resolve({ code: error === null ? 0 : error.code, out, err })
    )
  })

/** The rows of the tables in a text: cells by column. */
const rowsOf = (text: string): ReadonlyArray<{ readonly [column: string]: string }> => {
  const rows: Array<{ [column: string]: string }> = []
  let head: ReadonlyArray<string> | undefined
  for (const line of text.split("\n")) {
    if (line.startsWith("epoch ")) head = undefined
    if (!line.startsWith("|")) continue
    const cells = line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim())
    if (head === undefined) head = cells
    else rows.push(Object.fromEntries(head.map((column, i) => [column, cells[i]])))
  }
  return rows
}

/** A row with a key, the time of day that its window starts at, and numbers. */
const brief = (row: { readonly [column: string]: string }): string =>
  Object.entries(row)
    .filter(([column]) => column !== "window_end")
    .map(([column, cell]) => (column === "window_start" ? cell.slice(11, 16) : cell))
    .join(" ")

const briefs = (text: string): ReadonlyArray<string> => rowsOf(text).map(brief).toSorted()

const expectations: { readonly [number: string]: (result: { readonly out: string; readonly err: string }) => void } = {
  "01": ({ out }) => expect(briefs(out)).toEqual(["Books 12:00 1 20", "Books 12:01 1 15", "Games 12:00 1 60"]),
  "02": ({ out }) => {
    expect(briefs(out)).toEqual([
      "boiler 00:00 1 66",
      "boiler 23:40 1 61.5",
      "boiler 23:50 2 63.75",
      "cellar 00:00 1 8.5",
      "cellar 00:10 1 8",
      "cellar 23:40 1 9"
    ])
    expect(out).toMatch(/dead: schema, .*2026-01-01\.jsonl:4: /)
    expect(out).toMatch(/dead: malformed, .*2026-01-02\.jsonl:4: /)
    expect(out).toMatch(/dead: event-time, /)
  },
  "03": ({ out }) =>
    expect(briefs(out)).toEqual([
      "boiler 07:55 1 61 61",
      "boiler 08:00 3 64 67",
      "boiler 08:05 3 73 88",
      "boiler 08:10 1 88 88",
      "cellar 07:55 1 9 9",
      "cellar 08:00 1 9 9",
      "cellar 08:05 1 11 11",
      "cellar 08:10 1 11 11"
    ]),
  "04": ({ out }) =>
    expect(briefs(out)).toEqual(["ann 12:00 2 2 / /books", "ann 12:50 2 2 / /cart", "bob 12:05 2 2 / /cart"]),
  "05": ({ out }) => {
    const [results, late] = out.split("1 late, in ./out/examples/05-late:")
    expect(briefs(results)).toEqual(["Books 12:00 2 35", "Books 12:04 1 8", "Games 12:01 1 60"])
    expect(rowsOf(late)).toEqual([{ at: "2026-01-01T12:01:59Z", category: "Games", amount: "40" }])
  },
  "06": ({ out }) => {
    expect(briefs(out)).toEqual(["Lyon 09:00 2 42", "Lyon 09:01 1 5", "Oslo 09:00 1 8"])
    expect(out).toContain("2 duplicates left out")
  },
  "07": ({ out }) => {
    const rows = rowsOf(out)
    expect(
      rows
        .map((row) => `${row.path} ${row.window_start.slice(11, 13)} ${row.requests} ${row.busiest_minute}`)
        .toSorted()
    ).toEqual(["/ 08 343 6", "/ 09 343 6", "/ 10 342 6", "/cart 08 172 3", "/cart 09 231 63", "/cart 10 172 3"])
  },
  "08": ({ out }) => {
    const last = new Map(rowsOf(out).map(({ word, count }) => [word, count]))
    expect(out).toContain("epoch 2")
    expect([last.get("the"), last.get("owl"), last.get("sea"), last.size]).toEqual(["4", "2", "1", 14])
  },
  "09": ({ out }) => {
    expect(briefs(out)).toEqual(["Lyon 10:00 2 26", "Oslo 10:00 1 6"])
    expect(out).toMatch(/dead: .*there is no price for cocoa: .*"pieces":9/)
  },
  "10": ({ out }) => {
    expect(out.match(/POST \/orders .* -> 202/g)).toHaveLength(3)
    expect(out).toContain('[{"category":"Books","orders":2,"revenue":35},{"category":"Games","orders":1,"revenue":60}]')
  },
  "11": ({ out, err }) => {
    expect(rowsOf(out).length).toBeGreaterThan(0)
    expect(err + out).toMatch(/in 10,000 = forwarded/)
    expect(err + out).toContain("ledger balanced")
    for (const output of ["raw", "late", "by-category"])
      expect(readdirSync(join(folder, "out/examples/11", output)).length).toBeGreaterThan(1)
  },
  "12": ({ out }) =>
    expect(briefs(out)).toEqual([
      "o-1 paid 9 0",
      "o-2 paid 15 9",
      "o-3 unpaid 15 12",
      "o-4 paid 10 0",
      "o-5 not open 0 -7"
    ]),
  "13": ({ out }) => expect(out).toMatch(/^epoch \d+: 3 orders in an hour that is still open; out so far:\n$/),
  "14": ({ out }) => {
    expect(out).toMatch(/^60 histories, \d+ crashes: every law holds\n\nexactlyOnce does not hold for query:\n/)
    expect(out).toMatch(/with [2-5] rows and [12] faults?, after \d+ shrinks:[^]*process \d: crash[^]*\nreplay: /)
  },
  "15": ({ out }) => {
    for (let n = 1; n <= 5; n++) expect(out).toMatch(new RegExp(`^partition [01]: This is new message #${n}!$`, "m"))
    expect(out).toContain("count(body): 5")
    expect(out).toMatch(/^\S+Z #+ [1-5]$/m)
  },
  "16": ({ out }) => {
    expect(out).toContain("12 temperatures downloaded")
    expect(briefs(out)).toEqual(["Lyon 08:00 4 2 5 3.5", "Oslo 08:00 2 -4 -3.5 -3.75"])
  },
  "17": ({ out }) => {
    const [table] = out.split(" · averages")
    expect(rowsOf(table).length).toBeGreaterThanOrEqual(5)
    for (const row of rowsOf(table)) expect(row["deviceId"]).toMatch(/^contoso-device-id-00000\d$/)
    // In complete mode the last table is the whole one.
    const windows = rowsOf(out.slice(out.lastIndexOf("epoch ")))
    expect(windows.map((row) => brief(row).replace(/ \S+$/, "")).toSorted()).toEqual([
      "CO2 11:56 2",
      "CO2 11:58 52",
      "CO2 12:00 108",
      "CO2 12:02 119",
      "TEMP 11:56 3",
      "TEMP 11:58 69",
      "TEMP 12:00 127",
      "TEMP 12:02 118"
    ])
    expect(out).toContain("9 stale measurements left out")
  }
}

/** What those say that go on where they stopped, when they are run again. */
const again: typeof expectations = {
  "13": ({ out }) => {
    const [head, ...rows] = out.trimEnd().split("\n")
    expect(head).toMatch(/^epoch \d+: 1 orders in an hour that is still open/)
    expect(rows.map((row) => Object.values(JSON.parse(row) as object).join(" ")).toSorted()).toEqual([
      "Books 1767268800000 1767272400000 3 55",
      "Games 1767268800000 1767272400000 2 120"
    ])
  }
}

describe("examples", () => {
  it("are numbered from 01 without a gap, and each is expected to say something", () => {
    const numbers = files.map((file) => file.slice(0, 2))
    expect(numbers).toEqual(numbers.map((_, i) => String(i + 1).padStart(2, "0")))
    expect(numbers).toEqual(Object.keys(expectations).toSorted())
  })

  it.each(files)("%s begins by saying what it shows and its command, and fits a screen", (file) => {
    const text = readFileSync(new URL(`examples/${file}`, root), "utf8")
    expect(text).toMatch(/^\/\*\*\n \* [A-Z]/)
    expect(text).toContain(` *     npm run -s example ${file.slice(0, 2)}`)
    expect(text.split("\n").length).toBeLessThanOrEqual(60)
  })

  it("the first is the README's program, but for how effect is imported", () => {
    const program = /^const orders[\s\S]+/m.exec(
      readFileSync(new URL("examples/01-fifteen-lines.ts", root), "utf8")
    )?.[0]
    expect(readFileSync(new URL("README.md", root), "utf8")).toContain(`\n\n${program}\`\`\`\n`)
  })

  it("are all listed in docs/examples.md", () => {
    const links = readFileSync(new URL("docs/examples.md", root), "utf8").matchAll(
      /^\| \[\d\d\]\(\.\.\/examples\/(.+?)\)/gm
    )
    expect([...links].map(([, file]) => file)).toEqual(files)
  })

  it.concurrent.each(Object.entries(expectations))("%s runs and says what it should", async (number, says) => {
    const result = await run(number)
    expect(result.code, result.err).toBe(0)
    says(result)
    if (again[number] === undefined) return
    const second = await run(number)
    expect(second.code, second.err).toBe(0)
    again[number](second)
  })

  it("are listed when none is named, and a number that is none is an error", async () => {
    const { out } = await run()
    for (const file of files) expect(out).toMatch(new RegExp(`  ${file.slice(0, 2)}  [A-Z].*\\.$`, "m"))
    expect((await run("99")).code).toBe(2)
  })
})
