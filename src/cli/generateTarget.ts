/** What `tidemark generate` is told, and where its events go. */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { HubFlags } from "./hubConnection.ts"

/** What the command line said; shares as they were written. */
export interface GenerateOptions {
  readonly what: "transactions" | "iot"
  readonly to: { readonly tag: "file"; readonly out: string } | ({ readonly tag: "hub" } & HubFlags)
  readonly count: number | undefined
  readonly rate: number
  /** Default 4 for files, those of the hub for a hub. */
  readonly partitions: number | undefined
  readonly duplicates: string
  readonly late: string
  readonly poison: string
  readonly future: string
  readonly disorderMs: number
  readonly seed: number
  readonly start: string | undefined
  readonly overwrite: boolean
}

/** Takes lines of a partition, in order; an interruption waits for it. */
export type Append = (lines: ReadonlyArray<Uint8Array>) => Effect.Effect<void, unknown>

/** Where events go. */
export interface Target {
  readonly partitions: number
  /** For people, of an endless run: where to, and how. */
  readonly pace: string
  readonly prepare: Effect.Effect<void, unknown>
  readonly open: (partition: string) => Effect.Effect<Append, unknown, Scope.Scope>
  /** For people: what was written. */
  readonly said: () => string
}
