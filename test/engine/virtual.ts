/**
 * Virtual time for the engine's examples: a program runs to its end under the simulator's scheduler and clock, in which a
 * second takes no time. The same every time.
 */
import { Cause, Clock, Effect, Exit, References, type Scope } from "effect"
import { Checkpoint, Memory, type Query, StoreError } from "tidemark"
import { factsOf } from "../../src/actors/QueryHandle.ts"
import { numberOfName } from "../../src/checkpoint/names.ts"
import { CompressionThread } from "../../src/checkpoint/zlib.ts"
import type { ObjectStore } from "../../src/model/ObjectStore.ts"
import type { AnySink, Prepared, Sink } from "../../src/model/Sink.ts"
import { Simulator } from "../../src/testing/Simulator.ts"
import { asProcess } from "../checkpoint/chains.ts"

/** Runs a program whose queries keep their checkpoints in `objects`, and gives what it gives. */
export const inVirtualTime = <A, E>(
  program: Effect.Effect<A, E, Checkpoint.CheckpointStore | Scope.Scope>,
  objects: ObjectStore = Memory.objectStore()
): A => {
  const simulator = new Simulator(1)
  let exit: Exit.Exit<A, E> | undefined
  const all = program.pipe(
    Effect.scoped,
    Effect.provide(Checkpoint.layer(objects)),
    Effect.provideService(CompressionThread, "here"),
    asProcess({ pid: 1 }),
    Effect.provideService(References.MinimumLogLevel, "None")
  )
  simulator.spawn(all, (end) => {
    exit = end as Exit.Exit<A, E>
  })
  const stopped = simulator.run(() => exit !== undefined, 2_000_000)
  if (exit === undefined) throw new Error(`the program does not end: ${stopped}`)
  if (Exit.isSuccess(exit)) return exit.value
  throw Cause.squash(exit.cause)
}

/** Virtual time, ms. */
export const now = Clock.currentTimeMillis

/** Waits until something holds; says in vain what it waited for. */
export const when = (what: string, holds: () => boolean, withinMs = 300_000): Effect.Effect<void> =>
  Effect.gen(function* () {
    const end = (yield* now) + withinMs
    while (!holds()) {
      if ((yield* now) > end) throw new Error(`waited in vain: ${what}`)
      yield* Effect.sleep(1)
    }
  })

/** Until a query runs. */
export const whenRunning = (handle: Query.QueryHandle<unknown>): Effect.Effect<void> =>
  when("it runs", () => factsOf(handle).phase === "running")

/** A sink that tells of each `prepare` and `commit` when it begins, and may go another way there. */
export const telling = <S extends AnySink>(
  sink: S,
  tell: (step: "prepare" | "commit", epoch: number) => Effect.Effect<void, unknown>
): S => {
  const inner = sink as unknown as Sink<unknown, never, unknown, unknown>
  const told: Sink<unknown, never, unknown, unknown> = {
    ...inner,
    writer: (context) =>
      Effect.map(inner.writer(context), (writer) => ({
        write: (batch) => writer.write(batch),
        prepare: (epoch) => Effect.andThen(tell("prepare", epoch), writer.prepare(epoch))
      })),
    commit: (prepared: Prepared) => Effect.andThen(tell("commit", prepared.epoch), inner.commit(prepared))
  }
  return { ...sink, ...told } as unknown as S
}

/** What a put of a checkpoint is: `state`, `P(3)`, `C(3)`; undefined: of nothing that belongs to an epoch. */
export const stepOf = (name: string): string | undefined => {
  if (name.includes("/data/")) return "state"
  if (name.includes("/primary/")) return `P(${numberOfName(name)})`
  return name.includes("/copy/") ? `C(${numberOfName(name)})` : undefined
}

/** A failure of a store. */
export const storeFails = (operation: StoreError["operation"], name: string): StoreError =>
  new StoreError({ store: "m", name, operation, message: "planted: disk full" })
