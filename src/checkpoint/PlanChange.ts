/**
 * Whether a query may go on from the checkpoint of another plan (rule C8): a verdict for each operator, with its reason
 * and what to do. Meaning never changes silently: what differs is refused. What only bends the results from here on the
 * user may accept by the operator's name; what the state of the checkpoint does not fit nobody can.
 *
 * It sees what a fingerprint holds. A function is opaque: as long as its version is the same, or it has none, it is
 * taken for the same.
 */
import * as Effect from "effect/Effect"
import { QueryError } from "../model/Errors.ts"
import type { OperatorFingerprint, PlanFingerprint } from "../model/PlanFingerprint.ts"
import type { Prepared } from "../model/Sink.ts"
import type { Manifest } from "./Manifest.ts"
import { comparePaths, isOutput, type PlanPaths } from "./PlanPaths.ts"
import { isOpaque, meansTheSame, parameterChanges } from "./PlanRules.ts"
import { kindWords } from "./PlanWords.ts"

/**
 * - `keep`: goes on with what the checkpoint holds of it.
 * - `migrate`: the same, by the user's own function from one form of its state to the next.
 * - `new`, `gone`: was not there, is not there any more, and nothing that stays depends on it.
 * - `refuse`: the query does not start. `accepted`: it would not, had the change not been accepted by name.
 */
export type Verdict = "keep" | "migrate" | "new" | "gone" | "refuse" | "accepted"

/** What becomes of one operator. */
export interface OperatorChange {
  readonly operator: string
  readonly verdict: Verdict
  /** One sentence that goes on from the operator's name; empty when there is nothing to say. */
  readonly reason: string
  /** What to do about it; empty when there is nothing to do. */
  readonly todo: string
  /** Refused, but may be accepted by the operator's name. */
  readonly acceptable: boolean
}

type Operator = OperatorFingerprint

interface Finding {
  readonly breaks: boolean
  readonly reason: string
  readonly todo?: string
}

const acceptTodo = (operator: string): string => `take it back, or accept it: --accept ${quoted(operator)}`

const anewTodo = (operator: Operator): string => {
  if (operator.kind === "source" || operator.kind === "withEventTime")
    return "take it back, or begin anew: tidemark reset"
  const how = isOutput(operator) ? "give the output another name" : 'give it another name with EventStream.named("...")'
  return `take it back; or ${how} and accept that the old one goes; or begin anew: tidemark reset`
}

