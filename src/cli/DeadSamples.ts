/**
 * Watches dead letters on their way into the checkpoint store, so that the summary can show the first few. Letters
 * that a source sends to a sink of its own do not pass here.
 */
import * as Effect from "effect/Effect"
import type { DeadLetter } from "../model/DeadLetter.ts"
import type { ObjectStore } from "../model/ObjectStore.ts"

/** What is shown of a dead letter. */
export type DeadSample = Pick<DeadLetter, "place" | "reason" | "detail">

/** The first dead letters of each query. */
export interface DeadSamples {
  readonly watch: (objects: ObjectStore) => ObjectStore
  readonly of: (query: string) => ReadonlyArray<DeadSample>
}

const samplesMax = 3

/** A source's places say everything; those of operators count rows of a partition. */
const sampleOf = ({ place, partition, reason, detail }: DeadLetter): DeadSample => ({
  place: /^row \d/.test(place) ? `${place} of partition ${partition}` : place,
  reason,
  detail
})

/** None seen yet. */
export const makeDeadSamples = (): DeadSamples => {
  const seen = new Map<string, Array<DeadSample>>()
  const note = (name: string, bytes: Uint8Array): void => {
    const query = /^dead\/([^/]+)\//.exec(name)?.[1]
    if (query === undefined) return
    const samples = seen.get(query) ?? []
    seen.set(query, samples)
    let from = 0
    while (samples.length < samplesMax && from < bytes.length) {
      const end = bytes.indexOf(0x0a, from)
      const to = end < 0 ? bytes.length : end
      samples.push(sampleOf(JSON.parse(new TextDecoder().decode(bytes.subarray(from, to))) as DeadLetter))
      from = to + 1
    }
  }
  return {
    watch: (objects) => ({
      ...objects,
      put: (name, bytes) => Effect.tap(objects.put(name, bytes), () => Effect.sync(() => note(name, bytes)))
    }),
    of: (query) => seen.get(query) ?? []
  }
}
