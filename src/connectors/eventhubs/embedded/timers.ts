/** Later turns of the event loop: the one file of the service that sets timers. */

/** When things happen. */
export interface Timers {
  /** Calls back once what is at hand has been done, and sockets had their turn. */
  readonly soon: (run: () => void) => void
  /** Calls back after so many ms; returns what calls it off. Does not keep the process. */
  readonly later: (ms: number, run: () => void) => () => void
}

/** Node's. */
export const nodeTimers: Timers = {
  soon: (run) => {
    setImmediate(run)
  },
  later: (ms, run) => {
    const timer = setTimeout(run, ms).unref()
    return () => clearTimeout(timer)
  }
}
