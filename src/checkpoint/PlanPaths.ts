/**
 * Which operator of a plan is which of another one (rule C8), and what has changed on the ways between them.
 *
 * Operators with state and outputs are known by their names: that is where a checkpoint finds what they held. Between
 * them stand operators without state, whose derived names (`map-2`) shift when another comes; they are known by where
 * they stand: the way up from each operator with state is compared with the way up from its namesake, step by step.
 * Pure; takes fingerprints of any origin, and ends whatever they hold.
 */
import type { OperatorFingerprint, PlanFingerprint } from "../model/PlanFingerprint.ts"

/** What became of what. Consumers are operators with state, and outputs, of the newer plan. */
export interface PlanPaths {
  /** Newer operator to the older one that it is. */
  readonly pairs: ReadonlyMap<OperatorFingerprint, OperatorFingerprint>
  /** Newer operators that stand newly before a consumer that was there: the consumer's name. */
  readonly joined: ReadonlyMap<OperatorFingerprint, string>
  /** Older operators that no longer stand before a consumer that is still there: its name. */
  readonly left: ReadonlyMap<OperatorFingerprint, string>
  /** Operators without state that stand before the same consumer in another order: its name. */
  readonly displaced: ReadonlyMap<OperatorFingerprint, string>
  /** Consumers that read from elsewhere. */
  readonly moved: ReadonlyMap<OperatorFingerprint, { readonly was: string; readonly is: string }>
}

type Operator = OperatorFingerprint
type Named = ReadonlyMap<string, Operator>

const outputs: ReadonlySet<string> = new Set(["output", "late output", "dead letters"])

/** Whether an operator is one that writes to a sink. */
export const isOutput = (operator: Operator): boolean => outputs.has(operator.kind)

const isKnownByName = (operator: Operator): boolean => operator.state !== undefined || isOutput(operator)

const isDerived = (operator: Operator): boolean =>
  operator.name.startsWith(`${operator.kind}-`) && /^[0-9]+$/.test(operator.name.slice(operator.kind.length + 1))

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

/** How well two steps agree; 0: they are not one operator. */
const agreement = (before: Operator, after: Operator): number => {
  if (before.kind !== after.kind || before.state !== undefined || after.state !== undefined) return 0
  const named = before.name === after.name
  if (!named && !isDerived(before) && !isDerived(after)) return 0
  return 10 + (same(before.parameters, after.parameters) ? 2 : 0) + (named ? 1 : 0)
}

const full = 13

/** Indices of the steps that are one operator, in order on both sides, with the best agreement. */
const align = (
  before: ReadonlyArray<Operator>,
  after: ReadonlyArray<Operator>
): ReadonlyArray<readonly [number, number]> => {
  // Nearly all of nearly every plan is as it was; the table below is for the rest.
  let head = 0
  const shorter = Math.min(before.length, after.length)
  while (head < shorter && agreement(before[head], after[head]) === full) head++
  const rest = alignRest(before.slice(head), after.slice(head))
  const found = Array.from({ length: head }, (_, i) => [i, i] as const)
  return [...found, ...rest.map(([i, j]) => [i + head, j + head] as const)]
}

/** By dynamic programming, as a longest common subsequence. */
const alignRest = (
  before: ReadonlyArray<Operator>,
  after: ReadonlyArray<Operator>
): ReadonlyArray<readonly [number, number]> => {
  const width = after.length + 1
  const best = new Float64Array((before.length + 1) * width)
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      const points = agreement(before[i], after[j])
      const both = points === 0 ? 0 : points + best[(i + 1) * width + j + 1]
      best[i * width + j] = Math.max(both, best[(i + 1) * width + j], best[i * width + j + 1])
    }
  }
  const found: Array<readonly [number, number]> = []
  for (let i = 0, j = 0; i < before.length && j < after.length;) {
    const points = agreement(before[i], after[j])
    if (points > 0 && best[i * width + j] === points + best[(i + 1) * width + j + 1]) found.push([i++, j++])
    else if (best[(i + 1) * width + j] >= best[i * width + j + 1]) i++
    else j++
  }
  return found
}

interface Way {
  readonly steps: ReadonlyArray<Operator>
  /** Name of what stands above the steps: a source, a union, or an operator that is known by name. */
  readonly end: string
}

/** Streams that a union joins are looked at up to this many. */
const branchesMax = 1000

