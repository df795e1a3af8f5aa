/**
 * A history of a live source that is an event hub: the source of Event Hubs as it ships, over a hub that is simulated.
 * What holds of a live source holds here; beside it, that nothing is missing but what retention took, and that of this the
 * query said precisely what.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as EventHubs from "tidemark/EventHubs"
import { type DecodedMessages, deadRow, type MessageFormat } from "../../src/formats/Format.ts"
import { SourceError } from "../../src/model/Errors.ts"
import type { Source } from "../../src/model/Source.ts"
import type { WorldFault } from "../../src/testing/Fault.ts"
import { simulatedStartMs } from "../../src/testing/Simulator.ts"
import type { World } from "../../src/testing/World.ts"
import type { HubFault } from "./hubFaults.ts"
import { brokenHubLaws, type Opening, type Told } from "./hubLaws.ts"
import type { Verdict } from "./jobHistory.ts"
import { arrivals, type LiveCase, type LiveRow, rowsOf, runLive } from "./liveHistory.ts"
import { type HubPartition, SimulatedHub } from "./simulatedHub.ts"

/** Where reading begins without a checkpoint; an event is one of its partition, by its place. */
export type HubStart =
  | { readonly at: "earliest" | "latest" }
  | { readonly event: number; readonly inclusive: boolean }
  /** Ms after the start of the simulation. */
  | { readonly afterMs: number }

/** One history of it. */
export interface HubCase extends LiveCase {
  readonly hub: ReadonlyArray<HubFault>
  readonly startAt: HubStart
  /** Of the first event of each partition. */
  readonly firstSequence: number
  /** Until a process stopped for it: whoever starts the next one has read what it says. */
  readonly failOnDataLoss: boolean
  /** Of each process, its own, or a higher one than of the process before. */
  readonly ownerLevel: "none" | "same" | "rising"
  readonly prefetchEvents: number
}

const poison = "no JSON"

/** The events of each partition: its rows, and what is no row before some of them. */
export const eventsOf = (c: HubCase): ReadonlyArray<HubPartition> =>
  rowsOf(c).map((rows, p) => {
    const at = <K extends HubFault["kind"]>(kind: K, row: number) =>
      c.hub.filter(
        (f): f is Extract<HubFault, { readonly kind: K }> =>
          f.kind === kind && "event" in f && f.partition % c.partitions.length === p && f.event === row
      )
    let sequenceNumber = c.firstSequence - 1
    const events = rows.flatMap((row, i) => {
      // Numbers are left out between two events only: before the first there is none to tell it by.
      if (i > 0) for (const { by } of at("jump", i)) sequenceNumber += by
      const atMs = arrivals(c, p)(i)
      const bodies = [...at("poison", i).map(() => poison), JSON.stringify(row)]
      return bodies.map((body) => ({ sequenceNumber: ++sequenceNumber, atMs, body }))
    })
    return { appearsMs: c.partitions[p].appearsMs, firstSequence: c.firstSequence, events }
  })

/** Read by the schema of the language alone: what real formats load, the simulator would wait for in vain. */
const rowFormat: MessageFormat<LiveRow> = {
  name: "rows",
  problems: [],
  load: Effect.succeed((bodies, place) => {
    const out: DecodedMessages<LiveRow> = { rows: [], bodies: [], dead: [] }
    for (const [i, body] of bodies.entries()) {
      const text = new TextDecoder().decode(body)
      if (text === poison) {
        out.dead.push(deadRow(out.rows.length, { reason: "malformed", detail: poison }, place(i), body))
        continue
      }
      out.bodies.push(i)
      out.rows.push(JSON.parse(text) as LiveRow)
    }
    return out
  })
}

const connection = Redacted.make("Endpoint=sb://simulated/;SharedAccessKeyName=n;SharedAccessKey=k;EntityPath=live")

const startOf = ({ startAt }: HubCase, partitions: ReadonlyArray<HubPartition>): EventHubs.StartOption => {
  if ("at" in startAt) return startAt.at
  if ("afterMs" in startAt) return { enqueuedTime: simulatedStartMs + startAt.afterMs }
  const { event, inclusive } = startAt
  return {
    partitions: Object.fromEntries(
      partitions.map(({ events }, p) => {
        const { sequenceNumber } = events[Math.min(event, events.length - 1)]
        return [String(p), { sequenceNumber, inclusive }]
      })
    )
  }
}

