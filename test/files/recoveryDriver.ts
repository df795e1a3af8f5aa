/**
 * The protocol of epochs in its smallest form (rules C3, C5), over the real file sink and the real file store: attempts
 * that take over, commit what is pending, sweep, write epochs and publish them. What a simulated disk is tried with.
 */
import { Effect, Exit, Option, type Scope } from "effect"
import * as Files from "../../src/connectors/files/Files.ts"
import type { FileSystem } from "../../src/model/FileSystem.ts"
import type { ObjectStore } from "../../src/model/ObjectStore.ts"
import type { Prepared } from "../../src/model/Sink.ts"
import { context, wire } from "../conformance/sinkWorld.ts"
import { type DiskFaults, killed, makeSimulatedDisk, type SimulatedDisk } from "../../src/testing/SimulatedDisk.ts"

/** Rows that a history writes. */
export const rowCount = 6

interface Manifest {
  readonly epoch: number
  readonly position: number
  readonly prepared: Prepared | null
  readonly data: ReadonlyArray<string>
}

/** Where the parts stand. */
export const out = "/disk/out/rows"
const highest = 9999
const nameOf = (copy: string, number: number): string => `q/${copy}/0/${highest - number}`
const numberOf = (name: string): number => highest - Number(name.slice(name.lastIndexOf("/") + 1))
const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

/** Ends an attempt: another has taken over. */
const fenced = Effect.fail("fenced" as const)

const newest = (store: ObjectStore, copy: string) =>
  Effect.map(store.list(`q/${copy}/`, 1), (names) => (names.length === 0 ? 0 : numberOf(names[0])))

const read = (store: ObjectStore, number: number): Effect.Effect<Manifest | undefined, unknown> =>
  Effect.gen(function* () {
    for (const copy of ["primary", "copy"]) {
      const bytes = Option.getOrUndefined(yield* store.get(nameOf(copy, number)))
      // A torn one throws, which is a violation.
      if (bytes !== undefined) return JSON.parse(new TextDecoder().decode(bytes)) as Manifest
    }
    return undefined
  })

const publish = (store: ObjectStore, number: number, manifest: Manifest): Effect.Effect<void, unknown> =>
  Effect.gen(function* () {
    for (const copy of ["primary", "copy"]) {
      if (!(yield* store.putIfAbsent(nameOf(copy, number), encode(manifest)))) return yield* fenced
      if ((yield* newest(store, "primary")) > number || (yield* newest(store, "copy")) > number) return yield* fenced
    }
  })

/** Tombstones below a number, and then the data that its manifest does not name. */
const collect = (
  store: ObjectStore,
  number: number,
  attempt: number,
  { data }: Manifest
): Effect.Effect<void, unknown> =>
  Effect.gen(function* () {
    for (const copy of ["primary", "copy"]) {
      for (const name of yield* store.list(`q/${copy}/`, 1000)) {
        if (numberOf(name) < number && numberOf(name) >= number - 3) yield* store.put(name, encode("tombstone"))
      }
    }
    for (const name of yield* store.list("q/data/", 1000)) {
      const [theirs, epoch] = name.slice("q/data/".length).split("-").map(Number)
      const isOld = theirs < attempt || (theirs === attempt && epoch < number)
      if (isOld && !data.includes(name)) yield* store.delete(name)
    }
  })

/** Recovers, and writes all rows that are left. Fails with `fenced` when a put or a listing says that it was overtaken. */
const goOn = (store: ObjectStore, owned: (number: number) => void): Effect.Effect<void, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const sink = Files.jsonLines(out, { rollBytes: 16 })
    const high = Math.max(yield* newest(store, "primary"), yield* newest(store, "copy"))
    const base = high === 0 ? undefined : yield* read(store, high)
    if (high > 0 && base === undefined) return yield* Effect.fail(`manifest ${high} is gone`)
    // Collected between the listing and the reading: somebody is further.
    if (typeof base === "string") return yield* fenced
    let last: Manifest = base ?? { epoch: 0, position: 0, prepared: null, data: [] }
    const number = high + 1
    owned(number)
    yield* publish(store, number, last)
    if (last.prepared !== null) yield* sink.commit(last.prepared)
    const me = context("append", { writer: "rows", attempt: number, continues: last.epoch })
    yield* sink.sweep?.({ ...me, keep: last.prepared ?? undefined }) ?? Effect.void
    const states = yield* Effect.forEach(last.data, (name) => store.get(name))
    const isSound = states.some((s) => Option.isSome(s) && new TextDecoder().decode(s.value) === String(last.position))
    if (last.epoch > 0 && !isSound) return yield* Effect.fail(`the state of epoch ${last.epoch} is gone`)
    yield* collect(store, number, number, last)
    const writer = yield* sink.writer(me)
    for (let n = number + 1; last.position < rowCount; n++) {
      const position = last.position + 3
      for (let row = last.position; row < position; row++) {
        yield* writer.write({ rows: [{ row }] })
        // A checkpoint that is given up (C9).
        if (row === last.position) yield* writer.prepare(n)
      }
      const prepared = wire(yield* writer.prepare(n))
      const data = ["a", "b"].map((copy) => `q/data/${number}-${n}-${copy}`)
      for (const name of data) yield* store.put(name, encode(position))
      last = { epoch: n, position, prepared, data }
      owned(n)
      yield* publish(store, n, last)
      yield* sink.commit(prepared)
      yield* collect(store, n, number, last)
    }
  })

