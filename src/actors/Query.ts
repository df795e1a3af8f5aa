/**
 * Running pipelines: `Query.run` to the end, `Query.start` with a handle, `Query.layer` beside an application's other
 * layers, `Query.toStream` as an Effect `Stream`; `Query.outputs` and `Query.job` put several together. `Query.list`,
 * `Query.get` and `Query.awaitAny` see whatever runs in the process.
 *
 * Whoever asks gets the same `QueryHandle` of a query. A query is an Effect in a Scope: interrupting it releases
 * everything. To end it well, drain it.
 */
export { outputs } from "../streams/Pipeline.ts"
export { isJob, job, provide, type Job, type JobOptions } from "./Job.ts"
export type { EpochProgress } from "./EpochProgress.ts"
export type { OperatorProgress, OutputProgress, PartitionProgress, QueryProgress } from "./Progress.ts"
export type { QueryHandle } from "./QueryHandle.ts"
export type { QueryOptions } from "./QueryOptions.ts"
export type { QueryStatus } from "./QueryStatus.ts"
export { awaitAny, forgetEnded, get, list, QueryRegistry, type Registry } from "./Registry.ts"
export { deadLetters, run, start } from "./Run.ts"
export { layer, Queries, runJob, startJob } from "./RunJob.ts"
export type { QuerySummary } from "./Supervisor.ts"
export { toStream } from "./ToStream.ts"
