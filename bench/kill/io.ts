/**
 * `npm run -s check:io -- --rounds 30`: calls to the file system fail; see `ioTest.ts`. Needs Linux and gcc. One line of
 * JSON, exit code 1 when not ok.
 */
import { common, conclude, numbers, worldOf } from "./arguments.ts"
import { canInject, ioTest } from "./ioTest.ts"
import { inWorld } from "./world.ts"

const options = numbers({ ...common, rounds: 30 })
if (canInject()) conclude(await inWorld(worldOf(options), (world) => ioTest(world, options)))
else {
  console.error("check:io compiles a small library, which takes gcc on Linux: nothing was checked")
  conclude({ ok: false, skipped: true })
}
