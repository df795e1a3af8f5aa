/**
 * `npm run -s check:disk`: the disk of the checkpoint is full for a while; see `diskTest.ts`. Needs root on Linux, to mount a
 * small file system. One line of JSON, exit code 1 when not ok.
 */
import { common, conclude, numbers, worldOf } from "./arguments.ts"
import { canMount, diskTest } from "./diskTest.ts"
import { inWorld } from "./world.ts"

const options = numbers({ ...common, rounds: 5 })
if (canMount()) conclude(await inWorld(worldOf(options), (world) => diskTest(world, options)))
else {
  console.error("check:disk mounts a small file system, which takes root on Linux: nothing was checked")
  conclude({ ok: false, skipped: true })
}
