/**
 * `npm run -s check:disk`: the disk of the checkpoint is full for a while; see `diskTest.ts`. Needs root on Linux, to mount a
 * small file system. One line of JSON, exit code 1 when not ok.
 */
import { common, conclude, numbers, say } from "./arguments.ts"
import { canMount, diskTest } from "./diskTest.ts"

const { pace, rounds, seed, flights } = numbers({ ...common, rounds: 5 })
if (canMount()) conclude(await diskTest({ rounds, seed, flights, paceMs: pace, say }))
else {
  say("check:disk mounts a small file system, which takes root on Linux: nothing was checked")
  conclude({ ok: false, skipped: true })
}
