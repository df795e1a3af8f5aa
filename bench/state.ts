/**
 * What a large state costs: `npm run -s bench -- state --keys 1000000`. One window of that many keys, counted and summed
 * up; then, in a process of its own each time, a checkpoint of it and the recovery from it. Medians of five.
 *
 * The pause is how long the operator stood still to copy its state, and, measured from outside, the longest time between
 * two chunks that the source was asked for while a checkpoint was made. Recovery is from the start of the query to the
 * first new row that has gone through the operator.
 */
import { spawn } from "node:child_process"
import { Checkpoint, EventStream, Foreach, Query, Trigger, Window } from "tidemark"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { factsOf } from "../src/actors/QueryHandle.ts"
import { type Position, position } from "../src/model/Position.ts"
import type { Source, SourceChunk } from "../src/model/Source.ts"
import { lastJson, median } from "./checks/run.ts"

interface Row {
  readonly key: string
  readonly value: number
  readonly ts: number
}

/** Facts of the source, seen while it is read. */
class Watch {
  first: number | undefined
  last = 0
  gapMs = 0
  rows = 0
  watching = false

  asked(now: number): void {
    if (this.watching && this.last !== 0) this.gapMs = Math.max(this.gapMs, now - this.last)
    this.last = now
  }
}

const chunk = (from: number, rows: number, keys: number): SourceChunk<Row> => ({
  length: rows,
  rows: Array.from({ length: rows }, (_, r) => ({
    key: `key-${(from + r) % keys}`,
    value: from + r,
    ts: 1_700_000_000_000
  })),
  next: position(String(from + rows)),
  bytes: rows * 60
})

/** One endless partition that goes through all keys again and again. */
const source = (keys: number, watch: Watch): Source<Row> => ({
  name: "keys",
  features: { bounded: false, appendTime: false, endPosition: false, replayable: true, dynamicPartitions: false },
  partitions: (known) => Effect.succeed(known.has("0") ? [] : ["0"]),
  open: (_partition, from) =>
    Effect.sync(() => {
      let at = Option.match(from, { onNone: () => 0, onSome: (p: Position) => Number(p) })
      return {
        pull: (demand) =>
          Effect.map(Clock.currentTimeNanos, (now) => {
            const ms = Number(now) / 1e6
            watch.asked(ms)
            // Chunks are pulled ahead: when the fourth is asked for, the first has gone through.
            watch.rows += demand.rows
            if (watch.rows >= 4 * demand.rows) watch.first ??= ms
            const made = chunk(at, demand.rows, keys)
            at += demand.rows
            return made
          }),
        end: Effect.succeed(Option.none())
      }
    })
})

const pipeline = (keys: number, watch: Watch) =>
  EventStream.from(source(keys, watch)).pipe(
    EventStream.withEventTime("ts", { outOfOrderness: "5 seconds" }),
    EventStream.keyBy("key"),
    EventStream.window(Window.tumbling("1 day"), { late: "drop" }),
    EventStream.aggregate(({ count, sum }) => ({ n: count, total: sum("value") })),
    EventStream.to(Foreach.sink(() => Effect.void))
  )

/** Fills the state, makes one checkpoint while reading goes on, and stops with it. */
const fill = (keys: number, folder: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const watch = new Watch()
      const handle = yield* Query.start(pipeline(keys, watch), { name: "state", trigger: Trigger.every("2 seconds") })
      while (watch.rows < keys + 20_000) yield* Effect.sleep("20 millis")
      const before = factsOf(handle).epochs.length
      watch.watching = true
      while (factsOf(handle).epochs.length < before + 2) yield* Effect.sleep("20 millis")
      watch.watching = false
      const epoch = factsOf(handle).epochs.at(-1)
      yield* handle.drain
      return {
        pauseMs: epoch?.times.pause ?? Number.NaN,
        gapMs: watch.gapMs,
        writeMs: epoch?.times.state ?? Number.NaN,
        bytes: epoch?.stateBytes ?? Number.NaN
      }
    })
  ).pipe(Effect.provide(Checkpoint.layerFiles(folder)))

/** The other process: goes on from the checkpoint, and tells when the first new row was through. */
export const recoverState = (keys: number, folder: string): Promise<object> =>
  Effect.scoped(
    Effect.gen(function* () {
      const watch = new Watch()
      const began = Number(yield* Clock.currentTimeNanos) / 1e6
      const handle = yield* Query.start(pipeline(keys, watch), { name: "state", trigger: Trigger.every("1 hour") })
      while (watch.first === undefined) yield* Effect.sleep("2 millis")
      const recoveryMs = watch.first - began
      const held = factsOf(handle)
        .status?.keys()
        .reduce((sum, k) => sum + k.keys, 0)
      yield* handle.drain
      return { recoveryMs, held, continued: factsOf(handle).continued?.epoch ?? 0 }
    })
  ).pipe(Effect.provide(Checkpoint.layerFiles(folder)), Effect.runPromise)

const child = (args: ReadonlyArray<string>): Promise<{ readonly [field: string]: number | string }> =>
  new Promise((resolve, reject) => {
    const flags = [...process.execArgv, "bench/main.ts", "state", ...args]
    const running = spawn(process.execPath, flags, { stdio: ["ignore", "pipe", "inherit"] })
    let stdout = ""
    running.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text
    })
    running.on("error", reject)
    running.on("close", (code) => (code === 0 ? resolve(lastJson(stdout)) : reject(new Error(`ended with ${code}`))))
  })

/** Five times: fill here, recover in a process of its own. */
export const measureState = async (keys: number, folder: string): Promise<object> => {
  const rounds: Array<{ pauseMs: number; gapMs: number; writeMs: number; bytes: number; recoveryMs: number }> = []
  for (let round = 0; round < 5; round++) {
    const place = `${folder}/${round}`
    const filled = await Effect.runPromise(fill(keys, place))
    const { recoveryMs, held, continued } = await child(["--keys", String(keys), "--recover", place])
    if (held !== keys || continued === 0) throw new Error(`recovered ${held} keys of ${keys} from epoch ${continued}`)
    rounds.push({ ...filled, recoveryMs: Number(recoveryMs) })
    console.error(JSON.stringify(rounds.at(-1)))
  }
  const of = (field: keyof (typeof rounds)[number]): number => Math.round(median(rounds.map((r) => r[field])) * 10) / 10
  return {
    bench: "state",
    keys,
    rounds: rounds.length,
    pause_ms: of("pauseMs"),
    longest_gap_ms: of("gapMs"),
    write_ms: of("writeMs"),
    bytes: of("bytes"),
    recovery_ms: of("recoveryMs"),
    peak_rss_mb: Math.round(process.resourceUsage().maxRSS / 1024)
  }
}
