/**
 * Who runs an attempt, and whether that process can be known to be gone (rule C5a).
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import { nodeProcessFacts } from "./nodeProcessFacts.ts"

/** A process and the attempt in it. Any field may be shared by chance or by cloning: only all together say "the same". */
export interface Owner {
  /** Random; one per attempt. */
  readonly attemptId: string
  readonly host: string
  /** Of the kernel; empty where there is none. */
  readonly bootId: string
  /** Identity of the process-id namespace, and of the container, as far as they can be told. */
  readonly pidNamespace: string
  readonly container: string
  readonly pid: number
  /** Start time of the process in the kernel's own clock: tells a reused pid. Empty: unknown. */
  readonly startedAt: string
}

/** What the process knows of itself and of its neighbours. */
export interface ProcessFacts {
  readonly self: Effect.Effect<Omit<Owner, "attemptId">>
  /** Surely gone: it ran on this host, boot, namespace and container, and no such process runs. When in doubt, false. */
  readonly isGone: (owner: Owner) => Effect.Effect<boolean>
}

/** The facts in force; a reference, so that it never shows in `R`. Default: those of this Node process. */
export const HostProcess: Context.Reference<ProcessFacts> = Context.Reference<ProcessFacts>("tidemark/HostProcess", {
  defaultValue: () => nodeProcessFacts
})

/** The owner as people read it. */
export const ownerText = (owner: Owner): string => `host ${owner.host || "unknown"}, pid ${owner.pid}`
