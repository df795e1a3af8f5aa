/**
 * Seeded generators of the events that the tutorials send: card transactions and IoT measurements, with as much
 * disorder, duplication, lateness and damage as asked for.
 *
 * `transactions` and `iot` are sources of rows, damaged events as dead rows. `lines` is the same as lines of JSON,
 * damaged ones among them, for files, sockets and brokers. `transactionsLines` and `iotLines` are plain functions. Same
 * options and start, same events, in any process.
 */
import type { OptionProblem, SourceError } from "../../model/Errors.ts"
import { integer, show } from "../../model/Options.ts"
import type { Source } from "../../model/Source.ts"
import { type EventModel, lineOf } from "./EventModel.ts"
import { type Form, type GeneratedMeta, generatedSource } from "./GeneratedSource.ts"
import { eventHash } from "./hash.ts"
import { devicesDefault, type IotEvent, iotModel, moreDataDefault } from "./iot.ts"
import { type GeneratorOptions, readSettings, type Settings } from "./options.ts"
import { kindOf, originOf, timeMs, type Timeline, timeline } from "./timeline.ts"
import { customersDefault, type Transaction, transactionModel } from "./transactions.ts"

export type { GeneratedMeta } from "./GeneratedSource.ts"
export type { IotEvent } from "./iot.ts"
export type { Fraction, GeneratorOptions } from "./options.ts"
export type { Transaction } from "./transactions.ts"

/** Options of {@link iot}. */
export interface IotOptions extends GeneratorOptions {
  /** Fields of `complexData`; default 10. */
  readonly moreData?: number
}

interface Read<A> {
  readonly model: EventModel<A>
  readonly settings: Settings
  readonly problems: ReadonlyArray<OptionProblem>
}

const readTransactions = (options: GeneratorOptions): Read<Transaction> => {
  const problems: Array<OptionProblem> = []
  return {
    model: transactionModel,
    settings: readSettings("Generate.transactions", options, customersDefault, problems),
    problems
  }
}

const readIot = (options: IotOptions): Read<IotEvent> => {
  const problems: Array<OptionProblem> = []
  const settings = readSettings("Generate.iot", options, devicesDefault, problems)
  if (settings.keys < settings.partitions) {
    problems.push({
      option: "Generate.iot.keys",
      value: String(settings.keys),
      fix: `must be at least the number of partitions, ${settings.partitions}`
    })
  }
  const moreData = integer("Generate.iot.moreData", options.moreData ?? moreDataDefault, problems, {
    min: 0,
    max: 1000
  })
  return { model: iotModel(moreData), settings, problems }
}

const asRows = <A>(): Form<A, A> => ({ good: (row) => row })
const asLines: Form<unknown, Uint8Array> = { good: lineOf, poison: (poison) => poison.bytes }

/** Card transactions. Fails with `SourceError` only when opened at a position that is none of its own. */
export const transactions = (options: GeneratorOptions = {}): Source<Transaction, GeneratedMeta, SourceError> => {
  const { model, settings, problems } = readTransactions(options)
  return generatedSource(model, asRows<Transaction>(), settings, problems)
}

/** IoT measurements. Fails with `SourceError` only when opened at a position that is none of its own. */
export const iot = (options: IotOptions = {}): Source<IotEvent, GeneratedMeta, SourceError> => {
  const { model, settings, problems } = readIot(options)
  return generatedSource(model, asRows<IotEvent>(), settings, problems)
}

/** What can be generated. */
export type Generated = "transactions" | "iot"

/** The same events as lines of JSON, without newlines; damaged ones are lines like others. */
export const lines = (what: Generated, options: IotOptions = {}): Source<Uint8Array, GeneratedMeta, SourceError> => {
  const { model, settings, problems }: Read<unknown> = what === "iot" ? readIot(options) : readTransactions(options)
  if (what === "iot" || what === "transactions") return generatedSource(model, asLines, settings, problems)
  const wrong = { option: "Generate.lines", value: show(what), fix: 'must be "transactions" or "iot"' }
  return generatedSource(model, asLines, settings, [wrong, ...problems])
}

/** Options of the plain functions: nothing is left to the clock. Options that are wrong throw a `RangeError`. */
export type PlainOptions<O extends GeneratorOptions> = O & { readonly startAt: unknown }

const lineAt = <A>(model: EventModel<A>, t: Timeline, index: number): Uint8Array => {
  const origin = originOf(t, index)
  const event = eventHash(t.seed, origin)
  const kind = kindOf(t, origin, event)
  const ms = timeMs(t, origin, event, kind)
  return kind === "poison" ? model.poison(t, origin, event, ms).bytes : lineOf(model.row(t, origin, event, ms))
}

function* linesOf<A>(
  { model, settings, problems }: Read<A>,
  partition: number,
  from: number
): Generator<Uint8Array, void, void> {
  if (problems.length > 0) throw new RangeError(problems.map((p) => `${p.option}: ${p.value}: ${p.fix}`).join("; "))
  const t = timeline(settings, partition, settings.startAtMs ?? 0)
  for (let i = from; i < t.count; i++) yield lineAt(model, t, i)
}

/** The lines of one partition (from 0), from event `from` on; without `count` they never end. */
export const transactionsLines = (
  options: PlainOptions<GeneratorOptions>,
  partition: number,
  from = 0
): Iterable<Uint8Array> => linesOf(readTransactions(options), partition, from)

/** The lines of one partition (from 0), from event `from` on; without `count` they never end. */
export const iotLines = (options: PlainOptions<IotOptions>, partition: number, from = 0): Iterable<Uint8Array> =>
  linesOf(readIot(options), partition, from)
