/**
 * A container by Azure's own SDK: the edge of this connector, the one file that knows `@azure/storage-blob`.
 *
 * The SDK is loaded when the first request is made, and tries nothing again: how often, and what a lost reply means, is
 * decided in `attempts.ts`. Faults carry nothing of the request, which has signatures and tokens in its headers.
 */
import type { BlobDownloadResponseParsed, ContainerClient, ContainerClientOptions } from "@azure/storage-blob"
import * as Redacted from "effect/Redacted"
import type { Access } from "./access.ts"
import { type BlobContainer, BlobFault, type BlobMetadata, type BlobPage, type Download } from "./BlobContainer.ts"
import type { BlobLocation } from "./location.ts"

/** Characters of a message that are kept. */
const messageCharactersMax = 300

const firstLine = (text: string): string => (text.split("\n")[0] ?? "").trim().slice(0, messageCharactersMax)

/** What is read of an error, whoever made it. */
interface Thrown {
  readonly name?: unknown
  readonly code?: unknown
  readonly message?: unknown
  readonly statusCode?: unknown
  readonly details?: { readonly errorCode?: unknown }
  readonly response?: { readonly headers: { readonly get: (name: string) => string | undefined } }
}

const textOr = (value: unknown, other: string): string => (typeof value === "string" && value !== "" ? value : other)

const retryAfterOf = (value: string | undefined): number | undefined =>
  value !== undefined && /^\d{1,5}$/.test(value) ? Number(value) * 1000 : undefined

/** What was thrown, as a fault without secrets. */
const faultOf = (thrown: unknown): BlobFault => {
  if (thrown instanceof BlobFault) return thrown
  const error = (typeof thrown === "object" && thrown !== null ? thrown : {}) as Thrown
  const name = textOr(error.name, "Error")
  const message = firstLine(textOr(error.message, String(thrown)))
  if (/Credential|Authentication/.test(name)) return new BlobFault({ kind: "credential", code: name, message })
  if (typeof error.statusCode !== "number") {
    return new BlobFault({ kind: "network", code: textOr(error.code, name), message })
  }
  const header = (of: string): string | undefined => error.response?.headers.get(of)
  const code = textOr(header("x-ms-error-code"), textOr(error.details?.errorCode, textOr(error.code, "")))
  const requestId = header("x-ms-request-id")
  const retryAfterMs = retryAfterOf(header("retry-after"))
  return new BlobFault({
    kind: "service",
    status: error.statusCode,
    code: code === "" ? `HTTP ${error.statusCode}` : code,
    message,
    ...(requestId === undefined ? {} : { requestId }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs })
  })
}

/** Imports an optional peer; whoever did not install it is told to. */
const peer = async <A>(name: string, load: () => Promise<A>): Promise<A> => {
  try {
    return await load()
  } catch (error) {
    const { code, message } = (typeof error === "object" && error !== null ? error : {}) as Thrown
    throw new BlobFault({
      kind: "sdk",
      code: textOr(code, "Error"),
      message: `${name}: ${firstLine(textOr(message, ""))}`
    })
  }
}

const clientOf = async (location: BlobLocation, access: Access): Promise<ContainerClient> => {
  const sdk = await peer("@azure/storage-blob", () => import("@azure/storage-blob"))
  const url = `${location.endpoint}/${encodeURIComponent(location.container)}`
  const options: ContainerClientOptions = {
    retryOptions: { maxTries: 1 },
    userAgentOptions: { userAgentPrefix: "tidemark" }
  }
  switch (access.kind) {
    case "key": {
      const key = new sdk.StorageSharedKeyCredential(access.account, Redacted.value(access.key))
      return new sdk.ContainerClient(url, key, options)
    }
    case "sas":
      return new sdk.ContainerClient(`${url}?${Redacted.value(access.token)}`, undefined, options)
    case "credential":
      return new sdk.ContainerClient(url, access.credential, options)
    case "default": {
      const identity = await peer("@azure/identity", () => import("@azure/identity"))
      return new sdk.ContainerClient(url, new identity.DefaultAzureCredential(), options)
    }
  }
}

/** The bytes of a reply that has begun. */
const downloadOf = (reply: BlobDownloadResponseParsed): Download => {
  const body = reply.readableStreamBody as (NodeJS.ReadableStream & { readonly destroy?: () => void }) | undefined
  const bytes = reply.contentLength ?? 0
  const close = (): void => body?.destroy?.()
  // Whoever lets go of a stream hears no more of it.
  body?.on("error", () => undefined)
  return {
    bytes,
    metadata: reply.metadata ?? {},
    close,
    read: async (signal) => {
      signal.addEventListener("abort", close, { once: true })
      const all = new Uint8Array(bytes)
      let at = 0
      for await (const piece of (body ?? []) as AsyncIterable<Uint8Array>) {
        if (at + piece.length <= bytes) all.set(piece, at)
        at += piece.length
      }
      if (at === bytes) return all
      throw new BlobFault({ kind: "network", code: "CUT", message: `${at} of ${bytes} bytes came` })
    }
  }
}

const pageOf = async (
  client: ContainerClient,
  prefix: string,
  maxPageSize: number,
  continuationToken: string | undefined,
  abortSignal: AbortSignal
): Promise<BlobPage> => {
  const pages = client
    .listBlobsFlat({ prefix, abortSignal })
    .byPage({ maxPageSize, ...(continuationToken === undefined ? {} : { continuationToken }) })
  for await (const page of pages) {
    const { continuationToken: next } = page
    return {
      names: page.segment.blobItems.map((item) => item.name),
      marker: next === undefined || next === "" ? undefined : next
    }
  }
  return { names: [], marker: undefined }
}

/** The container at a location. Nothing is loaded or asked before the first call. */
export const azureContainer = (location: BlobLocation, access: Access): BlobContainer => {
  let made: Promise<ContainerClient> | undefined
  const call = async <A>(use: (client: ContainerClient) => Promise<A>): Promise<A> => {
    try {
      made ??= clientOf(location, access)
      const client = await made.catch((error: unknown) => {
        made = undefined
        throw error
      })
      return await use(client)
    } catch (error) {
      throw faultOf(error)
    }
  }
  return {
    upload: (name, bytes, { ifAbsent, metadata, md5 }, abortSignal) =>
      call(async (client) => {
        await client
          .getBlockBlobClient(name)
          .upload(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), bytes.byteLength, {
            abortSignal,
            ...(ifAbsent ? { conditions: { ifNoneMatch: "*" } } : {}),
            ...(metadata === undefined ? {} : { metadata: { ...metadata } }),
            ...(md5 === undefined ? {} : { transactionalContentMD5: md5 })
          })
      }),
    download: (name, abortSignal) =>
      call(async (client) => {
        const reply = downloadOf(
          await client.getBlobClient(name).download(0, undefined, { abortSignal, maxRetryRequests: 0 })
        )
        return { ...reply, read: (signal) => call(() => reply.read(signal)) }
      }),
    metadata: (name, abortSignal) =>
      call(
        async (client): Promise<BlobMetadata> =>
          (await client.getBlobClient(name).getProperties({ abortSignal })).metadata ?? {}
      ),
    setMetadata: (name, metadata, abortSignal) =>
      call(async (client) => {
        await client.getBlobClient(name).setMetadata({ ...metadata }, { abortSignal })
      }),
    list: (prefix, namesMax, marker, abortSignal) =>
      call((client) => pageOf(client, prefix, namesMax, marker, abortSignal)),
    delete: (name, abortSignal) =>
      call(async (client) => {
        await client.getBlobClient(name).delete({ abortSignal, deleteSnapshots: "include" })
      })
  }
}
