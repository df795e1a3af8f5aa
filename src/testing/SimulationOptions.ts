/** Options of a simulation, and what it is of: the queries of a job or pipeline with their feeds, and random cases of them. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as fc from "fast-check"
import { isJob, type Job, JobTypeId } from "../actors/Job.ts"
import { type OptionProblem, renderProblem } from "../model/Errors.ts"
import { has, integer, show } from "../model/Options.ts"
import { isPipeline, type Pipeline } from "../streams/Pipeline.ts"
import type { QueryPlan } from "../streams/Plan.ts"
import { loadStateCodec } from "../streams/StateCodec.ts"
import { loadSchema } from "../streams/aggregates/Reduce.ts"
import type { FaultKind } from "./Fault.ts"
import { type FaultName, kindsOf } from "./faultNames.ts"
import { faultPlan, lives, seed, storeFor } from "./faultPlans.ts"
import type { Feed } from "./feed.ts"
import * as Law from "./Law.ts"
import { type OwnSink, sinksOf } from "./ownSink.ts"
import { hintsFor, nodesOf, seesInstances, sourcesOf } from "./planHints.ts"
import { SimulationFailed } from "./SimulationFailed.ts"
import type { Case, Tested } from "./userHistory.ts"
import { withoutGlobals } from "./withoutGlobals.ts"

/** What can be simulated: as `tidemark run` takes it, or a function that makes it, called in each simulated process. */
export type Testable<E, R> = Pipeline<E, R> | Job<string, E, R> | (() => Pipeline<E, R>) | (() => Job<string, E, R>)

/** Options of a simulation. */
export interface SimulationOptions {
  /** One for each source of the topology, made by `Simulation.feed`. */
  readonly feeds: ReadonlyArray<Feed>
  /** What may go wrong; default `Simulation.faultNames`, which is everything. */
  readonly faults?: ReadonlyArray<FaultName>
  /** What must hold; default `Law.standard`. `Law.finishes` always has to. */
  readonly laws?: ReadonlyArray<Law.Law>
  /** How many histories, 1 to 1,000,000,000; default 500. */
  readonly histories?: number
  /** Where random choices begin, a whole number of 32 bits; default 1. The same seed gives the same histories. */
  readonly seed?: number
  /** Sinks that run as they are, see `Simulation.own`; others become tables. */
  readonly sinks?: ReadonlyArray<OwnSink>
}

/** The options, read; and the queries they are for. */
export interface Prepared {
  readonly queries: ReadonlyArray<Tested>
  readonly cases: fc.Arbitrary<Case>
  readonly laws: ReadonlyArray<Law.Law>
  readonly histories: number
  readonly seed: number
}

const historiesDefault = 500

interface Part {
  readonly name: string
  readonly plan: QueryPlan
  readonly options: Tested["options"]
  readonly wrap: Tested["wrap"]
}

const partsOf = (value: unknown): ReadonlyArray<Part> => {
  if (isPipeline(value)) return [{ name: "query", plan: value.plan, options: {}, wrap: (start) => start }]
  if (!isJob(value)) return []
  const { queries, options, wrap } = value[JobTypeId]
  return queries.map(([name, { plan }]) => ({ name, plan, options, wrap }))
}

/** Cases of one query. Nothing depends on what was drawn before, so that each part shrinks by itself. */
const casesOf = (
  query: number,
  tested: Tested,
  plan: QueryPlan,
  kinds: ReadonlySet<FaultKind>,
  problems: Array<OptionProblem>
): fc.Arbitrary<Case> =>
  fc
    .record({
      feeds: fc.tuple(
        ...tested.feeds.map((made, feed) =>
          made.partitions(hintsFor(plan, made.source), problems, { feed, feeds: tested.feeds.length })
        )
      ),
      store: storeFor(kinds),
      onFiles: faultPlan(kinds, "files"),
      onRemote: faultPlan(kinds, "remote"),
      lives,
      epochRows: fc.constantFrom(0, 1, 3, 10),
      everyMs: fc.constantFrom(20, 60, 150),
      paceMs: fc.constantFrom(0, 3, 8),
      endPosition: fc.boolean(),
      restarts: fc.boolean(),
      seed
    })
    .map(({ onFiles, onRemote, ...c }): Case => ({ ...c, query, faults: c.store === "files" ? onFiles : onRemote }))