/** A name as an argument of a shell. */
export const quoted = (name: string): string =>
  /^[A-Za-z0-9._=/:-]+$/.test(name) ? name : `'${name.replaceAll("'", `'\\''`)}'`

const judged = (
  operator: Operator,
  found: Finding | undefined,
  accepted: ReadonlySet<string>,
  otherwise: OperatorChange
) => {
  if (found === undefined) return otherwise
  const { name } = operator
  const { breaks, reason } = found
  if (!breaks && accepted.has(name))
    return { operator: name, verdict: "accepted" as const, reason, todo: "", acceptable: true }
  const todo = found.todo ?? (breaks ? anewTodo(operator) : acceptTodo(name))
  const isInVain = breaks && accepted.has(name)
  const why = isInVain ? `${reason} (accepted, but this cannot be: the checkpoint would not fit)` : reason
  return { operator: name, verdict: "refuse" as const, reason: why, todo, acceptable: !breaks }
}

/** What the fingerprints of a user's own state say: its version, and from which versions it can be brought up. */
const migrationOf = (before: Operator, after: Operator): { readonly from: string; readonly to: string } | undefined => {
  const [was, is] = [before.state, after.state]
  if (!isRecord(was) || !isRecord(is) || was.of !== is.of || was.version === is.version) return undefined
  const from = is.migrates
  if (!Array.isArray(from) || !from.includes(was.version)) return undefined
  return { from: String(was.version), to: String(is.version) }
}

type Fields = { readonly [name: string]: unknown }
const isRecord = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The form of a state, without what a release or a user may add beside it. */
const formOf = (operator: Operator): string => {
  const { state } = operator
  if (!isRecord(state)) return JSON.stringify(state ?? null)
  const { migrates: _migrates, ...form } = state
  return JSON.stringify(Object.entries(form).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

const holdsState = (operator: Operator): boolean => operator.state !== undefined

/** The first thing that is wrong with an operator that was there before. */
const findingOf = (before: Operator, after: Operator, paths: PlanPaths): Finding | undefined => {
  const moved = paths.moved.get(after)
  if (before.kind !== after.kind)
    return { breaks: true, reason: `was ${kindWords(before)} and is ${kindWords(after)} now` }
  const [change] = parameterChanges(before, after)
  if (change?.breaks === true) return change
  if (formOf(before) !== formOf(after) && migrationOf(before, after) === undefined)
    return { breaks: true, reason: "keeps its state in another form than the checkpoint has it in" }
  if (moved !== undefined) {
    const reason = `reads ${moved.is} now, where it read ${moved.was}`
    return holdsState(after)
      ? { breaks: true, reason: `${reason}: what it holds was made of other rows` }
      : { breaks: false, reason }
  }
  if (change !== undefined) return change
  const displaced = paths.displaced.get(after)
  if (displaced !== undefined)
    return {
      breaks: false,
      reason: `stands elsewhere before ${displaced} than it did: results may differ from here on`
    }
  const joined = paths.joined.get(after)
  if (joined !== undefined)
    return { breaks: false, reason: `stands before ${joined} now, which it did not: results differ from here on` }
  const left = paths.left.get(before)
  return left === undefined
    ? undefined
    : { breaks: false, reason: `stands no longer before ${left}: results differ from here on` }
}

const kept = (before: Operator, after: Operator): OperatorChange => {
  const was = before.name === after.name ? [] : [`was ${before.name}`]
  const migration = migrationOf(before, after)
  const opaque = isOpaque(after) ? ["has functions, which cannot be compared"] : []
  const todo = opaque.length > 0 ? 'give it a version: EventStream.named("...", { version: "1" })' : ""
  const operator = after.name
  if (migration !== undefined) {
    const reason = `brings its state from version ${migration.from} to version ${migration.to}`
    return { operator, verdict: "migrate", reason, todo: "", acceptable: false }
  }
  return { operator, verdict: "keep", reason: [...was, ...opaque].join("; "), todo, acceptable: false }
}

/** What is wrong with an operator that is new. */
const newFinding = (operator: Operator, joined: string | undefined): Finding | undefined => {
  if (operator.kind === "output")
    return { breaks: false, reason: "is new, and begins in the middle: it gets nothing of what was read before" }
  if (joined === undefined) return undefined
  if (operator.kind === "source")
    return {
      breaks: false,
      reason: `is new before ${joined}, and starts at its beginning: rows of windows already closed are late`
    }
  const empty = holdsState(operator) ? " and starts empty, knowing nothing of what was read before" : ""
  return { breaks: false, reason: `is new before ${joined}${empty}: results differ from here on` }
}

/** What is wrong with an operator that is gone; `heir`: a new one that does the same. */
const goneFinding = (operator: Operator, left: string | undefined, heir: Operator | undefined): Finding | undefined => {
  const { name, kind } = operator
  if (heir !== undefined && (holdsState(operator) || kind === "output")) {
    const how =
      kind === "source"
        ? "name it as it was"
        : kind === "output"
          ? `call it ${quoted(name.slice("output ".length))} again`
          : `name it EventStream.named(${JSON.stringify(name)})`
    const reason = `is not in this plan; ${heir.name} does the same and would start empty`
    return { breaks: false, reason, todo: `if it is the same, ${how}; if not, accept both` }
  }
  if (kind === "output") return { breaks: false, reason: "is not in this plan: nothing more is written there" }
  if (kind === "source") {
    if (left === undefined) return undefined
    return { breaks: false, reason: `is not read any more by ${left}, and where it stood is forgotten` }
  }
  if (kind === "withEventTime") {
    if (left === undefined) return undefined
    return { breaks: false, reason: "is not in this plan: its watermarks are forgotten, and may go back" }
  }
  if (holdsState(operator))
    return {
      breaks: false,
      reason: "is not in this plan: the rows it holds are dropped, counted as contributed and never as settled"
    }
  return left === undefined
    ? undefined
    : { breaks: false, reason: `is gone from before ${left}: results differ from here on` }
}

/**
 * A verdict for each operator of the new plan, in its order, then for those of the old one that are gone. `accepted`
 * has the names of operators whose changes the user accepts, as they stand in `operator`.
 */
export const comparePlans = (
  before: PlanFingerprint,
  after: PlanFingerprint,
  options: { readonly accepted: ReadonlySet<string> }
): ReadonlyArray<OperatorChange> => {
  const { accepted } = options
  const paths = comparePaths(before, after)
  const stays = new Set(paths.pairs.values())
  const names = new Map(before.operators.map((operator) => [operator.name, operator]))
  const came = after.operators.filter((operator) => !paths.pairs.has(operator))
  const changes: Array<OperatorChange> = []
  for (const operator of after.operators) {
    const was = paths.pairs.get(operator)
    const namesake = names.get(operator.name)
    if (was !== undefined)
      changes.push(judged(operator, findingOf(was, operator, paths), accepted, kept(was, operator)))
    else if (namesake !== undefined && !stays.has(namesake) && (holdsState(operator) || holdsState(namesake))) {
      // The checkpoint's state goes by the name, and is that of something else.
      stays.add(namesake)
      changes.push(judged(operator, findingOf(namesake, operator, paths), accepted, kept(namesake, operator)))
    } else {
      const fresh = { operator: operator.name, verdict: "new", reason: "", todo: "", acceptable: false } as const
      changes.push(judged(operator, newFinding(operator, paths.joined.get(operator)), accepted, fresh))
    }
  }
  for (const operator of before.operators) {
    if (stays.has(operator)) continue
    const gone = { operator: operator.name, verdict: "gone", reason: "", todo: "", acceptable: false } as const
    const heir = came.find((other) => meansTheSame(other, operator))
    changes.push(judged(operator, goneFinding(operator, paths.left.get(operator), heir), accepted, gone))
  }
  return changes
}

/** Accepted names that no operator has, with those that there are; empty when all are known. */
export const unknownAccepted = (accepted: Iterable<string>, names: ReadonlyArray<string>): string => {
  const unknown = [...accepted].filter((name) => !names.includes(name)).map((name) => JSON.stringify(name))
  if (unknown.length === 0) return ""
  const none = unknown.length === 1 ? "is no operator" : "are no operators"
  return `${unknown.join(", ")} ${none}: there are ${names.join(", ")}`
}

/**
 * Why a query does not start with these changes, or undefined when it may. `store`: the name of the object store;
 * `accepted`: as for `comparePlans`.
 */
export const planRefusal = (
  query: string,
  store: string,
  changes: ReadonlyArray<OperatorChange>,
  accepted: ReadonlySet<string> = new Set()
): QueryError | undefined => {
  const refused = changes.filter(({ verdict }) => verdict === "refuse")
  if (refused.length === 0) return undefined
  const { operator, reason } = refused.find(({ acceptable }) => !acceptable) ?? refused[0]
  const others = refused.length === 1 ? "" : `; and ${refused.length - 1} more of its operators differ`
  const folder = store.startsWith("files ") ? store.slice("files ".length) : undefined
  const place = `checkpoint ${folder ?? store}/queries/${query}`
  const names = changes.map((change) => change.operator)
  const unknown = unknownAccepted(accepted, names)
  const vain = unknown === "" ? "" : `. Of what acceptPlanChanges names, ${unknown}`
  const choices =
    folder === undefined
      ? "Take the change back, or accept what may be accepted by its operator's name (acceptPlanChanges)"
      : `To see the choices: tidemark plan FILE --checkpoint ${quoted(folder)}`
  const message = `${place} is of another plan: ${operator} ${reason}${others}${vain}. ${choices}`
  return new QueryError({ reason: "PlanChanged", query, message })
}

/**
 * Writers whose prepared output the new plan's sinks cannot commit: their outputs are gone, or write elsewhere. What a
 * checkpoint still has to commit for them can only be committed under the old plan.
 */
export const abandonedWriters = (before: PlanFingerprint, after: PlanFingerprint): ReadonlySet<string> => {
  const placesOf = (plan: PlanFingerprint): ReadonlyMap<unknown, string> =>
    new Map(
      plan.operators
        .filter(isOutput)
        .map(({ parameters: { writer, sink, mode } }) => [writer, JSON.stringify([sink, mode ?? null])])
    )
  const now = placesOf(after)
  const abandoned = [...placesOf(before)].filter(([writer, place]) => now.get(writer) !== place)
  return new Set(abandoned.map(([writer]) => String(writer)))
}

/**
 * What a query that goes on from `base` under another plan, whose changes are accepted, has to commit first (rule C2).
 * Fails where the last epoch of an output that is gone, or writes elsewhere, may not be committed yet: the query has not
 * ended with it, so that only the old plan's sink can tell.
 */
export const pendingUnder = (
  query: string,
  base: Pick<Manifest, "plan" | "prepared" | "ended" | "epoch">,
  after: PlanFingerprint
): Effect.Effect<ReadonlyArray<Prepared>, QueryError> => {
  const abandoned = abandonedWriters(base.plan, after)
  const stranded = base.prepared.find(({ writer }) => abandoned.has(writer))
  if (stranded === undefined || base.ended !== undefined)
    return Effect.succeed(base.prepared.filter(({ writer }) => !abandoned.has(writer)))
  const message = `query ${query} did not end with epoch ${base.epoch}, which may have rows for its output ${stranded.writer} that only the plan before can write: start it once with that plan and stop it (Ctrl-C), then change the output`
  return Effect.fail(new QueryError({ reason: "PlanChanged", query, message }))
}
