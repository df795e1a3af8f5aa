/** What a source says of others that read its partitions: before it sends them away, and when they are in its way. */
import { Effect, Exit, Fiber, Logger, Option, type Scope } from "effect"
import { describe, expect, it } from "vitest"
import * as EventHubs from "../../src/EventHubs.ts"
import type { EmbeddedService } from "../../src/connectors/eventhubs/embedded/index.ts"
import { demand } from "../conformance/reading.ts"
import { connectionOf, sendTo, serviceWith } from "./hubs.ts"

/** Runs a test; gives it what was logged so far. */
const inScope = <A, E>(test: (logged: ReadonlyArray<string>) => Effect.Effect<A, E, Scope.Scope>): Promise<A> => {
  const logged: Array<string> = []
  const logger = Logger.make(({ message }) => void logged.push([message].flat().join(" ")))
  return Effect.runPromise(Effect.scoped(test(logged)).pipe(Effect.provide(Logger.layer([logger]))))
}

const filled = Effect.gen(function* () {
  const service = yield* serviceWith(1)
  yield* sendTo(service, "0", ["a", "b"])
  return service
})

const opened = (service: EmbeddedService, ownerLevel?: number) =>
  EventHubs.source({
    connection: connectionOf(service),
    consumerGroup: "readers",
    operationTimeout: "2 seconds",
    ...(ownerLevel === undefined ? {} : { ownerLevel })
  }).open("0", Option.none())

/** Opens it, and reads an event. */
const reads = (service: EmbeddedService, ownerLevel?: number) =>
  Effect.tap(opened(service, ownerLevel), (cursor) => cursor.pull(demand(1)))

const causeOf = (exit: Exit.Exit<unknown, unknown>): string =>
  Exit.isFailure(exit) ? String(exit.cause) : "no failure"

describe("a consumer group that is read already", () => {
  it("is told before an owner level sends the other reader away, which hears who did", () =>
    inScope((logged) =>
      Effect.gen(function* () {
        const service = yield* filled
        const first = yield* reads(service, 2)
        expect(logged).toEqual([])
        const lost = yield* Effect.forkScoped(Effect.exit(Effect.forever(first.pull(demand(1)))))
        yield* reads(service, 2)
        expect(logged).toEqual([
          expect.stringMatching(
            /partition 0: the consumer group readers is read already, by a reader with the owner level 2, which is sent away now: .*give each query a consumer group of its own$/
          )
        ])
        expect(causeOf(yield* Fiber.join(lost))).toMatch(/New receiver 'tidemark-.*-[0-9]+' with higher epoch of '2'/)
      })
    ))

  it("is told when the other reader's owner level is above, and the refusal names it", () =>
    inScope((logged) =>
      Effect.gen(function* () {
        const service = yield* filled
        yield* reads(service, 5)
        expect(causeOf(yield* Effect.exit(reads(service, 1)))).toMatch(
          /Receiver 'tidemark-.*' with a higher epoch '5'.*stop that reader, or give each query a consumer group/s
        )
        expect(logged).toEqual([expect.stringContaining("owner level 5, which is above 1: this one is refused")])
      })
    ))

  it("by as many readers as there may be is told, with their names", () =>
    inScope((logged) =>
      Effect.gen(function* () {
        const service = yield* filled
        for (let i = 0; i < 5; i++) yield* reads(service)
        const sixth = causeOf(yield* Effect.exit(reads(service)))
        expect(sixth).toMatch(
          /partition 0.*List of connected receivers - tidemark-.*the consumer group readers has as/s
        )
        expect(logged).toEqual([])
        yield* reads(service, 1)
        expect(logged).toEqual([expect.stringMatching(/by as many readers as there may be, .*tidemark-/)])
      })
    ))

  it("keeps a reader without an owner level out, and says by whom", () =>
    inScope((logged) =>
      Effect.gen(function* () {
        const service = yield* filled
        yield* reads(service, 7)
        expect(causeOf(yield* Effect.exit(reads(service)))).toMatch(
          /partition 0.*created with epoch of '7'.*another reader of the consumer group readers has an owner level/s
        )
        expect(logged).toEqual([])
      })
    ))

  it("by a few readers without an owner level cannot be seen", () =>
    inScope((logged) =>
      Effect.gen(function* () {
        const service = yield* filled
        yield* reads(service)
        yield* reads(service, 1)
        expect(logged).toEqual([])
      })
    ))

  it("is seen in a partition without events too", () =>
    inScope((logged) =>
      Effect.gen(function* () {
        const service = yield* serviceWith(1)
        const first = yield* opened(service, 3)
        while (service.stats().openReaders > 0) yield* Effect.sleep("10 millis")
        yield* Effect.forkScoped(Effect.exit(first.pull(demand(1))))
        while (service.stats().openReaders === 0) yield* Effect.sleep("10 millis")
        yield* opened(service, 3)
        expect(logged).toEqual([expect.stringContaining("owner level 3, which is sent away now")])
      })
    ))
})
