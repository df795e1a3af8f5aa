/**
 * What a reader of the job's folders sees: rows by output, from every file that it would open. And the questions that the
 * crash checks ask of it: is a row lost, there twice, or one that should not be there; did a file change under a reader?
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

/** What is to be seen at one moment. */
export interface Seen {
  /** Text of each file by its path below the folder. */
  readonly files: ReadonlyMap<string, string>
  /** How often each row is there, by output. */
  readonly rows: ReadonlyMap<string, ReadonlyMap<string, number>>
}

/** Readers pass by names that begin with a dot. */
const visible = (folder: string): ReadonlyArray<string> => {
  try {
    return readdirSync(folder).filter((name) => !name.startsWith("."))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return []
    throw error
  }
}

const rowsOf = (file: string, text: string): ReadonlyArray<string> => {
  if (text !== "" && !text.endsWith("\n")) return [`${file} ends in the middle of a row: ${text.slice(-80)}`]
  const lines = text.split("\n").slice(0, -1)
  return isCsv(file) ? lines.slice(1) : lines
}

const isCsv = (file: string): boolean => file.endsWith(".csv")

/** Where the headers of an output's files are counted, each once: one that is wrong is foreign, like a row. */
const headerOf = (output: string): string => `header of ${output}`
const isHeader = (output: string): boolean => output.startsWith(headerOf(""))

/** Text of each file of a folder that has a folder for each output, by its path. */
export const filesIn = (folder: string): ReadonlyMap<string, string> => {
  const files = new Map<string, string>()
  for (const output of visible(folder)) {
    for (const name of visible(join(folder, output))) {
      const file = `${output}/${name}`
      files.set(file, readFileSync(join(folder, file), "utf8"))
    }
  }
  return files
}

type Counts = Map<string, Map<string, number>>

/** Counts the rows of a file; `noted` is told each with how often it is there by now. */
const count = (
  counts: Counts,
  file: string,
  text: string,
  noted: (output: string, row: string, times: number) => void = () => undefined
): void => {
  const output = file.slice(0, file.lastIndexOf("/"))
  const rows = counts.get(output) ?? new Map<string, number>()
  counts.set(output, rows)
  if (isCsv(file) && text.endsWith("\n")) {
    const header = text.slice(0, text.indexOf("\n"))
    const headers = counts.get(headerOf(output)) ?? new Map<string, number>()
    counts.set(headerOf(output), headers.set(header, 1))
    noted(headerOf(output), header, 1)
  }
  for (const row of rowsOf(file, text)) {
    const times = (rows.get(row) ?? 0) + 1
    rows.set(row, times)
    noted(output, row, times)
  }
}

/** What is to be seen in these files. */
export const seenIn = (files: ReadonlyMap<string, string>): Seen => {
  const rows: Counts = new Map()
  for (const [file, text] of files) count(rows, file, text)
  return { files, rows }
}

/** Looks into a folder that has a folder for each output. */
export const look = (folder: string): Seen => seenIn(filesIn(folder))

/** Looks again and again while a job runs: at what is new, and whether what was there has stayed. */
export interface Watch {
  /** What readers should not have seen, of what came since the last look. */
  readonly look: (files: ReadonlyMap<string, string>) => ReadonlyArray<string>
}

/** Begins to watch a job of which an undisturbed run leaves `expected`. */
export const watch = (expected: Seen): Watch => {
  const counts: Counts = new Map()
  let before: ReadonlyMap<string, string> = new Map()
  return {
    look: (files) => {
      const wrong: Array<string> = [...changed(before, files)]
      const note = (output: string, row: string, times: number): void => {
        const wanted = expected.rows.get(output)?.get(row) ?? 0
        if (times > wanted && wrong.length < samplesMax)
          wrong.push(`${wanted === 0 ? "foreign" : `there ${times} times`} in ${output}: ${row.slice(0, 200)}`)
      }
      for (const [file, text] of files) if (!before.has(file)) count(counts, file, text, note)
      before = files
      return wrong
    }
  }
}

const samplesMax = 5

/** What is wrong with what is seen; samples are for people. */
export interface Wrong {
  readonly lost: number
  /** More often there than it should be. */
  readonly duplicated: number
  /** Not a row of the undisturbed run at all. */
  readonly foreign: number
  readonly samples: ReadonlyArray<string>
}

/** Compares with what an undisturbed run leaves. `whole`: it has to be all there; else rows may still be missing. */
export const compare = (expected: Seen, seen: Seen, whole: boolean): Wrong => {
  let lost = 0
  let duplicated = 0
  let foreign = 0
  const samples: Array<string> = []
  const note = (what: string, output: string, row: string): void => {
    if (samples.length < samplesMax) samples.push(`${what} in ${output}: ${row.slice(0, 200)}`)
  }
  for (const output of new Set([...expected.rows.keys(), ...seen.rows.keys()])) {
    const wanted = expected.rows.get(output) ?? new Map<string, number>()
    const found = seen.rows.get(output) ?? new Map<string, number>()
    for (const [row, n] of wanted) {
      const missing = n - (found.get(row) ?? 0)
      // A header is gone when its file is, and then the rows say so.
      if (!whole || missing <= 0 || isHeader(output)) continue
      lost += missing
      note("lost", output, row)
    }
    for (const [row, n] of found) {
      const more = n - (wanted.get(row) ?? 0)
      if (more <= 0) continue
      if (wanted.has(row)) duplicated += more
      else foreign += more
      note(wanted.has(row) ? `there ${n} times` : "foreign", output, row)
    }
  }
  return { lost, duplicated, foreign, samples }
}

/** Files that a reader has seen, and that are gone or other since: a part never changes once it can be seen. */
export const changed = (
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>
): ReadonlyArray<string> =>
  [...before].flatMap(([file, text]) => {
    const now = after.get(file)
    return now === text ? [] : [`${file} was seen by readers and ${now === undefined ? "is gone" : "has changed"}`]
  })

/** How many rows there are in all. */
export const total = (seen: Seen): number => {
  let n = 0
  for (const [output, counts] of seen.rows) if (!isHeader(output)) for (const count of counts.values()) n += count
  return n
}
