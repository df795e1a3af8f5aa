/**
 * The keys of a `process` in a checkpoint, and back: their states as JSON with the version they are of, and their
 * timers. At the barrier only references are copied: states are frozen, and a timer is never changed.
 */
import { Later, type SnapshotValue } from "../../model/Snapshot.ts"
import { decodeStored, encodeStored } from "../../model/StoredValue.ts"
import { jsonText, textOf } from "../../model/Text.ts"
import type { KeyTuple } from "../KeyDictionary.ts"
import type { ProcessSpec } from "../Plan.ts"
import { sealed, type Sealed, type StateCodec } from "../StateCodec.ts"
import type { ProcessKey, ProcessKeys } from "./ProcessKeys.ts"
import { KeyTimer } from "./Timers.ts"

/** Keys that are encoded together. */
const partKeys = 1024

/** States whose fit is looked at when a checkpoint is read; the others show when their keys come. */
const checkedStates = 64

/** Some keys: state i is of key i, null where there is none; timers name their key's place. */
interface Part {
  readonly keys: ReadonlyArray<unknown>
  readonly states: ReadonlyArray<readonly [unknown] | null>
  readonly since: ReadonlyArray<number>
  readonly timers: ReadonlyArray<
    readonly [key: number, name: string, at: number, isEvent: boolean, since: number, repeats: number]
  >
}

interface Stored {
  readonly version: number
  readonly parts: ReadonlyArray<Part>
}

/** The keys as they are now. */
export const snapshotKeys = (all: ProcessKeys, version: number): SnapshotValue => {
  const parts: Array<Later> = []
  let part = new PartAtBarrier()
  all.forEach((key) => {
    part.add(key)
    if (part.keys.length < partKeys) return
    parts.push(part.later())
    part = new PartAtBarrier()
  })
  if (part.keys.length > 0) parts.push(part.later())
  return { version, parts }
}

class PartAtBarrier {
  readonly keys: Array<KeyTuple> = []
  readonly #states: Array<unknown> = []
  readonly #since: Array<number> = []
  readonly #timers: Array<KeyTimer<ProcessKey>> = []
  readonly #owners: Array<number> = []

  add(key: ProcessKey): void {
    if (key.timers !== undefined) {
      for (const timer of key.timers.values()) {
        this.#timers.push(timer)
        this.#owners.push(this.keys.length)
      }
    }
    this.keys.push(key.tuple)
    this.#states.push(key.state)
    this.#since.push(key.since)
  }

  later(): Later {
    return new Later(() => ({
      keys: this.keys.map((tuple) => encodeStored(tuple)),
      states: this.#states.map((json) => (json === undefined ? null : [encodeStored(json)])),
      since: this.#since,
      timers: this.#timers.map((t, i) => [this.#owners[i], t.name, t.at, t.isEvent, t.since, t.repeats])
    }))
  }
}

/** Adds to `all` those keys of a snapshot that are `isMine`; older states are brought to the present version. */
export const restoreKeys = (
  all: ProcessKeys,
  snapshot: SnapshotValue,
  spec: ProcessSpec,
  codec: StateCodec,
  isMine: (key: KeyTuple) => boolean
): void => {
  const { version, parts } = snapshot as unknown as Stored
  const read = stateReader(version, spec, codec)
  for (const part of parts) {
    const mine = part.keys.map((stored, i) => {
      const tuple = decodeStored(stored) as KeyTuple
      if (!isMine(tuple)) return undefined
      const key = all.open(all.table.idOf(tuple))
      const state = part.states[i]
      if (state !== null) all.set(key, read(decodeStored(state[0]), tuple), part.since[i])
      return key
    })
    for (const [of, name, at, isEvent, since, repeats] of part.timers) {
      const key = mine[of]
      if (key !== undefined) all.setTimer(new KeyTimer(key, name, at, isEvent, since, repeats))
    }
  }
}

const stateReader = (
  version: number,
  spec: ProcessSpec,
  codec: StateCodec
): ((json: unknown, tuple: KeyTuple) => Sealed) => {
  if (version !== spec.version) {
    const migrate = spec.migrate.get(version)
    if (migrate === undefined) {
      throw new Error(
        `the checkpoint holds states of version ${version}, and process says version ${spec.version}: give it migrate: { ${version}: (old) => state }`
      )
    }
    return (json, tuple) => {
      try {
        return codec.seal(migrate(json))
      } catch (cause) {
        throw new Error(`process.migrate.${version} of key ${jsonText(tuple)}: ${textOf(cause)}`, { cause })
      }
    }
  }
  let checked = 0
  return (json, tuple) => {
    const state = sealed(json)
    if (checked++ < checkedStates) {
      try {
        codec.open(state.json)
      } catch (cause) {
        throw new Error(
          `the state of key ${jsonText(tuple)} in the checkpoint does not fit its Schema: raise version, and give migrate: { ${version}: (old) => state }: ${textOf(cause)}`,
          { cause }
        )
      }
    }
    return state
  }
}
