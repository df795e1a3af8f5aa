/** The faults of histories by the names that users give them; each stands for one kind of the simulator's. */
import type { OptionProblem } from "../model/Errors.ts"
import { show } from "../model/Options.ts"
import type { FaultKind } from "./Fault.ts"

const kinds = {
  /** SIGKILL at any step. */
  crash: "kill",
  /** The machine goes: of what was not synced, anything may be lost or torn. */
  "power-loss": "power loss",
  /** The same, by what it does to files. */
  "torn-write": "power loss",
  /** SIGKILL, and a bit of one copy of the checkpoint goes bad. */
  "bit-rot": "rot",
  "disk-full": "disk full",
  "io-error": "disk error",
  "too-many-files": "too many files",
  /** A partition gives nothing for a while. */
  "stalled-partition": "stall",
  "read-error": "read error",
  /** The broker says that the position to go on from has expired, once. */
  "expired-position": "expired",
  "slow-sink": "sink slow",
  "failing-sink": "sink fails",
  /** The sink does what it was asked for, and its reply is lost. */
  "ambiguous-sink": "sink no reply",
  /** Calls to a remote checkpoint store fail. */
  "store-failure": "store fails",
  "ambiguous-store": "store no reply",
  /** SIGTERM: the query drains, and is started again. */
  sigterm: "sigterm",
  /** SIGSTOP; another process takes over, and the first goes on later. */
  "frozen-process": "freeze",
  /** A second process on the same checkpoint. */
  "second-process": "second",
  "clock-jump": "clock jump"
} as const satisfies { readonly [name: string]: FaultKind }

/** A fault by its name. */
export type FaultName = keyof typeof kinds

/** Every name there is. */
export const faultNames = Object.keys(kinds) as ReadonlyArray<FaultName>

/** The name of a kind. */
export const faultNameOf = (kind: FaultKind): FaultName => faultNames.find((name) => kinds[name] === kind) ?? "crash"

/** The kinds that names stand for; names that are none are problems. Absent: all. */
export const kindsOf = (
  names: ReadonlyArray<FaultName> | undefined,
  problems: Array<OptionProblem>
): ReadonlySet<FaultKind> => {
  const wanted: unknown = names ?? faultNames
  const found = new Set<FaultKind>()
  if (!Array.isArray(wanted)) {
    problems.push({ option: "faults", value: show(wanted), fix: 'must be a list of names, such as ["crash"]' })
    return found
  }
  for (const name of wanted as ReadonlyArray<unknown>) {
    if (typeof name === "string" && Object.hasOwn(kinds, name)) found.add(kinds[name as FaultName])
    else problems.push({ option: "faults", value: show(name), fix: `is no fault: there are ${faultNames.join(", ")}` })
  }
  return found
}
