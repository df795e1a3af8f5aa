import { defineConfig } from "vitest/config"

export default defineConfig({
  resolve: { conditions: ["tidemark-source"] },
  ssr: { resolve: { conditions: ["tidemark-source"] } },
  test: { include: ["test/**/*.test.ts", "property-tests/**/*.test.ts"], testTimeout: 30_000 }
})
