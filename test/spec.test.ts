/**
 * What docs/SPEC.md refers to is there: of each invariant, the tests that check it, by file and title, and the rules it
 * comes from; of each transition, its states. Whether a test checks what the invariant says is a matter of reading.
 */
import { describe, expect, it } from "vitest"
import { textOf, tracked } from "./house.ts"

const spec = textOf("docs/SPEC.md") as string
const rules = new Set(
  [...(textOf("docs/SEMANTICS.md") as string).matchAll(/^- \*\*([A-Z]\d+[a-z]?)/gm)].map(([, r]) => r)
)

const quoted = (text: string): ReadonlyArray<string> => [...text.matchAll(/`([^`]+)`/g)].map(([, inner]) => inner)

interface Invariant {
  readonly letter: string
  readonly number: number
  readonly references: ReadonlyArray<{ readonly file: string; readonly titles: ReadonlyArray<string> }>
}

/** The invariants, in their order: `- **S1** (C5) ...`, and below it `  - file › title, title`. */
const invariantsOf = (text: string): ReadonlyArray<Invariant> =>
  text.split(/^(?=- \*\*[A-Z]\d+\*\*)/m).flatMap((piece) => {
    const [, letter, number] = /^- \*\*([A-Z])(\d+)\*\*/.exec(piece) ?? []
    if (number === undefined) return []
    const references = [...piece.matchAll(/^ {2}- (.*)$/gm)].map(([, line]) => {
      const [file, titles] = line.split(" › ")
      return { file: quoted(file)[0] ?? line, titles: quoted(titles ?? "") }
    })
    return [{ letter, number: Number(number), references }]
  })

/** Whether a test, a group of them, or a row of `it.each` or of laws has exactly this title in the source of a file. */
const hasTitle = (file: string, title: string): boolean =>
  ['"', "`", "'"].some((quote) =>
    (textOf(file) as string)
      .split(`${quote}${title}${quote}`)
      .slice(1)
      .some((rest) => /^\s*[,:]/.test(rest))
  )

interface Table {
  readonly head: ReadonlyArray<string>
  readonly rows: ReadonlyArray<ReadonlyArray<string>>
}

const cellsOf = (line: string): ReadonlyArray<string> =>
  line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim())

const tablesOf = (text: string): ReadonlyArray<Table> =>
  [...text.matchAll(/^(\|.*)\n\|[-|]+\n((?:\|.*\n)+)/gm)].map(([, head, body]) => ({
    head: cellsOf(head),
    rows: body.trimEnd().split("\n").map(cellsOf)
  }))

/** The states that a section declares, and those that its transitions name. */
const statesOf = (section: string): { readonly declared: ReadonlySet<string>; readonly named: ReadonlySet<string> } => {
  const tables = tablesOf(section)
  const column = (name: string): ReadonlyArray<string> =>
    tables.flatMap(({ head, rows }) => (head.includes(name) ? rows.map((row) => row[head.indexOf(name)]) : []))
  const named = [...column("from"), ...column("to")].flatMap((cell) => cell.split(", "))
  return { declared: new Set(column("state")), named: new Set(named) }
}

/** Everything that is wrong with a spec. */
const wrongIn = (text: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  const last = new Map<string, number>()
  for (const { letter, number, references } of invariantsOf(text)) {
    const name = `${letter}${number}`
    const next = (last.get(letter) ?? 0) + 1
    if (number !== next) found.push(`${name} where ${letter}${next} comes next`)
    last.set(letter, number)
    if (references.length === 0) found.push(`${name} is checked by nothing`)
    for (const { file, titles } of references) {
      if (!tracked.includes(file) || !/^(test|property-tests)\//.test(file)) found.push(`${name}: no file ${file}`)
      else if (titles.length === 0) found.push(`${name}: no title in ${file}`)
      else for (const title of titles) if (!hasTitle(file, title)) found.push(`${name}: no "${title}" in ${file}`)
    }
  }
  for (const [rule] of text.replace(/`[^`]*`/g, "").matchAll(/\b[TALCM]\d+[a-z]?\b/g)) {
    if (!rules.has(rule)) found.push(`no rule ${rule}`)
  }
  for (const section of text.split(/^(?=## )/m)) {
    const { declared, named } = statesOf(section)
    for (const state of named) if (!declared.has(state)) found.push(`no state ${state}`)
    for (const state of declared) if (!named.has(state)) found.push(`no way to or from ${state}`)
  }
  return found
}

describe("docs/SPEC.md", () => {
  it("refers to tests, rules and states that are there", () => {
    expect(wrongIn(spec)).toEqual([])
  })

  it("is read whole: four machines, and all invariants of three kinds", () => {
    const machines = spec.split(/^(?=## )/m).filter((section) => statesOf(section).named.size > 0)
    expect(machines.map((section) => section.slice(3, section.indexOf("\n")))).toEqual([
      "A number of the chain",
      "An attempt",
      "An epoch",
      "A query"
    ])
    const invariants = invariantsOf(spec)
    expect(new Set(invariants.map(({ letter }) => letter))).toEqual(new Set(["S", "Q", "E"]))
    expect(invariants.length).toBe(spec.match(/^- /gm)?.length)
  })

  const sound = `## A lamp
| state | is |
|---|---|
| on | bright |
| off | dark |

| from | event | to |
|---|---|---|
| on, off | a switch | off |

- **S1** (C5, C5a) It is on or off.
  - \`test/docs.test.ts\` › \`what %s names is there\`, \`docs\`
- **S2** (T1) It is bright.
  - \`test/conformance/sink.ts\` › \`C2: a commit may be repeated any number of times\`
`

  it.each([
    ["`docs`", "`the docs`", 'S1: no "the docs" in test/docs.test.ts'],
    ["`docs`", "`missing`", 'S1: no "missing" in test/docs.test.ts'],
    [" › `what %s names is there`, `docs`", "", "S1: no title in test/docs.test.ts"],
    ["test/docs.test.ts", "test/gone.test.ts", "S1: no file test/gone.test.ts"],
    ["test/docs.test.ts", "src/actors/Edge.ts", "S1: no file src/actors/Edge.ts"],
    [/ {2}- `test\/docs.*\n/, "", "S1 is checked by nothing"],
    ["**S2**", "**S3**", "S3 where S2 comes next"],
    ["**S2**", "**S1**", "S1 where S2 comes next"],
    ["C5a", "C5c", "no rule C5c"],
    ["| off | dark |\n", "", "no state off"],
    ["on, off", "off", "no way to or from on"]
  ])("finds what is wrong with %s made %j", (from, to, wrong) => {
    expect(wrongIn(sound)).toEqual([])
    expect(wrongIn(sound.replace(from, to))).toEqual([wrong])
  })
})
