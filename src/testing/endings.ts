/** How processes of a history end: by what may be expected of their surroundings, or not; and how that is said. */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { QueryError, SinkError, SourceError, StoreError } from "../model/Errors.ts"
import { FileError } from "../model/FileSystem.ts"
import type { Moment } from "./Fault.ts"

/** What may stop a process that nothing is wrong with but its surroundings. */
export const isTrouble = (error: unknown): boolean =>
  error instanceof SinkError ||
  error instanceof SourceError ||
  error instanceof StoreError ||
  error instanceof FileError ||
  (error instanceof QueryError && (error.reason === "Checkpoint" || error.reason === "DrainTimeout"))

/** What stops a process because there is another. */
export const isOthers = (error: unknown): boolean =>
  error instanceof QueryError && (error.reason === "Fenced" || error.reason === "Owned")

/** What ends a process whose query another has taken over. */
export const isFenced = (error: unknown): boolean => error instanceof QueryError && error.reason === "Fenced"

/** When a fault struck, for a timeline. */
export const describeMoment = (at: Moment): string => ("failpoint" in at ? ` ${at.when} ${at.failpoint}` : "")

/** How a process ended, for a timeline. */
export const describeEnd = (exit: Exit.Exit<{ readonly ended: string }, unknown>): string => {
  if (Exit.isSuccess(exit)) return `ends: ${exit.value.ended}`
  const error = Cause.squash(exit.cause)
  return `fails: ${error instanceof Error ? error.message : String(error)}`
}
