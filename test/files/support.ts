/** What the tests of the files connector share: a real file system that counts what is open, and a folder for a while. */
import { Effect } from "effect"
import { nodeFileSystem } from "../../src/connectors/files/nodeFileSystem.ts"
import type { FileSystem } from "../../src/model/FileSystem.ts"

/** The real file system, and how many of its files are open. */
export const countingFileSystem = (): { readonly fs: FileSystem; readonly open: () => number } => {
  let open = 0
  const fs: FileSystem = {
    ...nodeFileSystem,
    open: (path, mode) =>
      Effect.map(nodeFileSystem.open(path, mode), (file) => {
        open++
        let closed = false
        return {
          ...file,
          close: Effect.andThen(
            file.close,
            Effect.sync(() => {
              if (!closed) open--
              closed = true
            })
          )
        }
      })
  }
  return { fs, open: () => open }
}