/** How many first rows of a partition lie before a start by number. */
const skippedBy =
  ({ startAt }: HubCase, partitions: ReadonlyArray<HubPartition>) =>
  (p: number): number => {
    if (!("event" in startAt)) return 0
    const { events } = partitions[p]
    const first = Math.min(startAt.event, events.length - 1) + (startAt.inclusive ? 0 : 1)
    return events.slice(0, first).filter(({ body }) => body !== poison).length
  }

/** To the processes that read it, what a hub does is a failure to read. */
const asFault = (fault: HubFault): WorldFault => ({
  kind: "read error",
  partition: "partition" in fault ? fault.partition : 0,
  row: 0
})

/** Faults after which a row may be read any time after it has come. */
const isSlow = ({ kind }: HubFault): boolean => kind !== "jump" && kind !== "poison" && kind !== "again"

/** Runs a case, and judges it. `struck`: what the hub did to requests and links; `stops`: processes that retention stopped. */
export const runHub = (c: HubCase): Verdict & { readonly struck: ReadonlyArray<HubFault>; readonly stops: number } => {
  const partitions = eventsOf(c)
  const struck: Array<HubFault> = []
  const openings: Array<Opening> = []
  /** What failures said that retention took. */
  const stopped: Array<Told> = []
  let hub: SimulatedHub | undefined
  let processes = 0

  /** The same source, reached in the simulator; notes where it begins, and what it stops for. */
  const watched = (
    of: SimulatedHub,
    source: Source<LiveRow, unknown, unknown>,
    exhausted: () => void
  ): Source<LiveRow, unknown, unknown> => {
    const reached = Effect.provideService(EventHubs.HubConnector, of.connector(exhausted))
    const noting = Effect.tapError((error: unknown) =>
      Effect.sync(() => {
        if (error instanceof SourceError && error.message.includes("retention took them"))
          stopped.push({ partition: Number(error.partition), text: error.message })
      })
    )
    return {
      ...source,
      partitions: (known) => reached(source.partitions(known)),
      open: (partition, from) =>
        Effect.gen(function* () {
          const before = of.held(Number(partition))
          const cursor = yield* noting(reached(source.open(partition, from)))
          if (Option.isNone(from))
            openings.push({ partition: Number(partition), before, after: of.held(Number(partition)) })
          return {
            get start() {
              return cursor.start
            },
            end: cursor.end,
            pull: (demand) => noting(cursor.pull(demand))
          }
        })
    }
  }

  const source = (world: World, exhausted: () => void): Source<LiveRow, unknown, unknown> => {
    hub ??= new SimulatedHub(world.simulator, partitions, c.hub, (fault) => void struck.push(fault))
    processes++
    const real = EventHubs.source({
      connection,
      consumerGroup: "readers",
      decode: rowFormat,
      startAt: startOf(c, partitions),
      failOnDataLoss: c.failOnDataLoss && stopped.length === 0,
      prefetchEvents: c.prefetchEvents,
      partitionCheckInterval: "100 millis",
      ...(c.ownerLevel === "none" ? {} : { ownerLevel: c.ownerLevel === "same" ? 1 : processes })
    })
    return watched(hub, real, exhausted)
  }

  const laws = (world: World, times: (id: number) => number, result: Verdict["history"]) =>
    brokenHubLaws({ c, partitions, hub: hub as SimulatedHub, openings, stopped, world, times, result })
  const isPunctual = "at" in c.startAt && c.startAt.at === "earliest" && !c.hub.some(isSlow)
  const verdict = runLive(
    { ...c, faults: [...c.faults, ...c.hub.map(asFault)] },
    // What is missing is told from what retention took, by the laws of hubs.
    {
      source,
      skipped: skippedBy(c, partitions),
      isDue: () => false,
      judge: laws,
      ...(isPunctual ? {} : { readWithinMs: Infinity })
    }
  )
  return { ...verdict, struck, stops: stopped.length }
}
