/**
 * Compression by Node's own zlib. An edge: it calls into Node; what it makes depends on its input alone.
 *
 * Compression runs on Node's thread pool, so that the event loop is free meanwhile; in the simulator, which knows no other
 * threads, at once.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Zlib from "node:zlib"

const fastest = { params: { [Zlib.constants.ZSTD_c_compressionLevel]: 1 } }

type Done = (error: Error | null, out: Uint8Array) => void

const asEffect = (run: (done: Done) => void): Effect.Effect<Uint8Array, Error> =>
  Effect.callback<Uint8Array, Error>((resume) => {
    run((error, out) => resume(error === null ? Effect.succeed(out) : Effect.fail(error)))
  })

/** Where compression runs. A reference, for the simulator to set. */
export const CompressionThread: Context.Reference<"pool" | "here"> = Context.Reference<"pool" | "here">(
  "tidemark/CompressionThread",
  { defaultValue: () => "pool" }
)

const onThread = (pooled: (done: Done) => void, here: () => Uint8Array): Effect.Effect<Uint8Array, Error> =>
  Effect.flatMap(CompressionThread, (thread) =>
    thread === "pool" ? asEffect(pooled) : Effect.try({ try: here, catch: (e) => e as Error })
  )

/** Zstandard at its fastest level. */
export const compress = (bytes: Uint8Array): Effect.Effect<Uint8Array, Error> =>
  onThread(
    (done) => Zlib.zstdCompress(bytes, fastest, done),
    () => Zlib.zstdCompressSync(bytes, fastest)
  )

/** The bytes that {@link compress} was given; fails when they are damaged, or more than `max`. */
export const decompress = (bytes: Uint8Array, max: number): Effect.Effect<Uint8Array, Error> =>
  onThread(
    (done) => Zlib.zstdDecompress(bytes, { maxOutputLength: max }, done),
    () => Zlib.zstdDecompressSync(bytes, { maxOutputLength: max })
  )
