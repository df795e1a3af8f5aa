/**
 * The keys of a `process` in a checkpoint, and back: their states as JSON with the version they are of, and their
 * timers. At the barrier only references are copied.
 */
import type { SnapshotValue } from "../../model/Snapshot.ts"
import { decodeStored, encodeStored, type StoredValue } from "../../model/StoredValue.ts"
import { jsonText, textOf } from "../../model/Text.ts"
import type { KeyTuple } from "../KeyDictionary.ts"
import type { ProcessSpec } from "../Plan.ts"
import { sealed, type Sealed, type StateCodec } from "../StateCodec.ts"
import { inParts } from "../aggregates/StoredColumn.ts"
import { StateFault } from "../UserCode.ts"
import { type KeyColumns, type ProcessKeys, timersIn } from "./ProcessKeys.ts"
import { KeyTimer } from "./Timers.ts"

/** Ids whose keys are encoded together. */
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
  const columns = all.copy()
  return { version, parts: inParts(columns.tuples.length, partKeys, (from, to) => partOf(columns, from, to)) }
}

const partOf = ({ tuples, states, since, timers }: KeyColumns, from: number, to: number): SnapshotValue => {
  const part = {
    keys: [] as Array<StoredValue>,
    states: [] as Array<readonly [StoredValue] | null>,
    since: [] as Array<number>,
    timers: [] as Array<Part["timers"][number]>
  }
  for (let id = from; id < to; id++) {
    const state = states[id]
    const own = timersIn(timers[id])
    if (state === undefined && own.length === 0) continue
    for (const t of own) part.timers.push([part.keys.length, t.name, t.at, t.isEvent, t.since, t.repeats])
    part.keys.push(encodeStored(tuples[id]))
    part.states.push(state === undefined ? null : [encodeStored(state)])
    part.since.push(since[id])
  }
  return part
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
    const ids = part.keys.map((stored, i) => {
      const tuple = decodeStored(stored) as KeyTuple
      if (!isMine(tuple)) return -1
      const id = all.table.idOf(tuple)
      all.open(id)
      const state = part.states[i]
      if (state !== null) all.set(id, read(decodeStored(state[0]), tuple), part.since[i])
      all.settle(id)
      return id
    })
    for (const [of, name, at, isEvent, since, repeats] of part.timers) {
      const id = ids[of]
      if (id < 0) continue
      all.setTimer(new KeyTimer(id, name, at, isEvent, since, repeats))
      all.settle(id)
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
      throw new StateFault(
        `the checkpoint holds states of version ${version}, and process says version ${spec.version}: give it migrate: { ${version}: (old) => state }`
      )
    }
    return (json, tuple) => {
      try {
        return codec.seal(migrate(json))
      } catch (cause) {
        throw new StateFault(`process.migrate.${version} of key ${jsonText(tuple)}: ${textOf(cause)}`, { cause })
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
        throw new StateFault(
          `the state of key ${jsonText(tuple)} in the checkpoint does not fit its Schema: raise version, and give migrate: { ${version}: (old) => state }: ${textOf(cause)}`,
          { cause }
        )
      }
    }
    return state
  }
}
