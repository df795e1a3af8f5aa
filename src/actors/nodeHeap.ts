/** How much memory this Node process may use for JavaScript values. */
import { getHeapStatistics } from "node:v8"

/** V8's limit of its heap, bytes: what `--max-old-space-size` says, or what V8 chose by the machine's memory. */
export const nodeHeapLimitBytes = (): number => getHeapStatistics().heap_size_limit
