/** Questions to a namespace keep to its pace, whoever asks. */
import { Clock, Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import { describe, expect, it } from "vitest"
import { inTurn, makeTurns } from "../../src/connectors/eventhubs/rateLimit.ts"

/** What the service allows. */
const perSecondMax = 50

/** Asks of several clients, and when each question went out, ms. */
const world = Effect.gen(function* () {
  const turns = makeTurns()
  const clock = yield* Clock.Clock
  const scope = yield* Effect.scope
  const asked: Array<{ readonly about: string; readonly atMs: number }> = []
  const client = (namespace: string) =>
    inTurn(
      turns(namespace),
      (about) =>
        Effect.sync(() => {
          asked.push({ about, atMs: clock.currentTimeMillisUnsafe() })
          return asked.length
        }),
      scope
    )
  return { asked, client }
})

const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.scoped(Effect.provide(effect, TestClock.layer())))

const mostInASecond = (asked: ReadonlyArray<{ readonly atMs: number }>): number =>
  Math.max(...asked.map(({ atMs }) => asked.filter((q) => q.atMs >= atMs && q.atMs < atMs + 1_000).length))

describe("questions to a namespace", () => {
  it("of 3 hubs with 100 partitions each, asked again and again, are 50 a second at most, and all have their turn", () =>
    run(
      Effect.gen(function* () {
        const { asked, client } = yield* world
        for (const hub of ["a", "b", "c"]) {
          const ask = client("sb://name.servicebus.windows.net")
          for (let p = 0; p < 100; p++) {
            const watch = Effect.forever(Effect.andThen(ask(`${hub}/${p}`), Effect.sleep("1 second")))
            yield* Effect.forkScoped(watch)
          }
        }
        yield* TestClock.adjust("20 seconds")
        expect(mostInASecond(asked)).toBeLessThanOrEqual(perSecondMax)
        expect(asked.length).toBeGreaterThan(20 * 35)
        expect(new Set(asked.map(({ about }) => about)).size).toBe(300)
      })
    ))

  it("of two namespaces do not wait for each other", () =>
    run(
      Effect.gen(function* () {
        const { asked, client } = yield* world
        const ask = [client("sb://one"), client("sb://other"), client("sb://ONE")]
        for (const each of ask) yield* Effect.forkScoped(each("0"))
        yield* TestClock.adjust("1 second")
        expect(asked.map(({ atMs }) => atMs).sort((a, b) => a - b)).toEqual([0, 0, 25])
      })
    ))

  it("that are the same, and still wait for their turn, are one", () =>
    run(
      Effect.gen(function* () {
        const { asked, client } = yield* world
        const ask = client("sb://one")
        yield* ask("first")
        const both = yield* Effect.forkScoped(Effect.all([ask("0"), ask("0"), ask("1")], { concurrency: "unbounded" }))
        yield* TestClock.adjust("1 second")
        expect(yield* Fiber.join(both)).toEqual([2, 2, 3])
        expect(yield* Effect.andThen(TestClock.adjust("1 second"), ask("0"))).toBe(4)
        expect(asked.map(({ about }) => about)).toEqual(["first", "0", "1", "0"])
      })
    ))

  it("are answered for those that wait on, when one that asked the same goes away", () =>
    run(
      Effect.gen(function* () {
        const { client } = yield* world
        const ask = client("sb://one")
        yield* ask("first")
        const gone = yield* Effect.forkScoped(ask("0"))
        const waiting = yield* Effect.forkScoped(ask("0"))
        yield* Effect.yieldNow
        yield* Fiber.interrupt(gone)
        yield* TestClock.adjust("1 second")
        expect(yield* Fiber.join(waiting)).toBe(2)
      })
    ))

  it("end with their client", () =>
    run(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const ask = inTurn(makeTurns()("sb://one"), () => Effect.never, scope)
        const asking = yield* Effect.forkScoped(ask("0"))
        yield* Effect.yieldNow
        yield* Scope.close(scope, Exit.void)
        expect(Exit.isFailure(yield* Fiber.await(asking))).toBe(true)
      })
    ))
})
