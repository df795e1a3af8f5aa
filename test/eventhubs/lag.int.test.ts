/** How far a reader of a hub is behind, and what it costs to know: on the embedded service, which counts its questions. */
import { Effect, Option, Redacted } from "effect"
import { describe, expect, it } from "vitest"
import * as EventHubs from "../../src/EventHubs.ts"
import { start } from "../../src/connectors/eventhubs/embedded/index.ts"
import { demand, readAll } from "../conformance/reading.ts"
import { connectionOf, sendTo, serviceWith } from "./hubs.ts"

/** What Azure allows a namespace. */
const questionsPerSecondMax = 50

describe("lag of an event hub", () => {
  it.each([false, true])("is counted in events, from wherever it is read; opaque offsets: %s", (opaqueOffsets) =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const service = yield* serviceWith(1, { opaqueOffsets })
          yield* sendTo(service, "0", ["a", "b", "c", "d", "e"])
          yield* service.faults.trim("hub", "0", 1)
          const source = EventHubs.source({ connection: connectionOf(service) })
          const cursor = yield* source.open("0", Option.none())
          const end = Option.getOrThrow(yield* cursor.end)
          const behind = (from = cursor.start) => from && source.rowsBetween?.(from, end)
          expect(behind()).toBe(4)
          expect(behind((yield* cursor.pull(demand(1))).next)).toBe(3)
          expect(behind((yield* readAll(source.features, cursor, 3)).chunks.at(-1)?.next)).toBe(0)
          const latest = EventHubs.source({ connection: connectionOf(service), startAt: "latest" })
          expect(behind((yield* latest.open("0", Option.none())).start)).toBe(0)
        })
      )
    )
  )

  it("is asked for within what a namespace allows, however many hubs and partitions a program reads", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const hubs = ["one", "two", "three"]
          const partitions = 32
          const service = yield* start({ hubs: Object.fromEntries(hubs.map((hub) => [hub, { partitions }])) })
          for (const hub of hubs) {
            const source = EventHubs.source({ connection: Redacted.make(service.connectionString(hub)) })
            const all = yield* source.partitions(new Set())
            expect(all.length).toBe(partitions)
            for (const partition of all) {
              const watch = Effect.flatMap(source.open(partition, Option.none()), ({ end }) => Effect.forever(end))
              yield* Effect.forkScoped(watch)
            }
          }
          const opened = hubs.length * (partitions + 1)
          while (service.stats().managementRequests < opened) yield* Effect.sleep("100 millis")
          const before = service.stats().managementRequests
          yield* Effect.sleep("3 seconds")
          const asked = service.stats().managementRequests - before
          expect(asked).toBeGreaterThan(0)
          expect(asked).toBeLessThanOrEqual(3 * questionsPerSecondMax)
        })
      )
    ))
})
