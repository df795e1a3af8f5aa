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
  return file.endsWith(".csv") ? lines.slice(1) : lines
}

/** Looks into a folder that has a folder for each output. */
export const look = (folder: string): Seen => {
  const files = new Map<string, string>()
  const rows = new Map<string, Map<string, number>>()
  for (const output of visible(folder)) {
    const counts = new Map<string, number>()
    rows.set(output, counts)
    for (const name of visible(join(folder, output))) {
      const file = `${output}/${name}`
      const text = readFileSync(join(folder, file), "utf8")
      files.set(file, text)
      for (const row of rowsOf(file, text)) counts.set(row, (counts.get(row) ?? 0) + 1)
    }
  }
  return { files, rows }
}

/** What is wrong with what is seen; samples are for people. */
export interface Wrong {
  readonly lost: number
  /** More often there than it should be. */
  readonly duplicated: number
  /** Not a row of the undisturbed run at all. */
  readonly foreign: number
  readonly samples: ReadonlyArray<string>
}

const samplesMax = 5

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
      if (!whole || missing <= 0) continue
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
export const changed = (before: Seen, after: Seen): ReadonlyArray<string> =>
  [...before.files].flatMap(([file, text]) => {
    const now = after.files.get(file)
    return now === text ? [] : [`${file} was seen by readers and ${now === undefined ? "is gone" : "has changed"}`]
  })

/** How many rows there are in all. */
export const total = (seen: Seen): number => {
  let n = 0
  for (const counts of seen.rows.values()) for (const count of counts.values()) n += count
  return n
}
