import { defineConfig } from "vitest/config"
import { LongestFirst } from "./scripts/longest-first.ts"
import { closingLine } from "./scripts/require-all.ts"

const requireAll = process.env.TIDEMARK_REQUIRE_ALL === "1"

/** Tests read `tidemark` from src by the condition that package.json names, so no build comes first; the others are Vite's own. */
const conditions = ["tidemark-source", "module", "node", "development|production"]

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["test/**/*.test.ts", "property-tests/**/*.test.ts"],
    // Simulated histories make much garbage that dies young.
    execArgv: ["--conditions=tidemark-source", "--min-semi-space-size=32", "--max-semi-space-size=64"],
    maxWorkers: "100%",
    sequence: { sequencer: LongestFirst },
    testTimeout: 120_000,
    hookTimeout: 60_000,
    allowOnly: !requireAll && process.env.CI !== "true",
    reporters: ["default", closingLine(requireAll)]
  }
})
