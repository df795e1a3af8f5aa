/** `npm run -s check:rescale`: parallelism 1, 3, 2 over restarts; see `rescaleTest.ts`. One line of JSON, exit code 1 when not ok. */
import { common, conclude, numbers, worldOf } from "./arguments.ts"
import { rescaleTest } from "./rescaleTest.ts"
import { inWorld } from "./world.ts"

const options = numbers({ ...common, histories: 20 })
conclude(await inWorld(worldOf(options), (world) => rescaleTest(world, options)))
