/** Every planted bug, by area: each breaks a rule of docs/SEMANTICS.md or an invariant of docs/SPEC.md without a word. */
import type { Planted } from "./edit.ts"
import { ofTheChain } from "./planted/chain.ts"
import { ofEpochs } from "./planted/epochs.ts"
import { ofFiles } from "./planted/files.ts"
import { ofHubs } from "./planted/hubs.ts"
import { ofRows } from "./planted/rows.ts"
import { ofTime } from "./planted/time.ts"
import { unseen } from "./planted/unseen.ts"

/** All of them. */
export const planted: ReadonlyArray<Planted> = [
  ...ofTime,
  ...ofRows,
  ...ofEpochs,
  ...ofTheChain,
  ...ofFiles,
  ...ofHubs,
  ...unseen
]
