/** A link to one partition of the simulated hub: what has come waits in it, and what goes wrong at an event does so here. */
import * as Effect from "effect/Effect"
import type { ClientError, ReceivedEvent, Receiver } from "../../src/connectors/eventhubs/EventHubsClient.ts"
import { failure } from "./hubFaults.ts"
import type { SimulatedHub } from "./simulatedHub.ts"

/** Of so many events one is the last of what comes together. */
const pauseOneIn = 4

/** The link; of no more use once it failed and all before was taken. */
export class SimulatedReceiver implements Receiver {
  readonly partition: number
  readonly ownerLevel: number | undefined
  readonly #hub: SimulatedHub
  readonly #prefetchEvents: number
  readonly #hasRead: (partition: number) => void
  readonly #openedMs: number
  #waiting: ReadonlyArray<ReceivedEvent> = []
  /** Index of the event that comes next. */
  readonly #first: number
  #next: number
  #failure: ClientError | undefined
  #wake: () => void = () => undefined

  constructor(
    hub: SimulatedHub,
    partition: number,
    first: number,
    ownerLevel: number | undefined,
    prefetchEvents: number,
    hasRead: (partition: number) => void
  ) {
    this.#hub = hub
    this.partition = partition
    this.ownerLevel = ownerLevel
    this.#prefetchEvents = prefetchEvents
    this.#hasRead = hasRead
    this.#first = first
    this.#next = first
    this.#openedMs = hub.nowMs
    this.#giveAgain(first)
  }

  fail(error: ClientError): void {
    this.#failure ??= error
    this.#wake()
  }

  readonly waiting = (): ReadonlyArray<ReceivedEvent> => this.#waiting

  readonly take = (n: number): void => {
    this.#waiting = this.#waiting.slice(n)
    if (n > 0) this.#hub.took(this.partition, this.#first)
  }

  readonly ready: Effect.Effect<void, ClientError> = Effect.suspend(() => {
    this.#fetch()
    if (this.#waiting.length > 0) return Effect.void
    if (this.#failure !== undefined) return Effect.fail(this.#failure)
    const { events } = this.#hub.partitions[this.partition]
    if (this.#next >= events.length) this.#hasRead(this.partition)
    return Effect.andThen(this.#changed(this.#pauseMs()), this.ready)
  })

  /** What has come by now, as far as it is sent ahead. */
  #fetch(): void {
    const hub = this.#hub
    const outage = hub.outages(this.partition).find(({ fromMs, toMs }) => fromMs <= hub.nowMs && this.#openedMs < toMs)
    if (this.#failure === undefined && outage !== undefined) {
      hub.struck(outage.fault)
      this.fail(failure("unavailable", "the connection is lost"))
    }
    const { from, to } = hub.held(this.partition)
    if (this.#next < from) this.#next = from
    while (this.#failure === undefined && this.#next < to && this.#waiting.length < this.#prefetchEvents) {
      const event = this.#next
      const drop = hub.strikes("drop", this.partition, event)
      const theft = hub.strikes("steal", this.partition, event)
      if (drop !== undefined) {
        const error = failure(drop.fault, "the link is detached")
        hub.breakLinks(drop.all ? undefined : this.partition, error)
        return this.fail(error)
      }
      if (theft !== undefined) return this.fail(hub.steal(theft))
      this.#giveAgain(event)
      this.#waiting = [...this.#waiting, hub.event(this.partition, event)]
      this.#next++
      if (hub.simulator.random.below(pauseOneIn) === 0) return
    }
  }

  /** What came before an event, once more. */
  #giveAgain(event: number): void {
    for (let back = this.#hub.givesAgain(this.partition, event); back > 0; back--)
      this.#waiting = [...this.#waiting, this.#hub.event(this.partition, event - back)]
  }

  /** Until the next event comes, or the next outage begins; none: only another reader changes anything. */
  #pauseMs(): number {
    const { nowMs, partitions } = this.#hub
    const moments = [
      ...partitions[this.partition].events.slice(this.#next, this.#next + 1).map(({ atMs }) => atMs),
      ...this.#hub.outages(this.partition).map(({ fromMs }) => fromMs)
    ]
    return Math.min(...moments.filter((at) => at > nowMs)) - nowMs
  }

  #changed(pauseMs: number): Effect.Effect<unknown> {
    const woken = Effect.callback<void>((resume) => {
      const wake = (): void => resume(Effect.void)
      this.#wake = wake
      return Effect.sync(() => {
        if (this.#wake === wake) this.#wake = () => undefined
      })
    })
    return Number.isFinite(pauseMs) ? Effect.timeoutOption(woken, pauseMs) : woken
  }
}
