/**
 * Markers of a sink that keeps none outside: the last epoch of each writer that this process committed. They spare a
 * repetition where nothing crashed, and no more: after a crash the pending epoch is done again, at least once.
 */
import * as Option from "effect/Option"
import { fieldOf } from "./RowChunk.ts"
import type { Prepared, WriterContext } from "./Sink.ts"

/** The markers of one sink. A `Prepared` has to carry the chain's identity as `queryId` in its data. */
export interface ProcessMarkers {
  /** A writer opens: what another chain of checkpoints committed, or came after the epoch gone on from, is forgotten. */
  readonly begin: (context: WriterContext) => void
  readonly has: (prepared: Prepared) => boolean
  readonly set: (prepared: Prepared) => void
  readonly last: (query: string, writer: string) => Option.Option<number>
}

const chainOf = ({ data }: Prepared): string => String(fieldOf(data, "queryId"))

/** No epoch is committed yet. */
export const makeProcessMarkers = (): ProcessMarkers => {
  const markers = new Map<string, { readonly queryId: string; readonly epoch: number }>()
  const keyOf = (query: string, writer: string): string => JSON.stringify([query, writer])
  return {
    begin: ({ query, writer, queryId, continues }) => {
      const key = keyOf(query, writer)
      const marker = markers.get(key)
      if (marker === undefined) return
      if (marker.queryId !== queryId) markers.delete(key)
      else if (marker.epoch > continues) markers.set(key, { queryId, epoch: continues })
    },
    has: (prepared) => {
      const marker = markers.get(keyOf(prepared.query, prepared.writer))
      return marker !== undefined && marker.queryId === chainOf(prepared) && marker.epoch >= prepared.epoch
    },
    set: (prepared) => {
      const { query, writer, epoch } = prepared
      markers.set(keyOf(query, writer), { queryId: chainOf(prepared), epoch })
    },
    last: (query, writer) => Option.fromUndefinedOr(markers.get(keyOf(query, writer))?.epoch)
  }
}
