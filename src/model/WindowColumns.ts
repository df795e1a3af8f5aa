/** The columns that a window adds to its key's: epoch milliseconds, [start, end). In rows, plans and terminals alike. */

/** Their names, in their order. */
export const windowColumns = ["window_start", "window_end"] as const