/** One attempt. What a sink or a store refuses to one that was overtaken is a fence too (C5). */
export const attempt: Effect.Effect<void, unknown> = Effect.suspend(() => {
  const store = Files.store("/disk/store/deep")
  let mine = 0
  return Effect.scoped(goOn(store, (number) => (mine = number))).pipe(
    Effect.tapError(() =>
      Effect.flatMap(newest(store, "primary"), (high) => (mine > 0 && high > mine ? fenced : Effect.void))
    )
  )
})

/** What may happen to an attempt at one of its calls. */
export type Fault = "killed" | "power lost" | "frozen"

/** A history: what goes wrong, and numbers from 0 to below 1 for everything left open. */
export interface History {
  readonly faults: ReadonlyArray<{ readonly what: Fault; readonly at: number }>
  readonly chance: () => number
  /** A reader moves parts away, and makes that durable, at some calls. */
  readonly taking: boolean
}

/** The rows of a part; a torn one is a defect. */
export const rowsIn = (bytes: Uint8Array | undefined): ReadonlyArray<number> => {
  const text = new TextDecoder().decode(bytes)
  if (!text.endsWith("\n")) throw new Error(`a torn part: ${JSON.stringify(text)}`)
  return text
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as { readonly row: number }).row)
}

/** The parts that readers see. */
export const partsOf = (disk: SimulatedDisk): ReadonlyArray<string> =>
  disk.list(out).filter((name) => !name.startsWith("."))

/** What is wrong with what stands outside; undefined: nothing. */
export const wrongIn = (disk: SimulatedDisk, taken: ReadonlyArray<number>, isEnd: boolean): string | undefined => {
  const rows = [...taken, ...partsOf(disk).flatMap((name) => rowsIn(disk.read(`${out}/${name}`)))]
  const counts = Array.from({ length: rowCount }, (_, row) => rows.filter((r) => r === row).length)
  const bad = counts.findIndex((count) => (isEnd ? count !== 1 : count > 1))
  return bad < 0 ? undefined : `row ${bad} is there ${counts[bad]} times${isEnd ? " at the end" : ""}`
}

/** Lives through a history, and on until all rows are written. Gives what was wrong, or undefined. */
export const live = (history: History, planted: DiskFaults = {}): Promise<string | undefined> => {
  const disk = makeSimulatedDisk(planted)
  const taken: Array<number> = []
  const reader = disk.process().fs
  const take = Effect.gen(function* () {
    for (const name of partsOf(disk)) {
      taken.push(...rowsIn(disk.read(`${out}/${name}`)))
      yield* reader.unlink(`${out}/${name}`)
    }
    yield* reader.syncDirectory(out)
  })
  const maybeTake = Effect.suspend(() =>
    history.taking && history.chance() < 0.03 && partsOf(disk).length > 0 ? Effect.orDie(take) : Effect.void
  )
  const run = (fs: FileSystem): Effect.Effect<Exit.Exit<void, unknown>> =>
    Effect.exit(Effect.provideService(attempt, Files.FileSystem, fs))
  const dead = Effect.fail(killed)
  const trouble = (exit: Exit.Exit<void, unknown>): string | undefined =>
    Exit.isSuccess(exit) || Option.contains(Exit.findErrorOption(exit), "fenced") ? undefined : String(exit.cause)

  const next = (i: number): Effect.Effect<string | undefined> =>
    Effect.gen(function* () {
      const fault = history.faults.at(i)
      if (fault === undefined) {
        for (let tries = 0; tries < 3; tries++) {
          const ended = trouble(yield* run(disk.process(() => maybeTake).fs))
          if (ended !== undefined) return ended
        }
        return wrongIn(disk, taken, true)
      }
      let isHit = false
      let wrong: string | undefined
      const { fs } = disk.process((call) =>
        Effect.gen(function* () {
          yield* maybeTake
          if (call !== fault.at) return
          isHit = true
          if (fault.what !== "frozen") return yield* dead
          wrong = yield* next(i + 1)
        })
      )
      const exit = yield* run(fs)
      if (!isHit || fault.what === "frozen") {
        wrong ??= trouble(exit) ?? (isHit ? wrongIn(disk, taken, true) : undefined)
        return wrong === undefined && !isHit ? yield* next(i + 1) : wrong
      }
      if (fault.what === "power lost") disk.losePower(history.chance)
      return wrongIn(disk, taken, false) ?? (yield* next(i + 1))
    }).pipe(Effect.catchDefect((defect) => Effect.succeed(String(defect))))
  return Effect.runPromise(next(0))
}
