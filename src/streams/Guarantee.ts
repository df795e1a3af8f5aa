/**
 * What a query guarantees: the weakest of its sources and sinks, and which of them makes it no stronger. Pure.
 *
 * A replayable source and exactly-once sinks: no row is lost, none shows twice. A sink that may show rows again after a
 * crash makes that at least once; a source that cannot give rows again, at most once; both, neither.
 */
import type { Guarantee } from "../model/Sink.ts"

/** How often a row counts outside after crashes: exactly once, once or more, once or not at all, or any number of times. */
export type Delivery = "exactly-once" | "at-least-once" | "at-most-once" | "none"

/** A connector that takes something away from the guarantee, and what. */
export interface Weakness {
  /** In the user's words: `socket 127.0.0.1:9999`. */
  readonly connector: string
  /** What happens, as the rest of a sentence that begins with the connector. */
  readonly why: string
}

/** A guarantee with its reasons; none for exactly-once. */
export interface QueryGuarantee {
  readonly delivery: Delivery
  readonly because: ReadonlyArray<Weakness>
}

/** What is looked at of a source. */
export interface SourceFacts {
  readonly name: string
  readonly features: { readonly replayable: boolean }
}

/** What is looked at of a sink. */
export interface SinkFacts {
  readonly name: string
  readonly features: { readonly guarantee: Guarantee }
}

const byName = (names: ReadonlyArray<string>, why: string): ReadonlyArray<Weakness> =>
  [...new Set(names)].map((connector) => ({ connector, why }))

/** The guarantee of a query's results: give it the sinks of outputs and late rows, not those of dead letters. */
export const guaranteeOf = (sources: ReadonlyArray<SourceFacts>, sinks: ReadonlyArray<SinkFacts>): QueryGuarantee => {
  const losing = sources.filter(({ features }) => !features.replayable).map(({ name }) => name)
  const repeating = sinks.filter(({ features }) => features.guarantee !== "exactly-once").map(({ name }) => name)
  const because = [
    ...byName(losing, "cannot give rows again that it gave before a crash"),
    ...byName(repeating, "may show rows again after a crash")
  ]
  const mayLose = losing.length > 0
  const mayRepeat = repeating.length > 0
  const delivery = mayLose ? (mayRepeat ? "none" : "at-most-once") : mayRepeat ? "at-least-once" : "exactly-once"
  return { delivery, because }
}

const words: { readonly [D in Delivery]: string } = {
  "exactly-once": "exactly once",
  "at-least-once": "at least once",
  "at-most-once": "at most once",
  none: "not once for sure"
}

/** As people read it: `at least once: terminal may show rows again after a crash`. */
export const describeGuarantee = ({ delivery, because }: QueryGuarantee): string =>
  [words[delivery], because.map(({ connector, why }) => `${connector} ${why}`).join("; ")]
    .filter((part) => part !== "")
    .join(": ")
