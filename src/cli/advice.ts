/** What to do, as commands that work when they are typed: with the checkpoint that this run was told of. */
import { quoted } from "../checkpoint/PlanChange.ts"
import { type OwnedFacts, QueryError } from "../model/Errors.ts"

/** Where checkpoints are unless `--checkpoint` says otherwise. */
export const checkpointDefault = "./.tidemark"

/** `--checkpoint DIR` where it has to be said again, with a space before it. */
const checkpointArgument = (folder: string): string =>
  folder === checkpointDefault ? "" : ` --checkpoint ${quoted(folder)}`

/** The command that lets a query begin anew. */
export const resetCommand = (query: string, folder: string): string =>
  `tidemark reset ${quoted(query)}${checkpointArgument(folder)} --yes`

/** The command that runs a file. */
export const runCommand = (file: string, folder: string, flags: ReadonlyArray<string>): string =>
  [`tidemark run ${quoted(file)}${checkpointArgument(folder)}`, ...flags].join(" ")

const inFlags = ({ choice, attempt }: OwnedFacts): string => {
  if (choice === "misnamed") return "--take-over names one attempt and works once"
  if (choice === "changing") return "Wait for it with --if-owned wait"
  return `Stop it, wait until it is gone with --if-owned wait, or take over from it with --take-over=${attempt}`
}

/** An error whose advice is in the words of the library, in those of a command; others as they are. */
export const inWordsOf = (command: "run" | "reset", error: unknown): unknown => {
  if (!(error instanceof QueryError) || error.owned === undefined) return error
  const { fact, choice } = error.owned
  const stop = choice === "changing" ? "Try again in a moment" : `Stop it first: tidemark queries stop ${error.query}`
  return `${fact}. ${command === "run" ? inFlags(error.owned) : stop}`
}
