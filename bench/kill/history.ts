/**
 * One history: a fresh folder, processes of the job one after the other, each killed somewhere, and at last one that runs
 * to its end. After every kill, what readers see is looked at; in the end it has to be what an undisturbed run leaves.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Chain, type ChainFacts, chainOf, newestPart, numberOf } from "./chain.ts"
import { compare, filesIn, type Seen, seenIn, watch, type Wrong } from "./parts.ts"
import { rot, type Rot } from "./rot.ts"
import { Seeded } from "../../src/testing/seeded.ts"
import { type Ended, start, type StartOptions, until } from "./process.ts"

/** What is done to one process. */
export interface Step {
  readonly parallelism: number
  /** `TIDEMARK_FAILPOINT`: a step of it to be killed at. */
  readonly failpoint?: string
  /** Or the moment, ms after its start, or after it has made a checkpoint. */
  readonly afterMs?: number
  readonly from?: "start" | "checkpoint"
  readonly signal: "SIGKILL" | "SIGTERM"
  /** What goes bad before the process starts. */
  readonly rot?: { readonly what: Rot; readonly seed: number }
}

/** What came of it. */
export interface StepResult {
  /** None: it was to run to its end. */
  readonly step: Step | undefined
  readonly ended: Ended
  /** Whether the process was ended by the step, in the way that it should be. */
  readonly hit: boolean
  /** From the signal to the end, ms. */
  readonly sinceSignalMs: number
  /** Rows in state, by the ledger that it printed; 0 when it did not get to that. */
  readonly held: number
  /** The newest checkpoint before and after. */
  readonly before: Chain | undefined
  readonly after: Chain | undefined
}

/** What an undisturbed run leaves. */
export interface Expected {
  readonly seen: Seen
  /** Operators and sinks of the ledger, as text. */
  readonly ledger: string
  /** Rows that its readers count in the end. */
  readonly rows: number
  /** Failpoints it passed, in order, as `name:side`. */
  readonly passed: ReadonlyArray<string>
  readonly tookMs: number
  /** Until it said that it runs. */
  readonly startMs: number
}

/** A history, told. */
export interface History {
  readonly folder: string
  readonly steps: ReadonlyArray<StepResult>
  readonly wrong: Wrong
  /** Everything else that should not be. */
  readonly problems: ReadonlyArray<string>
}

/** The files of the outputs in `./out`, and the dead letters that the checkpoint keeps. */
const filesAt = (folder: string): ReadonlyMap<string, string> => {
  const dead = [...filesIn(join(folder, ".tidemark/dead"))]
  return new Map([...filesIn(join(folder, "out")), ...dead.map(([file, text]) => [`dead/${file}`, text] as const)])
}

/** What readers see in the folder of a history. */
export const lookAt = (folder: string): Seen => seenIn(filesAt(folder))

/** Staged files, and files that were to get another name: what a clean end leaves none of. */
const leftovers = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) => {
    const name = path.slice(path.lastIndexOf("/") + 1)
    if (/\/\.staged\//.test(path)) return !/_epoch_\d+_[0-9a-f]{8}$/.test(name)
    return name.startsWith(".") && name !== ".staged" && name !== ".tidemark" && !name.startsWith(".tmp-")
  })

interface Summary {
  readonly balanced: boolean
  readonly rows: number
  readonly ended: string
  readonly ledger: {
    readonly operators: ReadonlyArray<{ readonly operator: string; readonly held: number }>
    readonly sinks: ReadonlyArray<{ readonly sink: string }>
  }
}

const ledgerText = ({ ledger }: Summary): string =>
  [...ledger.operators, ...ledger.sinks]
    .map((balance) =>
      JSON.stringify(Object.fromEntries(Object.entries(balance).toSorted(([a], [b]) => (a < b ? -1 : 1))))
    )
    .toSorted()
    .join("\n")