/** Finds out what became of what. */
export const comparePaths = (before: PlanFingerprint, after: PlanFingerprint): PlanPaths => {
  const old: Named = new Map(before.operators.map((operator) => [operator.name, operator]))
  const now: Named = new Map(after.operators.map((operator) => [operator.name, operator]))
  const pairs = new Map<Operator, Operator>()
  const paired = new Set<Operator>()
  const joined = new Map<Operator, string>()
  const left = new Map<Operator, string>()
  const displaced = new Map<Operator, string>()
  const moved = new Map<Operator, { readonly was: string; readonly is: string }>()
  const pair = (was: Operator, is: Operator): void => {
    if (pairs.has(is) || paired.has(was)) return
    pairs.set(is, was)
    paired.add(was)
  }
  for (const is of after.operators) {
    const was = old.get(is.name)
    if (was !== undefined && was.kind === is.kind && isKnownByName(was) && isKnownByName(is)) pair(was, is)
  }
  const anchors = new Set<Operator>([...pairs.keys(), ...paired])

  const wayUp = (names: Named, from: string): Way => {
    const steps: Array<Operator> = []
    let end = from
    for (let at = names.get(end); at !== undefined; at = names.get(end)) {
      if (anchors.has(at) || at.inputs.length !== 1 || steps.length > names.size) break
      steps.push(at)
      end = at.inputs[0]
    }
    return { steps, end }
  }
  /** The streams that meet at a name: those of a union, and of unions right above it; else the one it is. */
  const branches = (names: Named, end: string): ReadonlyArray<string> => {
    const found: Array<string> = []
    const todo = [end]
    for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
      const inputs = names.get(name)?.inputs ?? []
      if (inputs.length > 1 && found.length + todo.length < branchesMax) todo.push(...inputs.toReversed())
      else found.push(name)
    }
    return found
  }
  const compareSteps = (was: ReadonlyArray<Operator>, is: ReadonlyArray<Operator>, consumer: Operator): void => {
    const found = align(was, is)
    for (const [i, j] of found) pair(was[i], is[j])
    const alone = was.filter((_, i) => !found.some(([k]) => k === i))
    for (const step of is.filter((_, j) => !found.some(([, k]) => k === j))) {
      const at = alone.findIndex((other) => agreement(other, step) > 0)
      if (at < 0) joined.set(step, consumer.name)
      else {
        displaced.set(step, consumer.name)
        pair(alone[at], step)
        alone.splice(at, 1)
      }
    }
    for (const step of alone) left.set(step, consumer.name)
  }
  /** What no counterpart was found for: a source that came or went says so itself, anything else has moved. */
  const apart = (was: string | undefined, is: string | undefined, consumer: Operator): void => {
    const [older, newer] = [was === undefined ? undefined : old.get(was), is === undefined ? undefined : now.get(is)]
    const gone = older !== undefined && !paired.has(older)
    const fresh = newer !== undefined && !pairs.has(newer)
    if (gone) left.set(older, consumer.name)
    if (fresh) joined.set(newer, consumer.name)
    if ((was === undefined || gone) && (is === undefined || fresh)) return
    moved.set(consumer, { was: was ?? "nothing", is: is ?? "nothing" })
  }
  const seen = new Set<string>()
  const compareStreams = (was: string, is: string, consumer: Operator): void => {
    const key = JSON.stringify([was, is, consumer.name])
    if (seen.has(key)) return
    seen.add(key)
    const [older, newer] = [wayUp(old, was), wayUp(now, is)]
    compareSteps(older.steps, newer.steps, consumer)
    const [theirs, ours] = [branches(old, older.end), branches(now, newer.end)]
    if (theirs.length === 1 && ours.length === 1) {
      if (theirs[0] !== ours[0]) apart(theirs[0], ours[0], consumer)
      else if (!anchors.has(now.get(ours[0]) as Operator)) apart(theirs[0], ours[0], consumer)
      return
    }
    compareBranches(theirs, [...ours], consumer)
  }
  const compareBranches = (theirs: ReadonlyArray<string>, ours: Array<string>, consumer: Operator): void => {
    const alone: Array<string> = []
    for (const branch of theirs) {
      const root = wayUp(old, branch).end
      const at = ours.findIndex((other) => wayUp(now, other).end === root)
      if (at < 0) alone.push(branch)
      else compareStreams(branch, ours.splice(at, 1)[0], consumer)
    }
    for (const branch of alone) {
      const other = ours.shift()
      if (other !== undefined) compareStreams(branch, other, consumer)
      else apart(wayUp(old, branch).end, undefined, consumer)
    }
    for (const branch of ours) apart(undefined, wayUp(now, branch).end, consumer)
  }
  for (const [is, was] of [...pairs]) {
    if (was.inputs.length === 1 && is.inputs.length === 1) compareStreams(was.inputs[0], is.inputs[0], is)
    else if (!same(was.inputs.toSorted(), is.inputs.toSorted()))
      apart(was.inputs.join(", ") || undefined, is.inputs.join(", ") || undefined, is)
  }
  // What stands only before what came or went, and unions: the name is all there is to go by.
  for (const is of after.operators) {
    const was = old.get(is.name)
    if (was?.kind === is.kind && was.state === undefined && is.state === undefined) pair(was, is)
  }
  return { pairs, joined, left, displaced, moved }
}
