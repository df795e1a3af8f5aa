/** W1 with the same operators, called in one loop without fibers, queues or epochs: what the runtime is measured against. */
import { EventStream, Window } from "tidemark"
import { RowChunk } from "../../src/model/RowChunk.ts"
import { Counters } from "../../src/streams/Counters.ts"
import { KeyedExchange } from "../../src/streams/Exchange.ts"
import type { OperatorOutput } from "../../src/streams/KeyedBatch.ts"
import type { EventTimeNode, WindowNode } from "../../src/streams/Plan.ts"
import { timeWindows } from "../../src/streams/state/SliceArithmetic.ts"
import { TimeWindowState } from "../../src/streams/state/TimeWindowState.ts"
import { eventTimeOperator } from "../../src/streams/Stateless.ts"
import { WatermarkGenerator } from "../../src/streams/Watermark.ts"
import { eventsOf, partitions, W1Check, type W1Result, w1Chunk, w1Source } from "./events.ts"

/** The plan of W1, so that both variants run the very same aggregates. */
const windowNode = (): WindowNode =>
  EventStream.from(w1Source(0)).pipe(
    EventStream.withEventTime("ts", { outOfOrderness: "5 seconds" }),
    EventStream.keyBy("key"),
    EventStream.window(Window.tumbling("10 seconds"), { late: "drop" }),
    EventStream.aggregate(({ count, sum, min, max }) => ({
      n: count,
      total: sum("value"),
      low: min("value"),
      high: max("value")
    }))
  ).plan as WindowNode

export const runPlain = (events: number, parallelism: number, chunkRows = 1024): W1Check => {
  const check = new W1Check()
  const node = windowNode()
  const aggregates = node.aggregates.map((a) => a.spec)
  const columns = {
    keys: ["key"],
    bounds: ["window_start", "window_end"] as const,
    aggregates: node.aggregates.map((a) => a.name)
  }
  const output: OperatorOutput = {
    emit: (chunk) => check.add(chunk.rows as ReadonlyArray<W1Result>),
    late: () => undefined
  }
  const windows = Array.from({ length: parallelism }, () => {
    const options = { aggregates, columns, allowedLatenessMs: 0, keepsLateRows: false, ordered: false }
    return new TimeWindowState(1, timeWindows(10_000, 10_000, 0), options, new Counters())
  })
  const spec = (node.input.input as EventTimeNode).spec
  const readers = Array.from({ length: partitions }, (_, p) => {
    const exchange = new KeyedExchange({
      key: node.input.columns,
      aggregates,
      receivers: parallelism,
      needsRows: false,
      needsOrder: false
    })
    const generator = new WatermarkGenerator(spec, false)
    const target = {
      push: (chunk: RowChunk): void => {
        exchange.deal(chunk, (receiver, batch) => {
          windows[receiver].process(p, batch, output)
          batch.release()
        })
      }
    }
    const operator = eventTimeOperator(
      "time",
      generator,
      new Counters(),
      () => 0,
      () => undefined,
      target
    )
    return { generator, operator, at: 0, total: eventsOf(p, events) }
  })
  let open = true
  while (open) {
    open = false
    for (let p = 0; p < partitions; p++) {
      const reader = readers[p]
      const rows = Math.min(chunkRows, reader.total - reader.at)
      if (rows <= 0) continue
      open = true
      const chunk = w1Chunk(p, reader.at, rows)
      reader.at += rows
      reader.operator.push(new RowChunk(rows, undefined, chunk.columns, { lane: p, first: 0 }, chunk.bytes))
      const minimum = Math.min(...readers.map((r) => r.generator.watermark))
      for (const window of windows) while (!window.advance(minimum, output));
    }
  }
  for (const window of windows) while (!window.advance(Infinity, output));
  return check
}