const summaryOf = (ended: Ended): Summary | undefined => {
  const line = ended.stdout.trim().split("\n").at(-1) ?? ""
  return line.startsWith("{") ? (JSON.parse(line) as Summary) : undefined
}

const linesOf = (file: string): ReadonlyArray<string> => readFileSync(file, "utf8").split("\n").filter(Boolean)

/** Runs the job undisturbed in a folder. */
export const undisturbed = async (options: StartOptions): Promise<Expected> => {
  mkdirSync(options.folder, { recursive: true })
  const log = join(options.folder, "failpoints.log")
  writeFileSync(log, "")
  const began = performance.now()
  const process = start({ ...options, log })
  await process.says(/exactly once/)
  const startMs = performance.now() - began
  const ended = await process.ended
  const summary = summaryOf(ended)
  if (ended.code !== 0 || summary === undefined)
    throw new Error(`the undisturbed run ended with ${ended.code ?? ended.signal}:\n${ended.stderr}`)
  if (!summary.balanced) throw new Error(`the ledger of the undisturbed run is not balanced: ${ended.stdout}`)
  const seen = lookAt(options.folder)
  const rows = chainOf(options.folder)?.rows ?? 0
  return { seen, ledger: ledgerText(summary), rows, passed: linesOf(log), tookMs: ended.tookMs, startMs }
}

/** What a process says of where it goes on; none: it says nothing. */
const goesOnFrom = (ended: Ended): { readonly epoch: number; readonly text: string } | undefined => {
  const line = /goes on from epoch ([\d,]+).*/.exec(ended.stderr)
  return line === null ? undefined : { epoch: Number(line[1].replaceAll(",", "")), text: line[0] }
}

/** Whether that is this checkpoint: its epoch, and the positions of its partitions, some of which are not the start. */
const isFrom = (from: { readonly epoch: number; readonly text: string }, facts: ChainFacts | undefined): boolean =>
  facts !== undefined &&
  from.epoch === facts.epoch &&
  // Stopped before the first row, there is no position to name.
  (facts.positions.length > 0 || facts.rows === 0) &&
  facts.positions.every((position) => from.text.includes(position))

/** A process that has not ended by now is stuck. */
const patienceMs = 60_000

type StepEnd = Omit<StepResult, "before" | "after">

const runStep = async (options: StartOptions, step: Step | undefined): Promise<StepEnd> => {
  const failpoint = step?.failpoint
  const process = start({
    ...options,
    ...(step === undefined ? {} : { parallelism: step.parallelism }),
    ...(failpoint === undefined ? {} : { failpoint })
  })
  let signalledAt: number | undefined
  const timers = [setTimeout(() => process.kill("SIGKILL"), patienceMs)]
  if (step?.afterMs !== undefined) {
    const { signal } = step
    const send = (): void => {
      signalledAt = performance.now()
      process.kill(signal)
    }
    // After the takeover, which has a number too.
    const epoch = numberOf(options.folder) + 2
    if (step.from === "checkpoint")
      await until(() => process.hasEnded() || numberOf(options.folder) >= epoch, patienceMs)
    timers.push(setTimeout(send, step.afterMs))
  }
  const ended = await process.ended
  const sinceSignalMs = signalledAt === undefined ? 0 : performance.now() - signalledAt
  for (const timer of timers) clearTimeout(timer)
  const summary = summaryOf(ended)
  const hit = step?.signal === "SIGTERM" ? summary?.ended === "drained" : ended.signal === "SIGKILL"
  const held = summary?.ledger.operators.reduce((n, operator) => n + operator.held, 0) ?? 0
  return { step, ended, hit, sinceSignalMs, held }
}

/** SIGTERM before the program was there to hear it, or to have anything to stop. */
const unheard = ({ step, ended }: StepEnd): boolean =>
  step?.signal === "SIGTERM" && ended.stdout === "" && (ended.signal === "SIGTERM" || ended.code === 130)

