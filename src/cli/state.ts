/**
 * `tidemark state NAME`: what a query held at its last epoch, or at one that is still kept, as tables. Reads the
 * checkpoint and nothing else, so the query may be running.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { whenLoaded } from "../actors/Attempt.ts"
import { JobTypeId } from "../actors/Job.ts"
import { layOut } from "../actors/Topology.ts"
import type { TaskStates } from "../checkpoint/Chain.ts"
import { deadLetterSink } from "../checkpoint/DeadLetters.ts"
import type { Manifest } from "../checkpoint/Manifest.ts"
import { readChain } from "../checkpoint/ReadChain.ts"
import { drawTable } from "../connectors/terminal/table.ts"
import type { QueryError } from "../model/Errors.ts"
import type { ObjectStore } from "../model/ObjectStore.ts"
import type { AnySink } from "../model/Sink.ts"
import { jsonText } from "../model/Text.ts"
import { checkpointStore } from "./checkpoint.ts"
import { type CliFailure, describeError, failed } from "./failure.ts"
import { Host, type HostShape } from "./Host.ts"
import { loadJob } from "./loadJob.ts"
import { checkQuery } from "./reset.ts"
import { epochText, holders, type SpecsOf, type StateView, stateViews } from "./stateViews.ts"
import { cut, instant, oneLine } from "./words.ts"

/** What the command line said. */
export interface StateOptions {
  readonly name: string
  readonly checkpoint: string
  readonly at: number | undefined
  readonly operator: string | undefined
  /** A job to take the functions of aggregates from. */
  readonly file: string | undefined
  /** Rows of each operator; absent: `rowsShown`, of JSON all. */
  readonly limit: number | undefined
  readonly json: boolean
}

const rowsShown = 20
const cellWidth = 40
/** Epochs named when the one that was asked for is not there, and numbers tried to find them. */
const epochsShown = 20
const numbersTried = 2_000
/** The owner may collect an epoch while it is read. */
const readsMax = 3

/** The epochs that are still kept, newest first, and whether there are more. */
const epochsOf = (objects: ObjectStore, name: string): Effect.Effect<ReadonlyArray<number>, QueryError> =>
  Effect.gen(function* () {
    const newest = Option.getOrUndefined(yield* readChain(objects, name))?.manifest
    const epochs: Array<number> = []
    if (newest === undefined) return epochs
    const lowest = Math.max(1, newest.keptFrom, newest.number - numbersTried)
    for (let n = newest.number; n >= lowest && epochs.length < epochsShown; n--) {
      if (Option.isSome(Option.flatten(yield* Effect.option(readChain(objects, name, n))))) epochs.push(n)
    }
    return epochs
  })

const noEpoch = (objects: ObjectStore, o: StateOptions): Effect.Effect<never, CliFailure | QueryError> =>
  Effect.gen(function* () {
    const place = `of query ${o.name} in ${o.checkpoint}`
    if (o.at === undefined) return yield* Effect.fail(failed(`there is no epoch ${place} yet`))
    const epochs = yield* epochsOf(objects, o.name)
    const there = epochs.length === 0 ? "there is none yet" : `there are ${epochs.join(", ")}`
    return yield* Effect.fail(failed(`epoch ${o.at} ${place} is not there, or not any more: ${there}`))
  })

interface Read {
  readonly manifest: Manifest
  readonly states: TaskStates
}

const read = (objects: ObjectStore, o: StateOptions): Effect.Effect<Read, CliFailure | QueryError> =>
  Effect.gen(function* () {
    const found = Option.getOrUndefined(yield* readChain(objects, o.name, o.at))
    if (found === undefined || found.manifest.state === undefined) return yield* noEpoch(objects, o)
    return { manifest: found.manifest, states: yield* found.states }
  })

/** The aggregates of the query as the job of a file has them. */
const specsFrom = (o: StateOptions, objects: ObjectStore): Effect.Effect<SpecsOf, CliFailure> =>
  Effect.gen(function* () {
    if (o.file === undefined) return (_operator: string) => undefined
    const { queries } = (yield* loadJob(o.file, false))[JobTypeId]
    const pipeline = queries.find(([name]) => name === o.name)?.[1]
    if (pipeline === undefined) {
      const names = queries.map(([name]) => name).join(", ")
      return yield* Effect.fail(failed(`the job of ${o.file} has no query ${o.name}: it has ${names}`))
    }
    const { keyed, nameOf } = layOut(pipeline.plan, deadLetterSink(objects) as unknown as AnySink)
    const specs = new Map(
      keyed.flatMap((node) => ("aggregates" in node ? [[nameOf(node), node.aggregates.map(({ spec }) => spec)]] : []))
    )
    for (const spec of [...specs.values()].flat()) {
      const { load } = spec
      if (load !== undefined) yield* whenLoaded(load)
    }
    return (operator: string) => specs.get(operator)
  })

const printTable = (host: HostShape, view: StateView): void => {
  const { rows, columns, operator, summary, hasMore, unknown } = view
  const header = `${oneLine(operator)}  ${summary}`
  host.result("")
  if (rows.length === 0) host.result(header)
  else host.result(drawTable({ header, rows, columns, total: rows.length, truncate: cellWidth }))
  if (hasMore) host.result(`the first ${rows.length}; --limit shows more`)
  if (unknown.length > 0) {
    const names = unknown.map((name) => oneLine(name)).join(", ")
    host.result(`${names}: only the job's own functions can tell: --file JOB`)
  }
}

const print = (host: HostShape, o: StateOptions, manifest: Manifest, views: ReadonlyArray<StateView>): void => {
  const { epoch, atMs } = manifest
  if (!o.json) {
    host.result(`${o.name}  ${epochText(epoch)} in ${o.checkpoint}, of ${instant(atMs)} UTC`)
    for (const view of views) printTable(host, view)
    return
  }
  for (const { operator, rows } of views) {
    for (const row of rows) host.result(jsonText({ query: o.name, epoch, operator, row }))
  }
}

/** Shows the state of a query. */
export const state = (o: StateOptions): Effect.Effect<void, CliFailure, Host> =>
  Effect.gen(function* () {
    const host = yield* Host
    const objects = yield* checkpointStore(o.checkpoint)
    yield* checkQuery(objects, o.name, o.checkpoint)
    const specsOf = yield* specsFrom(o, objects)
    const { manifest, states } = yield* read(objects, o).pipe(
      Effect.retry({ times: readsMax - 1, while: (error) => error._tag === "QueryError" && o.at === undefined }),
      Effect.mapError((error) => (error._tag === "QueryError" ? failed(describeError(error)) : error))
    )
    const names = holders(manifest)
    if (o.operator !== undefined && !names.includes(o.operator)) {
      const there = names.map((name) => `"${oneLine(name)}"`).join(", ")
      return yield* Effect.fail(
        failed(`no operator "${cut(oneLine(o.operator), 200)}" of query ${o.name} holds anything: there are ${there}`)
      )
    }
    const limit = o.limit ?? (o.json ? Infinity : rowsShown)
    const views = yield* Effect.try({
      try: () => stateViews(manifest, states, { operator: o.operator, limit, specsOf }),
      catch: (cause) => failed(`the state of query ${o.name} cannot be shown: ${describeError(cause)}`)
    })
    print(host, o, manifest, views)
  })
