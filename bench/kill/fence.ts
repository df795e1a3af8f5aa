/**
 * `npm run -s check:fence`: two processes on one checkpoint, 50 times (`fenceTest.ts`), then restarts, rolling changes and
 * containers (`handoverTest.ts`). A line of JSON for each, exit code 1 when one is not ok.
 */
import { common, conclude, numbers, say } from "./arguments.ts"
import { fenceTest } from "./fenceTest.ts"
import { handoverTest } from "./handoverTest.ts"

const { pace, freezes, restarts, rollings, containers, ...rest } = numbers({
  ...common,
  freezes: 50,
  restarts: 10,
  rollings: 10,
  containers: 3
})
const world = { ...rest, paceMs: pace, say }
const fence = await fenceTest({ ...world, freezes })
const handover = await handoverTest({ ...world, restarts, rollings, containers })
conclude({ ok: fence.ok && handover.ok, fence, handover })
