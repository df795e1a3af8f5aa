/** What the laws of sinks are written in: rows, writers of an attempt, prepared epochs, and the world of one sink. */
import { Effect, Option, type Scope } from "effect"
import { expect } from "vitest"
import type { Mode, Prepared, Sink, SinkBatch, WriterContext } from "../../src/model/Sink.ts"

/** The rows that the suite writes; `k` is their identity in update mode. */
export interface SinkRow {
  readonly k: string
  readonly n: number
  readonly text: string
}

/** Whatever modes it takes: the laws use those that its features name. */
export type AnyRowSink = Sink<SinkRow, never, unknown>

/** One implementation with nothing written yet. */
export interface SinkUnderTest {
  readonly sink: AnyRowSink
  /** Another sink over the same outside world, as another process would make it. */
  readonly again: () => AnyRowSink
  /** The rows that stand outside now, in order; in update mode every change, deletes left out. */
  readonly visible: Effect.Effect<ReadonlyArray<unknown>, unknown>
  /** The current table of an update or complete output; absent where the outside is a log, not a table. */
  readonly table?: Effect.Effect<ReadonlyArray<unknown>, unknown>
  /** How many things stand staged outside: prepared and not committed, or left behind. Absent where they cannot be seen. */
  readonly staged?: Effect.Effect<number, unknown>
  /** Takes away what is visible, as a reader that moves it elsewhere does. Absent where readers cannot. */
  readonly take?: Effect.Effect<void, unknown>
  /** How a row looks in `visible` and `table`; default as it was written. */
  readonly rendered?: (row: SinkRow) => unknown
}

/** A law of sinks, for one world of its own. */
export type Law = (world: SinkUnderTest) => Effect.Effect<void, unknown, Scope.Scope>

/** A row of the suite. */
export const row = (n: number, k = `k${n}`): SinkRow => ({ k, n, text: `row ${n}` })
/** Rows from one number to before another. */
export const rows = (from: number, to: number): ReadonlyArray<SinkRow> =>
  Array.from({ length: to - from }, (_, i) => row(from + i))
/** Rows as a batch. */
export const batch = (values: ReadonlyArray<SinkRow>, deletes?: ReadonlyArray<number>): SinkBatch<SinkRow> => ({
  rows: values,
  ...(deletes === undefined ? {} : { deletes: Uint8Array.from(deletes) })
})
/** What a writer is told: of the first attempt, which begins anew, unless `more` says otherwise. */
export const context = (mode: Mode, more: Partial<WriterContext> = {}): WriterContext => ({
  query: "q",
  queryId: "chain-1",
  writer: "w",
  attempt: 1,
  continues: 0,
  begins: (more.continues ?? 0) > 0 ? "checkpoint" : "anew",
  mode,
  identity: mode === "append" ? [] : ["k"],
  ...more
})

/** A prepared epoch as another process would find it in a manifest. */
export const wire = (prepared: Prepared): Prepared => JSON.parse(JSON.stringify(prepared)) as Prepared

/** Writes batches as one epoch and prepares it, with a writer of its own. */
export const prepareWith = (
  sink: AnyRowSink,
  c: WriterContext,
  epoch: number,
  batches: ReadonlyArray<SinkBatch<SinkRow>>
): Effect.Effect<Prepared, unknown> =>
  Effect.scoped(
    Effect.gen(function* () {
      const writer = yield* sink.writer(c)
      for (const b of batches) expect(yield* writer.write(b)).toEqual([])
      return yield* writer.prepare(epoch)
    })
  )

/** The last epoch that a sink says is committed. */
export const committedEpoch = (
  sink: AnyRowSink,
  writer = "w",
  query = "q"
): Effect.Effect<number | undefined, unknown> => Effect.map(sink.committed(query, writer), Option.getOrUndefined)

/** An order of rows that does not matter to any law. */
export const byText = (a: unknown, b: unknown): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)
