import { Effect } from "effect"
import * as Memory from "../../src/connectors/memory/Memory.ts"
import { storeConformance } from "../conformance/store.ts"

storeConformance(
  "memory",
  Effect.sync(() => Memory.objectStore())
)
