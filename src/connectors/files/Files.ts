/** Files: `Files.source({ path, format })`, `Files.jsonLines(folder)`, `Files.csv(folder)`, `Files.store(folder)`. */
export type { Compression } from "./byteStream.ts"
export type { FileMeta } from "./fileCursor.ts"
export { type FileObjectStoreOptions, store } from "./FileObjectStore.ts"
export { csv, type FilesSinkOptions, jsonLines } from "./FileSink.ts"
export { type FilesSourceOptions, source } from "./FileSource.ts"
export { FileSystem } from "./FileSystem.ts"
