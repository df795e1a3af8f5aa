/**
 * The typed errors of the engine and its connectors: faults of the world, never of a row. A row that cannot be
 * processed is a value, see {@link "./DeadLetter.ts"}.
 *
 * Every error names what was wrong, where, and what to do.
 */
import * as Data from "effect/Data"

/** A source could not be listed, opened or read. `retryable` is the connector's opinion; the supervisor decides. */
export class SourceError extends Data.TaggedError("SourceError")<{
  /** Which connector, in the user's words: `files ./in/*.json`. */
  readonly connector: string
  readonly partition?: string
  readonly position?: string
  readonly retryable: boolean
  /** What was wrong and what to do, one sentence. */
  readonly message: string
  readonly cause?: unknown
}> {}

/** A sink could not be opened, written, prepared or committed. */
export class SinkError extends Data.TaggedError("SinkError")<{
  readonly connector: string
  readonly retryable: boolean
  readonly message: string
  readonly cause?: unknown
}> {}

/** An object store could not do what was asked. `putIfAbsent` on a name that exists is not an error. */
export class StoreError extends Data.TaggedError("StoreError")<{
  readonly store: string
  readonly name: string
  readonly operation: "get" | "put" | "putIfAbsent" | "list" | "delete"
  readonly message: string
  readonly cause?: unknown
}> {}

/** One wrong option: which, what it was, and what it should be. Collected before a query starts. */
export interface OptionProblem {
  /** Where the option stands: `withEventTime.outOfOrderness`, `Files.source.lanes`. */
  readonly option: string
  /** The value as text. */
  readonly value: string
  /** What to write instead. */
  readonly fix: string
}

/** Renders a problem as `withEventTime.outOfOrderness: "10 minuts" is not a duration (try "10 minutes")`. */
export const renderProblem = (p: OptionProblem): string => `${p.option}: ${p.value}: ${p.fix}`

/** Why a query could not start or had to stop, when it was not its source, sink or user code that failed. */
export type QueryErrorReason =
  | "InvalidPipeline"
  | "LedgerImbalance"
  | "UserCode"
  | "DeadLetterRefused"
  | "DrainTimeout"
  | "Checkpoint" // cannot be read, written or trusted (C3, C6)
  | "Fenced" // another process has taken the query over (C5); final
  | "Owned" // another process runs the query, and this one was not to wait (C5a)
  | "PlanChanged" // the plan is not the one of the checkpoint (C8)
  | "InputEnded" // rows came after the input had ended and its windows were closed (T11)
  | "MemoryBudget" // state outgrew its budget (A7)

/** Who has a query, and what there is to choose. */
export interface OwnedFacts {
  /** A sentence about the query without advice. */
  readonly fact: string
  /** The latest attempt, where it can be read. */
  readonly attempt: number | undefined
  /** `alive`: wait until it is gone, or take over from it. `changing`: wait. `misnamed`: not the attempt to take over from. */
  readonly choice: "alive" | "changing" | "misnamed"
}

/** The engine's own failure. `reason` is for programs, `message` for people. */
export class QueryError extends Data.TaggedError("QueryError")<{
  readonly reason: QueryErrorReason
  readonly query: string
  readonly message: string
  readonly problems?: ReadonlyArray<OptionProblem>
  /** Of reason `Owned`: for front-ends that name the choices in words of their own. */
  readonly owned?: OwnedFacts
  readonly cause?: unknown
}> {}
