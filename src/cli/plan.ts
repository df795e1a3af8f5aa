/**
 * `tidemark plan FILE`: what would become of each operator if the job of the file went on from its checkpoint now (rule
 * C8). It only reads; the queries may be running.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { JobTypeId } from "../actors/Job.ts"
import { settingsOf } from "../actors/QueryOptions.ts"
import { layOut } from "../actors/Topology.ts"
import { deadLetterSink } from "../checkpoint/DeadLetters.ts"
import type { Manifest } from "../checkpoint/Manifest.ts"
import { comparePlans, type OperatorChange, quoted, unknownAccepted } from "../checkpoint/PlanChange.ts"
import { readChain } from "../checkpoint/ReadChain.ts"
import { type OptionProblem, renderProblem } from "../model/Errors.ts"
import type { ObjectStore } from "../model/ObjectStore.ts"
import type { PlanFingerprint } from "../model/PlanFingerprint.ts"
import type { AnySink } from "../model/Sink.ts"
import { fingerprintOf } from "../streams/Fingerprint.ts"
import type { QueryPlan } from "../streams/Plan.ts"
import { runCommand } from "./advice.ts"
import { checkpointStore } from "./checkpoint.ts"
import { type CliFailure, describeError, failed } from "./failure.ts"
import { Host } from "./Host.ts"
import { type AnyJob, loadJob } from "./loadJob.ts"
import { count, instant, many, oneLine } from "./words.ts"

/** What the command line said. */
export interface PlanOptions {
  readonly file: string
  readonly checkpoint: string
  /** Operators whose changes are meant. */
  readonly accept: ReadonlyArray<string>
  readonly json: boolean
  readonly verbose: boolean
}

/** What would become of one query. */
interface PlannedQuery {
  readonly query: string
  /** The checkpoint it would go on from; undefined: it would begin anew. */
  readonly from: Manifest | undefined
  readonly changes: ReadonlyArray<OperatorChange>
}

/** The fingerprint of a plan as `tidemark run` would have it; fails with what is wrong with the plan. */
const fingerprintFor = (
  plan: QueryPlan,
  objects: ObjectStore
): PlanFingerprint | { readonly problems: ReadonlyArray<OptionProblem> } => {
  const topology = layOut(plan, deadLetterSink(objects) as unknown as AnySink)
  if (topology.problems.length > 0) return { problems: topology.problems }
  return fingerprintOf(plan, { nameOf: topology.nameOf, writerOf: (at) => topology.stageOf(at).name })
}

const begins = (plan: PlanFingerprint): ReadonlyArray<OperatorChange> =>
  plan.operators.map(({ name }) => ({ operator: name, verdict: "new", reason: "", todo: "", acceptable: false }))

/** Compares a query's plan with its checkpoint. */
const planQuery = (
  query: string,
  plan: QueryPlan,
  objects: ObjectStore,
  accepted: ReadonlySet<string>
): Effect.Effect<PlannedQuery, CliFailure> =>
  Effect.gen(function* () {
    const after = fingerprintFor(plan, objects)
    if ("problems" in after) {
      const said = after.problems.map((problem) => oneLine(renderProblem(problem)))
      return yield* Effect.fail(failed(`query ${query} cannot start: ${said.join("; ")}`))
    }
    const found = yield* Effect.mapError(readChain(objects, query), (error) => failed(describeError(error)))
    const manifest = Option.getOrUndefined(found)?.manifest
    // Before its first epoch a query has read nothing that another plan could mistake, unless it began with a savepoint.
    if (manifest === undefined || (manifest.epoch === 0 && manifest.state === undefined))
      return { query, from: undefined, changes: begins(after) }
    return { query, from: manifest, changes: comparePlans(manifest.plan, after, { accepted }) }
  })

const isRefused = ({ verdict }: OperatorChange): boolean => verdict === "refuse"

const standing = ({ epoch, origin }: Manifest): string =>
  epoch === 0 && origin !== undefined ? `savepoint ${oneLine(origin)}` : `epoch ${count(epoch)}`