/**
 * Runs a history. `next` gives the step of the next process, or none when it is to run to its end; it is told what came of
 * the step before.
 */
export const runHistory = async (
  options: StartOptions,
  expected: Expected,
  next: (last: StepResult | undefined) => Step | undefined
): Promise<History> => {
  const { folder } = options
  mkdirSync(folder, { recursive: true })
  const steps: Array<StepResult> = []
  const problems: Array<string> = []
  const watching = watch(expected.seen)
  let before: Chain | undefined
  /** The highest epoch of which both copies were ever seen sound. */
  let reached = 0
  for (;;) {
    const step = next(steps.at(-1))
    const which = `process ${steps.length + 1}`
    if (step?.rot !== undefined) rot(folder, step.rot.what, before, new Seeded(step.rot.seed))
    const result = await runStep(options, step)
    const { ended } = result
    const after = chainOf(folder)
    const files = filesAt(folder)
    for (const what of watching.look(files)) problems.push(`${which}: readers see what they should not: ${what}`)
    // A copy that went bad, and that no process has lived to repair yet, takes nothing back.
    reached = Math.max(reached, after?.epoch ?? 0)
    if (newestPart(files) > reached)
      problems.push(`${which}: a part of epoch ${newestPart(files)} is visible, the checkpoint is at ${reached}`)
    if (after?.balanced === false) problems.push(`${which}: the ledger of epoch ${after.epoch} is not balanced`)
    if (ended.tookMs >= patienceMs) problems.push(`${which} was stuck: ${ended.stderr}`)
    if (!(result.hit || unheard(result)) && ended.code !== 0)
      problems.push(`${which} ended with ${ended.code ?? ended.signal}: ${ended.stderr}`)
    const from = goesOnFrom(ended)
    const expectedFrom = before === undefined || before.epoch === 0 ? undefined : before
    if (
      ended.code === 0 &&
      (after?.epoch ?? 0) > (before?.epoch ?? 0) &&
      expectedFrom !== undefined &&
      from === undefined
    )
      problems.push(`${which} does not say that it goes on from epoch ${expectedFrom.epoch}: ${ended.stderr}`)
    if (from !== undefined && !isFrom(from, before) && !isFrom(from, before?.newest))
      problems.push(`${which} says that it ${from.text}; the checkpoint was ${JSON.stringify(before)}`)
    steps.push({ ...result, before, after })
    before = after
    if (problems.length > 0) break
    if (ended.code === 0 && summaryOf(ended)?.ended === "exhausted") break
  }
  if (problems.length === 0) {
    for (const name of leftovers(folder)) problems.push(`left over: ${name}`)
    problems.push(...conclude(folder, expected, steps[steps.length - 1].ended))
  }
  const wrong = compare(expected.seen, lookAt(folder), problems.length === 0)
  return { folder, steps, wrong, problems }
}

/** What a folder should not show when all is done; `last` is the process that did the last of it, where it is known. */
export const conclude = (folder: string, expected: Expected, last: Ended | undefined): ReadonlyArray<string> => {
  const problems: Array<string> = []
  const chain = chainOf(folder)
  if (chain?.ended !== "exhausted") problems.push(`the checkpoint does not say that the input was read to its end`)
  else if (chain.rows !== expected.rows) problems.push(`${chain.rows} rows were read, not ${expected.rows}`)
  const summary = last === undefined ? undefined : summaryOf(last)
  if (last === undefined) return problems
  if (summary === undefined || !summary.balanced) problems.push("the ledger is not balanced in the end")
  else if (ledgerText(summary) !== expected.ledger)
    problems.push(
      `the ledger is not that of the undisturbed run: ${firstDifference(expected.ledger, ledgerText(summary))}`
    )
  return problems
}

const firstDifference = (wanted: string, got: string): string => {
  const a = wanted.split("\n")
  const b = got.split("\n")
  const i = a.findIndex((line, at) => line !== b[at])
  return `${a[i]} became ${b[i]}`
}
