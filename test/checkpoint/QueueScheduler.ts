/** A scheduler of fibers that runs only when it is drained: whoever drains it decides when anything happens. */
import type { Scheduler } from "effect"

/** Fibers that run on it never yield by themselves; all of them share one queue. */
export class QueueScheduler implements Scheduler.Scheduler {
  readonly executionMode = "sync"
  readonly #tasks: Array<() => void> = []
  shouldYield(): boolean {
    return false
  }
  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return { scheduleTask: (task) => void this.#tasks.push(task), flush: () => this.drain() }
  }
  drain(): void {
    for (let task = this.#tasks.shift(); task !== undefined; task = this.#tasks.shift()) task()
  }
}
