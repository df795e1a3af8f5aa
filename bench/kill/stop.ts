/** `npm run -s check:stop`: SIGTERM at 200 random moments; see `stopTest.ts`. One line of JSON, exit code 1 when not ok. */
import { common, conclude, numbers, say } from "./arguments.ts"
import { stopTest } from "./stopTest.ts"

const { pace, ...rest } = numbers({ ...common, stops: 200 })
conclude(await stopTest({ ...rest, paceMs: pace, say }))
