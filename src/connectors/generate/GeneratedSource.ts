/**
 * A generator as a source: N partitions of events that are functions of (seed, partition, index).
 *
 * Replayable from any position, in any process: a position holds the start of the timeline and the index of the next
 * event. Bounded when `count` is given. Events carry their time of arrival as the broker's append time, so that the
 * clock guard is on and catches the future-dated ones (rule T8). Paced: an event is handed out once its time of arrival
 * has come on effect's `Clock`; a start in the past gives a backlog at once.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { DeadRow } from "../../model/DeadLetter.ts"
import { type OptionProblem, SourceError } from "../../model/Errors.ts"
import { Limits } from "../../model/Limits.ts"
import { type PartitionId, position, type Position } from "../../model/Position.ts"
import type { Demand, PartitionCursor, Source, SourceChunk } from "../../model/Source.ts"
import type { EventModel, Poison } from "./EventModel.ts"
import { eventHash } from "./hash.ts"
import type { Settings } from "./options.ts"
import { arrivalMs, arrived, kindOf, originOf, timeMs, type Timeline, timeline } from "./timeline.ts"

/** What a generator knows of an event. */
export interface GeneratedMeta {
  readonly partition: PartitionId
  /** Number of the event in its partition, from 0. */
  readonly index: number
  /** When it arrived, ms. */
  readonly arrivedAt: number
}

/** What becomes of an event that cannot be decoded: a dead row, or its bytes as a row like others. */
export interface Form<A, B> {
  readonly good: (row: A) => B
  /** Absent: dead rows. */
  readonly poison?: (poison: Poison) => B
}

/** The clock is read again after this long, in case it was set. */
const sleepMsMax = 60_000

const encodePosition = (startMs: number, index: number): Position => position(`${startMs}/${index}`)

const decodePosition = (from: Position): { readonly startMs: number; readonly index: number } | undefined => {
  const match = /^(-?[0-9]{1,16})\/(0|[1-9][0-9]{0,15})$/.exec(from)
  return match === null ? undefined : { startMs: Number(match[1]), index: Number(match[2]) }
}

const deadRow = (before: number, poison: Poison, place: string): DeadRow => ({
  before,
  reason: poison.reason,
  detail: poison.detail,
  place,
  bytes: poison.bytes.subarray(0, Limits.deadLetterBytesMax),
  truncated: poison.bytes.length > Limits.deadLetterBytesMax
})

/** Events `from..to)` of a partition. */
const cut = <A, B>(
  model: EventModel<A>,
  form: Form<A, B>,
  t: Timeline,
  from: number,
  to: number
): SourceChunk<B, GeneratedMeta> => {
  const rows: Array<B> = []
  const dead: Array<DeadRow> = []
  const indices: Array<number> = []
  const partition = String(t.partition)
  for (let i = from; i < to; i++) {
    const origin = originOf(t, i)
    const event = eventHash(t.seed, origin)
    const kind = kindOf(t, origin, event)
    const ms = timeMs(t, origin, event, kind)
    if (kind !== "poison") rows.push(form.good(model.row(t, origin, event, ms)))
    else {
      const poison = model.poison(t, origin, event, ms)
      if (form.poison === undefined) {
        dead.push(deadRow(rows.length, poison, `${model.name} ${partition}:${i}`))
        continue
      }
      rows.push(form.poison(poison))
    }
    indices.push(i)
  }
  const appendTimes = new Float64Array(rows.length)
  for (let j = 0; j < rows.length; j++) appendTimes[j] = arrivalMs(t, indices[j])
  return {
    length: rows.length,
    rows,
    meta: (j) => ({ partition, index: indices[j], arrivedAt: appendTimes[j] }),
    appendTimes,
    ...(dead.length === 0 ? {} : { dead }),
    next: encodePosition(t.startMs, to),
    bytes: rows.length * model.rowBytes
  }
}

const cursorOf = <A, B>(
  model: EventModel<A>,
  form: Form<A, B>,
  t: Timeline,
  start: number
): PartitionCursor<B, GeneratedMeta> => {
  let at = start
  const available = (now: number): number => (t.settings.paced ? arrived(t, now) : t.count)
  /** How far one may read now; waits for the next event where none has arrived. */
  const limit: Effect.Effect<number, Cause.Done> = Effect.flatMap(Clock.currentTimeMillis, (now) => {
    if (at >= t.count) return Cause.done()
    const to = available(now)
    if (to > at) return Effect.succeed(to)
    return Effect.andThen(Effect.sleep(Math.min(sleepMsMax, Math.max(1, arrivalMs(t, at) - now))), limit)
  })
  const take = (to: number, demand: Demand): SourceChunk<B, GeneratedMeta> => {
    const chunk = cut(model, form, t, at, Math.min(to, at + Math.max(1, demand.rows)))
    at += chunk.length + (chunk.dead?.length ?? 0)
    return chunk
  }
  return {
    // The cursor moves in the last step, a `sync`, whose value goes to the caller without a chance to interrupt.
    pull: (demand) => Effect.flatMap(limit, (to) => Effect.sync(() => take(to, demand))),
    end: Effect.map(Clock.currentTimeMillis, (now) => {
      const to = available(now)
      return Number.isFinite(to) ? Option.some(encodePosition(t.startMs, to)) : Option.none()
    })
  }
}

/** A source of a model's events in one form. */
export const generatedSource = <A, B>(
  model: EventModel<A>,
  form: Form<A, B>,
  settings: Settings,
  problems: ReadonlyArray<OptionProblem>
): Source<B, GeneratedMeta, SourceError> => {
  const name = `generate ${model.name}`
  const partitions: ReadonlyArray<PartitionId> = Array.from({ length: settings.partitions }, (_, p) => String(p))
  const refuse = (partition: PartitionId, message: string): Effect.Effect<never, SourceError> =>
    Effect.fail(new SourceError({ connector: name, partition, retryable: false, message }))
  // Chosen when the first partition is opened, then the same for all; after a restart, positions bring it along.
  let chosen = settings.startAtMs
  const startAt = Effect.map(Clock.currentTimeMillis, (now) => {
    const length = settings.count === undefined ? 0 : Math.ceil((settings.count - 1) * settings.spacingMs)
    return (chosen ??= now - Math.max(0, length))
  })
  return {
    name,
    features: {
      bounded: settings.count !== undefined,
      appendTime: true,
      endPosition: settings.paced || settings.count !== undefined,
      replayable: true,
      dynamicPartitions: false
    },
    problems,
    partitions: (known) => Effect.succeed(partitions.filter((p) => !known.has(p))),
    open: (partition, from) =>
      Effect.gen(function* () {
        const number = partitions.indexOf(partition)
        if (number < 0)
          return yield* refuse(
            partition,
            `${name} has ${partitions.length} partitions, "0" and up, and no "${partition}"`
          )
        const place = Option.isNone(from) ? { startMs: yield* startAt, index: 0 } : decodePosition(from.value)
        const t = place === undefined ? undefined : timeline(settings, number, place.startMs)
        if (place === undefined || t === undefined || place.index > t.count) {
          return yield* refuse(
            partition,
            `${name}: ${Option.getOrElse(from, () => "")} is not a position of partition ${partition}; were its options changed?`
          )
        }
        chosen ??= place.startMs
        return cursorOf(model, form, t, place.index)
      })
  }
}
