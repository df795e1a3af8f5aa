/**
 * What a change of one parameter means (rule C8). It *breaks* when what the checkpoint holds does not fit any more:
 * then nobody can accept it. It *bends* when the state fits and results differ from here on: then the user may say so.
 */
import type { OperatorFingerprint, PlanValue } from "../model/PlanFingerprint.ts"
import { aggregatesIn, keyWords, plainWords, spanWords, windowWords } from "./PlanWords.ts"

/** One change, as a sentence that goes on from the operator's name. */
export interface ParameterChange {
  readonly breaks: boolean
  readonly reason: string
}

type Value = PlanValue | undefined

interface Rule {
  readonly breaks: boolean
  readonly words: (value: Value) => string
  readonly because: string
}

const rule = (breaks: boolean, words: (value: Value) => string, because: string): Rule => ({ breaks, words, because })

const called =
  (what: string, words: (value: Value) => string = plainWords, none: string = `no ${what}`) =>
  (value: Value): string =>
    value === undefined ? none : `${what} ${words(value)}`

const mixed = "results would mix both"

const rules = new Map<string, Rule>([
  ["window", rule(true, windowWords, mixed)],
  ["key", rule(true, keyWords, "what it holds is kept by the old key")],
  ["id", rule(true, called("id"), "the ids it holds are others")],
  [
    "horizonMs",
    rule(
      true,
      called("within", spanWords, "id and event time as the key"),
      "what it remembers of earlier rows does not fit"
    )
  ],
  [
    "allowedLatenessMs",
    rule(true, called("allowed lateness", spanWords), "what was dropped by the old one cannot come back")
  ],
  ["late", rule(false, called("late rows:"), "what becomes of late rows changes from here on")],
  ["early", rule(false, called("early results"), "when open windows come out changes from here on")],
  ["time", rule(true, called("event time from"), "its watermarks and open windows are in the old time")],
  [
    "watermark",
    rule(
      true,
      called("watermark from", plainWords, "a watermark from the out-of-orderness"),
      "its watermarks are of the other kind"
    )
  ],
  ["zone", rule(true, called("zone", plainWords, "zone UTC"), "its watermarks and open windows are in the old zone")],
  [
    "outOfOrdernessMs",
    rule(
      false,
      called("out-of-orderness", spanWords),
      "a watermark never goes back, and other rows are late from here on"
    )
  ],
  [
    "maxFutureSkewMs",
    rule(false, called("future skew", spanWords, "the default future skew"), "other rows are quarantined from here on")
  ],
  [
    "columns",
    rule(
      false,
      (value) => `columns ${Array.isArray(value) ? value.join(", ") : plainWords(value)}`,
      "rows differ from here on"
    )
  ],
  ["onError", rule(false, called("onError"), "rows that fail are treated otherwise from here on")],
  [
    "source",
    rule(
      false,
      plainWords,
      "positions are kept by the names of partitions: those that it lacks are read from their beginning"
    )
  ],
  ["select", rule(false, called("select:"), "rows differ from here on")],
  [
    "sink",
    rule(
      false,
      plainWords,
      "earlier epochs stay in the old place, and the last one is lost if it was not committed there"
    )
  ],
  ["writer", rule(false, called("writer"), "its sink knows what is committed by that name")],
  ["mode", rule(true, called("mode"), "what the sink holds, and what waits to be committed, is of the old mode")],
  ["keepMs", rule(false, called("keep", spanWords), "rows that have left the table do not come back")],
  [
    "ttl",
    rule(
      false,
      called("a time to live of", spanWords),
      "states live as long as the new one says, those that ended stay ended"
    )
  ],
  ["version", rule(false, called("version"), "what its functions mean has changed")]
])

/** Of a parameter that this release does not know: better refused than mixed. */
const unknownRule = (name: string): Rule => rule(true, called(name), mixed)

const equal = (a: Value, b: Value): boolean => canonical(a) === canonical(b)

/** The same text whatever the order of fields. */
const canonical = (value: Value): string =>
  JSON.stringify(value, (_key, v: unknown) =>
    typeof v === "object" && v !== null && !Array.isArray(v)
      ? Object.entries(v).toSorted(([a], [b]) => (a < b ? -1 : 1))
      : v
  ) ?? ""

const aggregatesChange = (was: Value, is: Value): ParameterChange => {
  const [before, after] = [aggregatesIn(was), aggregatesIn(is)]
  const told = ({ name, of }: (typeof before)[number]): string => `${name} = ${of}`
  const extra = after.filter((a) => !before.some((b) => b.name === a.name || b.of === a.of))
  const lost = before.filter((b) => !after.some((a) => b.name === a.name || b.of === a.of))
  if (extra.length > 0 && before.length < after.length)
    return { breaks: true, reason: `has the aggregate ${extra.map(told).join(", ")} now, which what it holds lacks` }
  if (lost.length > 0 && after.length < before.length)
    return { breaks: true, reason: `has the aggregate ${lost.map(told).join(", ")} no more, which what it holds has` }
  if (before.length === after.length && before.every(({ of }, i) => of === after[i].of)) {
    const renamed = before.flatMap(({ name }, i) => (name === after[i].name ? [] : [`${name} is ${after[i].name} now`]))
    if (renamed.length > 0) return { breaks: false, reason: `has renamed columns: ${renamed.join(", ")}` }
  }
  const sorted = (of: typeof before): string => of.map(told).toSorted().join(", ")
  if (sorted(before) === sorted(after))
    return { breaks: true, reason: "has its aggregates in another order than what it holds" }
  const reason = `was written with ${before.map(told).join(", ")}; this plan says ${after.map(told).join(", ")}: ${mixed}`
  return { breaks: true, reason }
}

/** What has changed in the parameters of an operator, in an order of its own: what breaks first. */
export const parameterChanges = (
  before: OperatorFingerprint,
  after: OperatorFingerprint
): ReadonlyArray<ParameterChange> => {
  const [was, is] = [new Map(Object.entries(before.parameters)), new Map(Object.entries(after.parameters))]
  const changes: Array<ParameterChange> = []
  for (const name of new Set([...was.keys(), ...is.keys()])) {
    const [older, newer] = [was.get(name), is.get(name)]
    if (equal(older, newer)) continue
    // One says how the other is meant.
    if (name === "outOfOrdernessMs" && (is.has("watermark") || was.has("watermark"))) continue
    if (name === "aggregates") changes.push(aggregatesChange(older, newer))
    else {
      const { breaks, words, because } = rules.get(name) ?? unknownRule(name)
      changes.push({ breaks, reason: `was written with ${words(older)}; this plan says ${words(newer)}: ${because}` })
    }
  }
  return changes.toSorted((a, b) => Number(b.breaks) - Number(a.breaks))
}

/** Whether an operator has a function that no version speaks for. */
export const isOpaque = ({ parameters }: OperatorFingerprint): boolean =>
  parameters.version === undefined && JSON.stringify(parameters).includes("<lambda>")

/** Whether two operators do the same, whatever they are called. */
export const meansTheSame = (a: OperatorFingerprint, b: OperatorFingerprint): boolean => {
  const meaning = ({ kind, parameters, state }: OperatorFingerprint): string => {
    const { version: _version, writer: _writer, ...rest } = parameters
    return canonical({ kind, parameters: rest, state: state ?? null })
  }
  return meaning(a) === meaning(b)
}
