/** `npm run -s check:rescale`: parallelism 1, 3, 2 over restarts; see `rescaleTest.ts`. One line of JSON, exit code 1 when not ok. */
import { common, conclude, numbers, say } from "./arguments.ts"
import { rescaleTest } from "./rescaleTest.ts"

const { pace, ...rest } = numbers({ ...common, histories: 20 })
conclude(await rescaleTest({ ...rest, paceMs: pace, say }))
