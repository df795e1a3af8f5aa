/**
 * `npm run -s check:fence`: two processes on one checkpoint, 50 times (`fenceTest.ts`), then restarts, rolling changes and
 * containers (`handoverTest.ts`). A line of JSON for each, exit code 1 when one is not ok.
 */
import { common, conclude, numbers, worldOf } from "./arguments.ts"
import { fenceTest } from "./fenceTest.ts"
import { handoverTest } from "./handoverTest.ts"
import { inWorld } from "./world.ts"

const options = numbers({ ...common, freezes: 50, restarts: 10, rollings: 10, containers: 3 })
conclude(
  await inWorld(worldOf(options), async (world) => {
    const fence = await fenceTest(world, options)
    const handover = await handoverTest(world, options)
    return { ok: fence.ok && handover.ok, fence, handover }
  })
)
