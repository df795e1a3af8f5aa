/**
 * Bugs as edits of text: nothing of them is in the code that ships. `from` must stand in the file exactly once, however
 * spaced: a change there asks for a look at the table.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"

/** Replaces `from` by `to` in a file below src. */
export type Edit = readonly [file: string, from: string, to: string]

/** A bug that somebody might write. */
export interface Planted {
  /** Unique, for `--only`. */
  readonly name: string
  /** The rules of docs/SEMANTICS.md and the invariants of docs/SPEC.md that it breaks. */
  readonly breaks: string
  readonly edits: ReadonlyArray<Edit>
  /** The suite to search in, for what the mix of all comes to too seldom. */
  readonly suite?: string
}

/** The repository. */
export const root = resolve(import.meta.dirname, "../..")

const patternOf = (from: string): RegExp =>
  new RegExp(
    from
      .trim()
      .replace(/[^\s\w]/g, "\\$&")
      .replace(/\s+/g, "\\s*"),
    "g"
  )

/** The text of a file with one edit made; throws where its text does not stand there exactly once. */
export const edited = (text: string, [file, from, to]: Edit): string => {
  const pattern = patternOf(from)
  const found = text.match(pattern)?.length ?? 0
  if (found !== 1) throw new Error(`the text to change stands ${found} times in src/${file}: ${from}`)
  return text.replace(pattern, () => to)
}

/** Makes the edits of a bug to the sources in a folder; throws where one has nothing to change. */
export const plant = (src: string, { edits }: Pick<Planted, "edits">): void => {
  for (const edit of edits) {
    const path = join(src, edit[0])
    writeFileSync(path, edited(readFileSync(path, "utf8"), edit))
  }
}

const copied = ["package.json", "tsconfig.json", "src", "test", "property-tests", "bench"] as const

/** A copy of all that the histories run on, with a bug in it; to be removed by {@link removeCopy}. */
export const copyWith = (planted: Pick<Planted, "edits">): string => {
  const folder = mkdtempSync(join(tmpdir(), "tidemark-mutant-"))
  for (const part of copied) cpSync(join(root, part), join(folder, part), { recursive: true })
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"))
  plant(join(folder, "src"), planted)
  return folder
}

/** Removes a copy. */
export const removeCopy = (folder: string): void => rmSync(folder, { recursive: true, force: true })
