/**
 * The coordinator's mailbox: what tasks, readers, clocks and the handle of a query tell it.
 *
 * It is bounded, though nobody waits to put something in. What only says that time has passed waits in it once of a kind:
 * a commit may take an hour. The rest is said a bounded number of times: between two barriers each task reports once, and
 * the budget of an epoch is spent once; in an attempt each sink ends once, each reader completes once, and a drain is asked
 * for once; each source has one partition waiting to join.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type { Report } from "./Task.ts"
import type { SinkStage } from "./Topology.ts"

/** What the coordinator hears. */
export type CoordinatorEvent =
  | { readonly tag: "report"; readonly report: Report }
  | { readonly tag: "ended"; readonly stage: SinkStage }
  | { readonly tag: "due" }
  /** Time has passed: what had to wait is looked at again. */
  | { readonly tag: "look" }
  /** The budget of the epoch is spent: the next one starts at once (A5). */
  | { readonly tag: "spent" }
  /** A reader has read all that was available when it began. */
  | { readonly tag: "completed" }
  | { readonly tag: "drain" }
  | { readonly tag: "partition"; readonly join: Effect.Effect<void> }

/** A mailbox with one reader. */
export class Mailbox {
  readonly #queue: Queue.Queue<CoordinatorEvent>
  readonly #times = new Set<"due" | "look">()

  private constructor(queue: Queue.Queue<CoordinatorEvent>) {
    this.#queue = queue
  }

  /** An empty one. */
  static readonly make: Effect.Effect<Mailbox> = Effect.map(
    Queue.unbounded<CoordinatorEvent>(),
    (queue) => new Mailbox(queue)
  )

  /** Puts an event in; a `due` or `look` only where none waits. */
  offer(event: CoordinatorEvent): void {
    if (event.tag === "due" || event.tag === "look") {
      if (this.#times.has(event.tag)) return
      this.#times.add(event.tag)
    }
    Queue.offerUnsafe(this.#queue, event)
  }

  /** The oldest event; waits for one. */
  readonly take: Effect.Effect<CoordinatorEvent> = Effect.suspend(() =>
    Effect.map(Queue.take(this.#queue), (event) => {
      if (event.tag === "due" || event.tag === "look") this.#times.delete(event.tag)
      return event
    })
  )

  /** Events that wait. */
  get waiting(): number {
    return Queue.sizeUnsafe(this.#queue)
  }
}
