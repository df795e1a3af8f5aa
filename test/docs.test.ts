/**
 * What the docs name is there: files, symbols in the files they are said to stand in, npm scripts, targets of links.
 *
 * A symbol is tied to a file by how it is written: `a` and `b` in `file`, `file` (`a`, `b`), `file`: ... `a` ..., or
 * `Name.member`, where a file of src is called Name. It has to occur in the code of that file; a comment is not enough.
 */
import { posix } from "node:path"
import { describe, expect, it } from "vitest"
import { textOf, tracked } from "./house.ts"

const docs = tracked.filter((file) => /^([A-Z]+\.md|docs\/.*\.md)$/.test(file))
const manifest = JSON.parse(textOf("package.json") as string) as {
  readonly scripts: { readonly [name: string]: string }
}

const isThere = (path: string): boolean => {
  const bare = path.replace(/\/$/, "")
  return tracked.some((file) => file === bare || file.startsWith(`${bare}/`))
}

/** Markdown without fenced code, each paragraph, list item and table cell as one piece on one line. */
const piecesOf = (text: string): ReadonlyArray<string> =>
  text
    .replace(/^ *```[\s\S]*?^ *```$/gm, "")
    .replace(/\n *(?![\n|#]|[-*] |\d+\. )(?=\S)/g, " ")
    .split("\n")
    .flatMap((line) => (line.startsWith("|") ? line.split("|") : [line]))

const codeOf = (file: string): string =>
  (textOf(file) as string).replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "")

const path = "`((?:src|test|property-tests|bench|examples|scripts|docs)/[\\w./-]+)`"
const symbols = "(?:`#?[A-Za-z_]\\w*`(?:, | and )?)+"

interface Tie {
  readonly symbol: string
  readonly file: string
}

/** The symbols of a piece, each with the file that it is said to be in. */
const tiesOf = (piece: string): ReadonlyArray<Tie> => {
  const ties: Array<Tie> = []
  const tie = (names: string, file: string): void => {
    if (!file.endsWith(".ts")) return
    for (const [, symbol] of names.matchAll(/`(#?[A-Za-z_]\w*)`/g)) ties.push({ symbol, file })
  }
  for (const [, names, file] of piece.matchAll(new RegExp(`(${symbols}) in ${path}`, "g"))) tie(names, file)
  for (const [, file, names] of piece.matchAll(new RegExp(`${path} \\((${symbols})\\)`, "g"))) tie(names, file)
  for (const [, file, said] of piece.matchAll(new RegExp(`${path}: ([^;.]*)`, "g"))) tie(said.split(/`\w+\//)[0], file)
  for (const [, name, symbol] of piece.matchAll(/`([A-Z]\w*)\.([a-zA-Z]\w*)(?:\([^`]*\))?`/g)) {
    const files = tracked.filter((file) => file.startsWith("src/") && file.endsWith(`/${name}.ts`))
    if (symbol !== "ts" && files.length === 1) ties.push({ symbol, file: files[0] })
  }
  return ties
}

/** Everything a text names that is not there. `file` is where it stands: links are relative to it. */
const missing = (file: string, text: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  for (const piece of piecesOf(text)) {
    for (const [, named] of piece.matchAll(new RegExp(path, "g"))) if (!isThere(named)) found.push(named)
    for (const [, named] of piece.matchAll(/`([\w.-]+\.(?:ts|mjs))`/g)) {
      if (!tracked.some((each) => each === named || each.endsWith(`/${named}`))) found.push(named)
    }
    for (const { symbol, file: of } of tiesOf(piece)) {
      const occurs = new RegExp(`(?<![\\w#])${symbol}(?!\\w)`)
      if (isThere(of) && !occurs.test(codeOf(of))) found.push(`${symbol} in ${of}`)
    }
  }
  for (const [, target] of text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
    if (!/^[a-z]+:/.test(target) && !isThere(posix.join(posix.dirname(file), target))) found.push(`link to ${target}`)
  }
  for (const script of scriptsOf(text)) if (!Object.hasOwn(manifest.scripts, script)) found.push(`npm run ${script}`)
  return found
}

/** npm scripts that a text names, also as the rows of a table with the head `npm run -s`. */
const scriptsOf = (text: string): ReadonlyArray<string> => [
  ...[...text.matchAll(/\bnpm\s+run\s+(?:-s\s+)?([a-z][\w:-]*)/g)].map(([, name]) => name),
  ...[...text.matchAll(/\bnpm (start|test)\b/g)].map(([, name]) => name),
  ...[...text.matchAll(/^\| `npm run -s` .*\n((?:\|.*\n)+)/gm)].flatMap(([, rows]) =>
    [...rows.matchAll(/^\| (`.*?`) \|/gm)].flatMap(([, cell]) =>
      [...cell.matchAll(/`([a-z][\w:-]*)/g)].map(([, name]) => name)
    )
  )
]

describe("docs", () => {
  it.each(docs)("what %s names is there", (file) => {
    expect(missing(file, textOf(file) as string)).toEqual([])
  })

  it("the map of ARCHITECTURE.md ties symbols to files", () => {
    const ties = piecesOf(textOf("ARCHITECTURE.md") as string).flatMap(tiesOf)
    expect(ties).toContainEqual({ symbol: "#resolve", file: "src/streams/state/TimeWindowState.ts" })
    expect(ties).toContainEqual({ symbol: "pauseIfAhead", file: "src/actors/PartitionTime.ts" })
    expect(ties).toContainEqual({ symbol: "Alignment", file: "src/actors/Alignment.ts" })
    expect(ties).toContainEqual({ symbol: "buryRow", file: "src/actors/Task.ts" })
    expect(ties).toContainEqual({ symbol: "WatermarkGenerator", file: "src/streams/Watermark.ts" })
  })

  it.each([
    ["See `src/actors/Gone.ts`.", "src/actors/Gone.ts"],
    ["See `Gone.ts`.", "Gone.ts"],
    ["| a | `imbalances` and `gone` in `src/model/Ledger.ts` |", "gone in src/model/Ledger.ts"],
    ["`src/actors/PartitionTime.ts` (`tick`,\n`#align`)", "#align in src/actors/PartitionTime.ts"],
    ["`src/streams/Watermark.ts`: one `Gone` per partition", "Gone in src/streams/Watermark.ts"],
    ["by `Task.exhume`", "exhume in src/actors/Task.ts"],
    ["[the page](gone.md)", "link to gone.md"],
    ["[the page](../README.md)", "link to ../README.md"],
    ["run `npm run -s\ngone -- --now`", "npm run gone"],
    ["| `npm run -s` | does |\n|---|---|\n| `bench -- w1`, `gone` | it |\n", "npm run gone"]
  ])("finds what is missing in %j", (text, what) => {
    expect(missing("ARCHITECTURE.md", text)).toEqual([what])
  })
})
