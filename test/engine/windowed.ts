/** Counts of rows per window, what is late, and the window's ledger: the job of most examples. */
import { Effect } from "effect"
import { EventStream, Late, Memory, type Window } from "tidemark"
import { counted, operatorOf, runQuery } from "./kit.ts"

/** A row that has a time, and perhaps a key. */
export interface Row {
  readonly t: number
  readonly k?: string
}

/** Rows at these times. */
export const at = (...times: ReadonlyArray<number>): ReadonlyArray<Row> => times.map((t) => ({ t }))

/** Counts of rows per window; late rows; the ledger of the window. Two partitions or one, bound 0 unless said. */
export const windowed = (
  partitions: { readonly [p: string]: ReadonlyArray<Row> },
  window: Window.Window,
  options: { readonly bound?: number; readonly chunkRows?: number; readonly lateness?: number } = {}
) =>
  Effect.gen(function* () {
    const out = Memory.sink<{ window_start: number; window_end: number; n: number }>()
    const late = Memory.sink<Row>()
    const { bound = 0, chunkRows = 1024, lateness = 0 } = options
    const summary = yield* runQuery(
      EventStream.from(Memory.source({ partitions })).pipe(
        EventStream.withEventTime("t", { outOfOrderness: bound }),
        EventStream.keyBy(),
        EventStream.window(window as Window.Window<"time">, {
          late: Late.to(late),
          ...(lateness === 0 ? {} : { allowedLateness: lateness })
        }),
        counted,
        EventStream.to(out, { mode: "update" })
      ),
      { chunkRows }
    )
    const rows = [...(yield* out.table)].toSorted((a, b) => a.window_start - b.window_start)
    return {
      windows: rows.map((r) => [r.window_start, r.window_end, r.n]),
      late: (yield* late.rows).map((r) => r.t),
      ledger: operatorOf(summary.ledger, "window-1")
    }
  })
