/**
 * The contract of one container of Azure Blob storage: the few requests that a store is made of, and how they fail.
 *
 * Narrow on purpose, so that everything else of this connector knows no SDK. Each call is one request, never tried again
 * by itself; it rejects with a {@link BlobFault} and with nothing else. A call that is aborted may still take effect.
 */
import * as Data from "effect/Data"

/** What made a request fail: the service refused, no reply came, nobody would sign it, or the SDK is not installed. */
export type BlobFaultKind = "service" | "network" | "credential" | "sdk"

/** A request failed. It holds no secret, and nothing of the request: it may be logged. */
export class BlobFault extends Data.TaggedError("BlobFault")<{
  readonly kind: BlobFaultKind
  /** Of the reply, where one came. */
  readonly status?: number
  /** The service's code (`ContainerNotFound`), or the system's (`ECONNREFUSED`). */
  readonly code: string
  /** One line, in the words of whoever refused. */
  readonly message: string
  /** What the service's support asks for. */
  readonly requestId?: string
  /** How long the service asks to be left alone. */
  readonly retryAfterMs?: number
}> {}

/** Small facts that stand beside a blob's bytes; names in lower case. */
export type BlobMetadata = { readonly [name: string]: string }

/** How a blob is written. */
export interface Upload {
  /** Only where nothing stands under the name. */
  readonly ifAbsent: boolean
  readonly metadata?: BlobMetadata
  /** Of the bytes; the service refuses others. */
  readonly md5?: Uint8Array
}

/** A blob whose reply has begun. */
export interface Download {
  readonly bytes: number
  readonly metadata: BlobMetadata
  /** All the bytes; the array is the caller's. */
  readonly read: (signal: AbortSignal) => Promise<Uint8Array>
  /** Lets go of what was not read; may be called again. */
  readonly close: () => void
}

/** One page of a listing. */
export interface BlobPage {
  readonly names: ReadonlyArray<string>
  /** Where the next page begins; none: this was the last. A page may be short, or empty, and not the last. */
  readonly marker: string | undefined
}

/** One container, by the full names of its blobs. */
export interface BlobContainer {
  readonly upload: (name: string, bytes: Uint8Array, how: Upload, signal: AbortSignal) => Promise<void>
  readonly download: (name: string, signal: AbortSignal) => Promise<Download>
  readonly metadata: (name: string, signal: AbortSignal) => Promise<BlobMetadata>
  readonly setMetadata: (name: string, metadata: BlobMetadata, signal: AbortSignal) => Promise<void>
  readonly list: (
    prefix: string,
    namesMax: number,
    marker: string | undefined,
    signal: AbortSignal
  ) => Promise<BlobPage>
  /** With its snapshots. */
  readonly delete: (name: string, signal: AbortSignal) => Promise<void>
}
