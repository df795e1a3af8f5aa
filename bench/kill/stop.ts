/** `npm run -s check:stop`: SIGTERM at 200 random moments; see `stopTest.ts`. One line of JSON, exit code 1 when not ok. */
import { common, conclude, numbers, worldOf } from "./arguments.ts"
import { stopTest } from "./stopTest.ts"
import { inWorld } from "./world.ts"

const options = numbers({ ...common, stops: 200 })
conclude(await inWorld(worldOf(options), (world) => stopTest(world, options)))
