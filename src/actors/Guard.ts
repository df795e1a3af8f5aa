/**
 * Connectors that break their contract by throwing: a defect of theirs becomes the typed error of its kind, so that it
 * names the connector and restarts by the user's schedule like any other failure.
 */
import * as Effect from "effect/Effect"
import { SinkError, SourceError } from "../model/Errors.ts"
import { missingService } from "../model/MissingService.ts"
import { textOf } from "../model/Text.ts"
import type { ReadySink, ReadySource } from "./Topology.ts"

const sourceThrew =
  (source: ReadySource, doing: string, partition?: string) =>
  (defect: unknown): Effect.Effect<never, SourceError> => {
    if (missingService(defect) !== undefined) return Effect.die(defect)
    const message = `threw while ${doing}: ${textOf(defect)}. Mend the connector`
    const where = partition === undefined ? {} : { partition }
    return Effect.fail(new SourceError({ connector: source.name, ...where, retryable: true, message, cause: defect }))
  }

/** The same source, whose `partitions` and `open` fail with `SourceError` where they would throw. */
export const guardSource = (source: ReadySource): ReadySource => ({
  ...source,
  partitions: (known) =>
    Effect.catchDefect(
      Effect.suspend(() => source.partitions(known)),
      sourceThrew(source, "listing partitions")
    ),
  open: (partition, from) =>
    Effect.catchDefect(
      Effect.suspend(() => source.open(partition, from)),
      sourceThrew(source, "opening", partition)
    )
})

/** What a pull that threw fails with. */
export const pullThrew = (
  source: ReadySource,
  partition: string
): ((defect: unknown) => Effect.Effect<never, SourceError>) => sourceThrew(source, "reading", partition)

/** The same sink, whose calls fail with `SinkError` where they would throw. */
export const guardSink = (sink: ReadySink): ReadySink => {
  const guard = <A, R>(doing: string, run: () => Effect.Effect<A, unknown, R>): Effect.Effect<A, unknown, R> =>
    Effect.catchDefect(Effect.suspend(run), (defect) => {
      if (missingService(defect) !== undefined) return Effect.die(defect)
      const message = `threw while ${doing}: ${textOf(defect)}. Mend the connector`
      return Effect.fail(new SinkError({ connector: sink.name, retryable: true, message, cause: defect }))
    })
  return {
    ...sink,
    writer: (context) =>
      Effect.map(
        guard("opening a writer", () => sink.writer(context)),
        (writer) => ({
          write: (batch) => guard("writing", () => writer.write(batch)),
          prepare: (epoch) => guard("preparing an epoch", () => writer.prepare(epoch))
        })
      ),
    commit: (prepared) => guard("committing", () => sink.commit(prepared)),
    committed: (query, writer) => guard("reading what is committed", () => sink.committed(query, writer)),
    ...(sink.sweep === undefined
      ? {}
      : { sweep: (context) => guard("sweeping", () => sink.sweep?.(context) ?? Effect.void) })
  }
}
