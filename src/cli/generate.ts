/** `tidemark generate`: seeded events as lines of JSON, into files or an event hub. */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { type Fraction, lines } from "../connectors/generate/Generate.ts"
import type { OptionProblem } from "../model/Errors.ts"
import { Limits } from "../model/Limits.ts"
import type { PartitionCursor, Source } from "../model/Source.ts"
import { asCliFailure, type CliFailure, ExitCode, failed } from "./failure.ts"
import { toFiles } from "./generateFiles.ts"
import { Host, stopRequested } from "./Host.ts"
import type { Append, GenerateOptions, Target } from "./generateTarget.ts"
import { many } from "./words.ts"

/** When the first of a counted number of events arrives, unless said otherwise: fixed, so that files do not depend on the day. */
const startDefault = "2026-01-01T00:00:00Z"

const flags: { readonly [option: string]: string } = {
  futureDated: "future",
  outOfOrderness: "disorder",
  startAt: "start"
}

const asFlag = (problem: OptionProblem): string => {
  const option = problem.option.replace(/^Generate\.[a-z]+\./, "")
  const flag = Object.hasOwn(flags, option) ? flags[option] : option
  return `--${flag.replace("futureDated", "future").replaceAll(" + ", " + --")}: ${problem.value}: ${problem.fix}`
}

const share = (text: string): Fraction => (/^[0-9]*\.?[0-9]+$/.test(text.trim()) ? Number(text) : (text as Fraction))

type Lines = Source<Uint8Array, unknown, unknown>

const sourceOf = (o: GenerateOptions, partitions: number): Lines =>
  lines(o.what, {
    seed: o.seed,
    rate: o.rate,
    partitions,
    duplicates: share(o.duplicates),
    late: share(o.late),
    poison: share(o.poison),
    futureDated: share(o.future),
    outOfOrderness: o.disorderMs,
    paced: o.count === undefined,
    ...(o.count === undefined ? {} : { count: o.count }),
    ...(o.start !== undefined ? { startAt: o.start } : o.count !== undefined ? { startAt: startDefault } : {})
  })

type Cursor = PartitionCursor<Uint8Array, unknown, unknown>

/** Writes what one partition has, until its end. */
const copy = (cursor: Cursor, append: Append): Effect.Effect<void, unknown> => {
  const demand = { rows: Limits.chunkRowsMax, bytes: Limits.chunkBytesTarget }
  const pulls = Effect.gen(function* () {
    for (;;) {
      const chunk = yield* cursor.pull(demand)
      yield* append(chunk.rows ?? [])
      // Events of any number take turns with signals.
      yield* Effect.yieldNow
    }
  })
  return Effect.catchIf(pulls, Cause.isDone, () => Effect.void)
}

const write = (target: Target, source: Lines): Effect.Effect<void, unknown> =>
  Effect.gen(function* () {
    yield* target.prepare
    const partitions = yield* source.partitions(new Set()) as Effect.Effect<ReadonlyArray<string>, unknown>
    const one = (partition: string): Effect.Effect<void, unknown, Scope.Scope> =>
      Effect.gen(function* () {
        const cursor = yield* source.open(partition, Option.none()) as Effect.Effect<Cursor, unknown, Scope.Scope>
        yield* copy(cursor, yield* target.open(partition))
      })
    yield* Effect.forEach(partitions, (partition) => Effect.scoped(one(partition)), {
      concurrency: "unbounded",
      discard: true
    })
  })

const targetOf = (o: GenerateOptions): Effect.Effect<Target, CliFailure, Scope.Scope> => {
  const { to } = o
  return to.tag === "file"
    ? toFiles(o, to.out)
    : Effect.flatMap(
        Effect.promise(() => import("./generateHub.ts")),
        ({ toHub }) => toHub(o, to)
      )
}

/** Writes the events, and says on the screen what it wrote. */
export const generate = (o: GenerateOptions): Effect.Effect<void, CliFailure, Host> =>
  Effect.gen(function* () {
    const host = yield* Host
    const problems = sourceOf(o, o.partitions ?? 1).problems ?? []
    if (problems.length > 0) {
      return yield* Effect.fail(failed(problems.map(asFlag).join("\ntidemark: "), ExitCode.usage))
    }
    const stop = yield* Deferred.make<string>()
    const target = yield* targetOf(o)
    const listener = yield* Effect.forkChild(
      Effect.flatMap(stopRequested(host), (signal) => Deferred.succeed(stop, signal))
    )
    if (o.count === undefined) {
      host.screen.write(`tidemark: ${o.rate} events a second to ${target.pace}, until Ctrl-C\n`)
    }
    const all = write(target, sourceOf(o, target.partitions))
    const stopped = yield* Effect.raceFirst(Effect.as(all, undefined), Deferred.await(stop)).pipe(
      Effect.mapError(asCliFailure)
    )
    yield* Fiber.interrupt(listener)
    host.screen.write(`tidemark: ${target.said()}\n`)
    if (stopped !== undefined && o.count !== undefined) {
      return yield* Effect.fail(failed(`stopped before ${many(o.count, "event")} were written`, ExitCode.interrupted))
    }
  }).pipe(Effect.scoped)
