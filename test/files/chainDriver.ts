/**
 * An attempt as the engine makes one, without its tasks: the real takeover and chain of manifests on the real file store,
 * and the real file sink, in the order of `src/actors/Recovery.ts` and `src/actors/Epoch.ts` (rule C3).
 */
import { Effect, type Scope } from "effect"
import type { TaskStates } from "../../src/checkpoint/Chain.ts"
import type { EpochRecord } from "../../src/checkpoint/Manifest.ts"
import { takeOver } from "../../src/checkpoint/TakeOver.ts"
import * as Files from "../../src/connectors/files/Files.ts"
import { asProcess, impatient } from "../checkpoint/chains.ts"
import { record } from "../checkpoint/manifests.ts"
import { context } from "../conformance/sinkWorld.ts"
import { out, rowCount } from "./recoveryDriver.ts"

const rowsPerEpoch = 3
const task = "task[0]"

const positionIn = (states: TaskStates): number => (states.get(task) as { readonly position: number }).position

const goOn: Effect.Effect<void, unknown, Scope.Scope> = Effect.gen(function* () {
  const sink = Files.jsonLines(out, { rollBytes: 16 })
  const owned = yield* takeOver({
    objects: Files.store("/disk/store/deep"),
    query: "q",
    ifOwned: "wait",
    takeOver: undefined,
    retained: 1,
    savepoint: undefined,
    onStandby: () => Effect.void
  })
  const { base, attempt, queryId } = owned
  for (const prepared of base.prepared) yield* sink.commit(prepared)
  const me = context("append", { writer: "rows", queryId, attempt, continues: base.epoch })
  yield* sink.sweep?.({ ...me, keep: base.prepared[0] }) ?? Effect.void
  yield* owned.sweep
  let position = base.epoch === 0 ? 0 : positionIn(yield* owned.readState)
  const writer = yield* sink.writer(me)
  for (let n = base.number + 1; position < rowCount; n++) {
    for (const to = position + rowsPerEpoch; position < to; position++)
      yield* writer.write({ rows: [{ row: position }] })
    const prepared = yield* writer.prepare(n)
    const state = yield* owned.writeState(new Map([[task, { position }]]))
    const epoch: EpochRecord = record(n, { prepared: [prepared] })
    yield* owned.publish(epoch, state)
    yield* sink.commit(prepared)
    yield* owned.collect
  }
})

/** One attempt, which writes all rows that are left; it waits for nobody, since everyone before it is gone. */
export const chainAttempt: Effect.Effect<void, unknown> = Effect.suspend(() =>
  asProcess(impatient(1))(Effect.scoped(goOn))
)