const feedsFor = (
  { name, plan }: Part,
  feeds: ReadonlyArray<Feed>,
  problems: Array<OptionProblem>
): ReadonlyArray<Feed> =>
  sourcesOf(plan).flatMap((source) => {
    const found = feeds.find((feed) => feed.source === source)
    if (found !== undefined) return [found]
    const fix = `of query ${name} has no feed: give one, Simulation.feed(source, Schema), with the very source of the topology`
    problems.push({ option: "feeds", value: source.name, fix })
    return []
  })

const listOf = <A>(
  option: string,
  value: ReadonlyArray<A>,
  problems: Array<OptionProblem>,
  ...names: ReadonlyArray<string>
): ReadonlyArray<A> => {
  const given: unknown = value
  if (Array.isArray(given) && given.every((one) => has(one, ...names))) return value
  problems.push({ option, value: show(value), fix: `must be a list of what Simulation.${option} and Law make` })
  return []
}

const testedOf = (
  make: () => ReadonlyArray<Part>,
  part: Part,
  isMade: boolean,
  feeds: ReadonlyArray<Feed>,
  own: ReadonlyArray<OwnSink>,
  services: Context.Context<never>
): Tested => ({
  name: part.name,
  plan: isMade ? () => make().find(({ name }) => name === part.name)?.plan ?? part.plan : () => part.plan,
  options: part.options,
  wrap: part.wrap,
  seesInstances: seesInstances(part.plan),
  feeds,
  own,
  services
})

/** Reads options, and loads what operators load when they are first used: the simulator waits for no promise. */
export const prepare = <E, R>(
  testable: Testable<E, R>,
  options: SimulationOptions
): Effect.Effect<Prepared, SimulationFailed, R> =>
  Effect.gen(function* () {
    const services = yield* Effect.context<R>()
    const problems: Array<OptionProblem> = []
    const isMade = typeof testable === "function"
    const make = (): ReadonlyArray<Part> => partsOf(isMade ? testable() : testable)
    const parts = make()
    if (parts.length === 0) {
      const fix = "must be a pipeline or a job with queries, or a function that returns one"
      problems.push({ option: "Simulation", value: show(testable), fix })
    }
    const { histories = historiesDefault, seed = 1 } = options
    const feeds = listOf("feeds", options.feeds, problems, "source", "partitions")
    const laws = listOf("laws", options.laws ?? Law.standard, problems, "name", "check")
    const own = listOf("sinks", options.sinks ?? [], problems, "sink", "rows", "clear")
    const kinds = kindsOf(options.faults, problems)
    // A process builds its layers anew, though the test may have built the same ones, and ends by itself.
    const given = Context.omit(Layer.CurrentMemoMap, Scope.Scope)(services) as unknown as Context.Context<never>
    const queries = parts.map((part) => testedOf(make, part, isMade, feedsFor(part, feeds, problems), own, given))
    for (const feed of feeds) {
      if (queries.some((tested) => tested.feeds.includes(feed))) continue
      const fix = "is no source of the topology: a feed names the very value that EventStream.from was given"
      problems.push({ option: "feeds", value: feed.source?.name ?? "a feed", fix })
    }
    for (const { sink } of own) {
      if (parts.some(({ plan }) => sinksOf(plan).includes(sink))) continue
      const fix = "is no sink of the topology: Simulation.own names the very value that it writes to"
      problems.push({ option: "sinks", value: sink.name, fix })
    }
    const prepared = {
      queries,
      laws: [Law.finishes, ...laws.filter((law) => law !== Law.finishes)],
      histories: integer("histories", histories, problems, { min: 1, max: 1_000_000_000 }),
      seed: integer("seed", seed, problems, { min: -0x8000_0000, max: 0x7fff_ffff })
    }
    const cases = withoutGlobals(() =>
      problems.length > 0 ? [] : queries.map((tested, i) => casesOf(i, tested, parts[i].plan, kinds, problems))
    )
    if (problems.length > 0)
      return yield* Effect.fail(
        new SimulationFailed({ reason: "InvalidOptions", message: problems.map(renderProblem).join("; ") })
      )
    yield* load(parts)
    // Edges are in the moves of rows already; fast-check's own bias would only make half of all cases tiny.
    return { ...prepared, cases: withoutGlobals(() => fc.noBias(fc.oneof(...cases))) }
  })

const load = (parts: ReadonlyArray<Part>): Effect.Effect<void> =>
  Effect.promise(async () => {
    await loadSchema()
    await loadStateCodec()
    for (const node of parts.flatMap(({ plan }) => nodesOf(plan))) if (node.kind === "process") await node.spec.load()
  })
