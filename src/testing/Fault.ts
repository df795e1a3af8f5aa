/**
 * What can go wrong in a history, as data: so that a plan of faults is generated, shrunk and replayed.
 *
 * Faults of processes happen one after the other, each in the process that runs then; faults of the world (disk, sinks,
 * partitions) lie in wait from the start.
 */

/** When a fault of a process happens: after so many of its steps, or at a failpoint that it passes for the n-th time. */
export type Moment =
  | { readonly steps: number }
  | { readonly failpoint: string; readonly when: "before" | "after"; readonly passage: number }

/** Faults of processes. */
export type ProcessFault =
  /** SIGKILL; another process is started. */
  | { readonly kind: "kill"; readonly at: Moment }
  /** The machine loses power: of what was not synced, anything may be lost or torn. */
  | { readonly kind: "power loss"; readonly at: Moment; readonly seed: number }
  /** SIGKILL, and a bit of one file of the checkpoint goes bad. */
  | { readonly kind: "rot"; readonly at: Moment; readonly seed: number }
  /** SIGTERM: it drains; another process is started. */
  | { readonly kind: "sigterm"; readonly at: Moment }
  /** SIGSTOP; another process takes over, and the first goes on after so many steps of it, or when it has ended (0). */
  | { readonly kind: "freeze"; readonly at: Moment; readonly wakeAfter: number }
  /** A second process on the same checkpoint. */
  | { readonly kind: "second"; readonly at: Moment }
  /** Its wall clock is set. */
  | { readonly kind: "clock jump"; readonly at: Moment; readonly byMs: number }

/** Faults of the world. */
export type WorldFault =
  /** Calls to the disk fail: ENOSPC, EIO, EMFILE; or, counted by themselves, those that sync a file. */
  | {
      readonly kind: "disk full" | "disk error" | "too many files"
      readonly atCall: number
      readonly calls: number
      readonly of?: "syncs"
    }
  /** Calls to a remote store of checkpoints fail, or are done without a reply. */
  | { readonly kind: "store fails" | "store no reply"; readonly atCall: number; readonly calls: number }
  /** Calls to a sink fail, are done without a reply, or take long. */
  | { readonly kind: "sink fails" | "sink no reply" | "sink slow"; readonly atCall: number; readonly calls: number }
  /** From a row on, a partition gives nothing for a while. */
  | { readonly kind: "stall"; readonly partition: number; readonly row: number; readonly ms: number }
  /** Reading a row fails, once. */
  | { readonly kind: "read error"; readonly partition: number; readonly row: number }
  /** A partition that is opened where it was left says that its rows have expired, once. */
  | { readonly kind: "expired"; readonly partition: number }

/** Anything that can go wrong. */
export type Fault = ProcessFault | WorldFault
/** What kinds there are. */
export type FaultKind = Fault["kind"]

/** Every kind there is. */
export const faultKinds: ReadonlyArray<FaultKind> = [
  "kill",
  "power loss",
  "rot",
  "sigterm",
  "freeze",
  "second",
  "clock jump",
  "disk full",
  "disk error",
  "too many files",
  "store fails",
  "store no reply",
  "sink fails",
  "sink no reply",
  "sink slow",
  "stall",
  "read error",
  "expired"
]

const ofProcess: ReadonlySet<FaultKind> = new Set(faultKinds.slice(0, 7))

/** Whether faults of a kind are faults of processes. */
export const isProcessKind = (kind: FaultKind): boolean => ofProcess.has(kind)
/** Whether a fault of a kind kills a process. */
export const isCrash = (kind: FaultKind): boolean => kind === "kill" || kind === "power loss" || kind === "rot"
/** Whether a fault is one of processes. */
export const isProcessFault = (fault: Fault): fault is ProcessFault => ofProcess.has(fault.kind)
