/** Histories of random queries on bounded input under the simulator: see `histories.test.ts`. */
import { describe } from "vitest"
import { holds } from "./histories/testing.ts"

describe("C1-C12, L1-L4, T2, A4: whatever goes wrong, the results are exactly the oracle's", () => {
  holds("job", 20_261_131, 3_750)
})