/** The report on one query, a line each. */
const planLines = ({ query, from, changes }: PlannedQuery, file: string, checkpoint: string): ReadonlyArray<string> => {
  const lines =
    from === undefined
      ? [`${query}  no checkpoint in ${checkpoint}: it begins anew`]
      : [`${query}  against ${standing(from)} in ${checkpoint}, of ${instant(from.atMs)} UTC`]
  const width = Math.max(0, ...changes.map(({ operator }) => operator.length))
  for (const { operator, verdict, reason, todo } of changes) {
    lines.push(`  ${verdict.padEnd(8)}  ${oneLine(operator).padEnd(width)}  ${oneLine(reason)}`.trimEnd())
    if (verdict === "refuse") lines.push(`  ${"".padEnd(8 + 2 + width)}  ${oneLine(todo)}`)
  }
  const refused = changes.filter(isRefused)
  if (refused.length === 0) return [...lines, "  would start"]
  lines.push(`  would NOT start: ${many(refused.length, "operator")} refused`)
  const acceptable = refused.filter((change) => change.acceptable).map(({ operator }) => `--accept ${quoted(operator)}`)
  if (acceptable.length === refused.length) {
    lines.push(`  if all of it is meant: ${runCommand(file, checkpoint, acceptable)}`)
  }
  return lines
}

/** The same as one line of JSON. */
const planJson = ({ query, from, changes }: PlannedQuery): string =>
  JSON.stringify({
    query,
    checkpoint: from === undefined ? null : { epoch: from.epoch, atMs: from.atMs, queryId: from.queryId },
    starts: !changes.some(isRefused),
    operators: changes
  })

const acceptedIn = (job: AnyJob): ReadonlySet<string> =>
  settingsOf({ ...job[JobTypeId].options, name: "any" }, []).accepted

const planJob = (
  job: AnyJob,
  options: Pick<PlanOptions, "checkpoint" | "accept">
): Effect.Effect<ReadonlyArray<PlannedQuery>, CliFailure> => {
  const accepted = new Set([...acceptedIn(job), ...options.accept])
  return Effect.flatMap(checkpointStore(options.checkpoint), (objects) =>
    Effect.forEach(job[JobTypeId].queries, ([name, { plan }]) => planQuery(name, plan, objects, accepted))
  )
}

const operatorsOf = (planned: ReadonlyArray<PlannedQuery>): ReadonlyArray<string> => [
  ...new Set(planned.flatMap(({ changes }) => changes.map(({ operator }) => oneLine(operator))))
]

/** A sentence about accepted names that no operator of the job has, before or now; empty when there is none. */
export const acceptedInVain = (job: AnyJob, checkpoint: string): Effect.Effect<string> =>
  Effect.map(
    Effect.orElseSucceed(planJob(job, { checkpoint, accept: [] }), () => []),
    (planned) => {
      const unknown = planned.length === 0 ? "" : unknownAccepted(acceptedIn(job), operatorsOf(planned))
      return unknown === "" ? "" : `--accept and acceptPlanChanges: ${oneLine(unknown)}`
    }
  )

/** Reports on the job of a file; fails when a query of it would not start. */
export const plan = (options: PlanOptions): Effect.Effect<void, CliFailure, Host> =>
  Effect.gen(function* () {
    const host = yield* Host
    const job = yield* loadJob(options.file, options.verbose)
    const planned = yield* planJob(job, options)
    for (const query of planned) {
      if (options.json) host.result(planJson(query))
      else for (const line of planLines(query, options.file, options.checkpoint)) host.result(line)
    }
    const differing = new Set(
      planned.flatMap(({ changes }) => changes).flatMap((c) => (c.acceptable ? [c.operator] : []))
    )
    const names = operatorsOf(planned)
    const isKnown = (name: string): boolean => names.includes(oneLine(name))
    for (const name of options.accept.filter((accepted) => isKnown(accepted) && !differing.has(accepted))) {
      host.screen.write(`tidemark: warning: --accept ${quoted(name)}: nothing of it is to be accepted\n`)
    }
    const unknown = unknownAccepted([...acceptedIn(job), ...options.accept], names)
    if (unknown !== "") host.screen.write(`tidemark: warning: --accept and acceptPlanChanges: ${oneLine(unknown)}\n`)
    if (planned.some(({ changes }) => changes.some(isRefused))) return yield* Effect.fail(failed(""))
  })
