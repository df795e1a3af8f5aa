/**
 * `npm run -s kill-test -- --kills 2000`: see `killTest.ts`. Says on stderr how it goes, and ends with one line of JSON:
 * kills, hits by failpoint, rows lost and duplicated. Exits 1 when anything is wrong, or a failpoint was hit too seldom;
 * the folder of a wrong history, with what was done to it, is kept. `--input eventhubs`: the job reads from an event hub, which
 * an embedded service serves in a process of its own.
 */
import { common, conclude, numbers, word, worldOf } from "./arguments.ts"
import { killTest } from "./killTest.ts"
import { inWorld } from "./world.ts"

const input = word("input", ["files", "eventhubs"])
const { "hits-min": hitsMin, ...options } = numbers({ ...common, kills: 2000, "hits-min": 10 })
conclude(await inWorld({ ...worldOf(options), input }, (world) => killTest(world, { ...options, hitsMin })))
