/**
 * The pure operators of a time window without fibers: generators, exchange and states, put together by a seed that
 * decides chunk sizes, which partition is read next and which edge a receiver takes from. The modules are given, so
 * that the same runs can be made with copies in which a fault was planted.
 */
import type * as RowChunkModule from "../../src/model/RowChunk.ts"
import type * as WatermarkModule from "../../src/streams/Watermark.ts"
import type * as ExchangeModule from "../../src/streams/Exchange.ts"
import type * as CountersModule from "../../src/streams/Counters.ts"
import type * as ArithmeticModule from "../../src/streams/state/SliceArithmetic.ts"
import type * as StateModule from "../../src/streams/state/TimeWindowState.ts"
import type * as SumModule from "../../src/streams/aggregates/Sum.ts"
import { type Job, type Partition, type Row, textOf, type Windows } from "../oracle/Job.ts"
import { randomOf, type Random } from "./random.ts"

/** The modules that a run is made of. */
export interface Modules {
  readonly chunk: typeof RowChunkModule
  readonly watermark: typeof WatermarkModule
  readonly exchange: typeof ExchangeModule
  readonly counters: typeof CountersModule
  readonly arithmetic: typeof ArithmeticModule
  readonly state: typeof StateModule
  readonly sum: typeof SumModule
}

/** Loads the modules of a source folder: the repository's, or a copy of it. */
export const modulesOf = async (src: string): Promise<Modules> => {
  const load = async <M>(file: string): Promise<M> => (await import(/* @vite-ignore */ `${src}/${file}`)) as M
  return {
    chunk: await load("model/RowChunk.ts"),
    watermark: await load("streams/Watermark.ts"),
    exchange: await load("streams/Exchange.ts"),
    counters: await load("streams/Counters.ts"),
    arithmetic: await load("streams/state/SliceArithmetic.ts"),
    state: await load("streams/state/TimeWindowState.ts"),
    sum: await load("streams/aggregates/Sum.ts")
  }
}

type Batch = Parameters<InstanceType<Modules["state"]["TimeWindowState"]>["process"]>[1]
interface Message {
  readonly batch: Batch | undefined
  readonly watermark: number
}

/** One row of a result: key, end, sum of `v`. */
export interface PureResult {
  readonly key: unknown
  readonly window_end: number
  readonly total: unknown
}

/** Runs a job of one source, keyed, with time windows; the last pane of each key and window, and the late rows. */
export const runPure = (
  m: Modules,
  job: Job,
  seed: number
): { readonly results: ReadonlyArray<PureResult>; readonly late: ReadonlyArray<unknown> } => {
  const random = randomOf(seed)
  const receivers = 1 + random(3)
  const partitions = job.sources[0]
  const windows = job.windows as Extract<Windows, { kind: "time" }>
  const value = { field: "v", label: "v" }
  const aggregates = [m.sum.sum(value)]
  const panes = new Map<string, PureResult>()
  const late: Array<unknown> = []
  const output = {
    emit: (chunk: RowChunkModule.RowChunk) => {
      for (const row of chunk.rows as ReadonlyArray<PureResult>) panes.set(textOf([row.key, row.window_end]), row)
    },
    late: (rows: ReadonlyArray<unknown>) => late.push(...rows)
  }
  const states = Array.from(
    { length: receivers },
    () =>
      new m.state.TimeWindowState(
        1,
        m.arithmetic.timeWindows(windows.size, windows.slide, windows.offset),
        {
          aggregates,
          columns: { keys: ["key"], bounds: ["window_start", "window_end"], aggregates: ["total"] },
          keepsLateRows: true,
          ordered: false,
          allowedLatenessMs: job.lateness
        },
        new m.counters.Counters()
      )
  )
  const edges = states.map(() => partitions.map((): Array<Message> => []))
  const readers = partitions.map((partition, p) => reader(m, job, partition, p, aggregates, edges, random))
  const marks = states.map(() => partitions.map(() => -Infinity))
  const reached = states.map(() => -Infinity)
  for (let left = true; left;) {
    left = false
    for (const read of readers) if (random(2) === 0) left = read() || left
    for (let r = 0; r < receivers; r++) {
      const p = random(Math.max(1, partitions.length))
      const message = edges[r][p]?.shift()
      if (message === undefined) continue
      if (message.batch !== undefined) states[r].process(p, message.batch, output)
      marks[r][p] = Math.max(marks[r][p], message.watermark)
      const least = Math.min(...marks[r])
      if (least > reached[r]) states[r].advance((reached[r] = least), output)
      if (random(8) === 0) states[r].barrier(output)
    }
    left = left || readers.some((read) => read.more()) || edges.some((of) => of.some((queue) => queue.length > 0))
  }
  if (partitions.length === 0) for (const state of states) state.advance(Infinity, output)
  return { results: [...panes.values()], late }
}

/** Reads one chunk of a partition each time it is called, its end at last; says whether there is more. */
const reader = (
  m: Modules,
  job: Job,
  partition: Partition,
  p: number,
  aggregates: ReadonlyArray<ReturnType<Modules["sum"]["sum"]>>,
  edges: ReadonlyArray<ReadonlyArray<Array<Message>>>,
  random: Random
): (() => boolean) & { readonly more: () => boolean } => {
  const generator = new m.watermark.WatermarkGenerator(
    {
      time: { field: "at", label: "at" },
      outOfOrdernessMs: job.watermark === "explicit" ? 0 : job.watermark,
      ...(job.watermark === "explicit" ? { explicit: (row: unknown) => (row as Row).mark } : {})
    },
    false
  )
  const exchange = new m.exchange.KeyedExchange({
    key: [{ name: "key", value: { field: "key", label: "key" } }],
    aggregates,
    receivers: edges.length,
    needsRows: true,
    needsOrder: false
  })
  let at = 0
  let ended = false
  const read = (): boolean => {
    if (ended) return false
    const rows = partition.rows.slice(at, at + 1 + random(8))
    const batches = new Map<number, Batch>()
    if (rows.length > 0) {
      const chunk = new m.chunk.RowChunk(rows.length, rows, undefined, { lane: p, first: at }, 1)
      const timed = generator.process(chunk, 0).chunk
      if (timed !== undefined) exchange.deal(timed, (receiver, batch) => batches.set(receiver, batch))
    }
    at += rows.length
    ended = rows.length === 0
    const watermark = ended ? Infinity : generator.watermark
    edges.forEach((of, receiver) => of[p].push({ batch: batches.get(receiver), watermark }))
    return true
  }
  return Object.assign(read, { more: () => !ended })
}
