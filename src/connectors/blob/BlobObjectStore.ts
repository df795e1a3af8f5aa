/**
 * An object store in a container of Azure Blob storage, or of Azurite: every object is a block blob below a folder.
 *
 * Each call is one request while nothing goes wrong (rule C5b), a listing one for each page that it needs; requests that
 * fail in passing are made again, a few times. Durable and replicated when a call returns, as the account is (rule C6).
 * The service lists in the order of names; other people's blobs are passed over. The container has to be there.
 *
 * In accounts with a hierarchical namespace folders are blobs too: they are no objects here, and an object and a folder
 * cannot have one name.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { StoreError } from "../../model/Errors.ts"
import { Limits } from "../../model/Limits.ts"
import { isObjectName, type ObjectStore } from "../../model/ObjectStore.ts"
import { type Access, accessOf, type BlobAccess } from "./access.ts"
import { adviceOn } from "./advice.ts"
import { patient, patienceMs, request } from "./attempts.ts"
import { azureContainer } from "./azureContainer.ts"
import type { BlobContainer, BlobFault } from "./BlobContainer.ts"
import { type BlobLocation, parseLocation } from "./location.ts"
import { md5Of } from "./md5.ts"
import { putIfAbsent } from "./putIfAbsent.ts"

type Operation = StoreError["operation"]

/** Options of {@link store}. */
export interface BlobStoreOptions extends BlobAccess {
  /** For errors; default `blob https://ACCOUNT.blob.core.windows.net/CONTAINER/FOLDER`. */
  readonly name?: string
}

/** What every store here says of itself. */
const character = {
  replicated: true,
  billed: true,
  heartbeatMs: Limits.blobHeartbeatMs,
  epochIntervalMs: Limits.blobEpochIntervalMs
}

/** A folder of a data lake, which a container shows as a blob without bytes. */
const isFolder = (metadata: { readonly [name: string]: string }): boolean => metadata["hdi_isfolder"] === "true"

/** A reply that says that no such blob is there; that the container is missing is another thing. */
const isAbsent = (fault: BlobFault): boolean => fault.status === 404 && fault.code !== "ContainerNotFound"

/** Whether the service would keep the name as it is: it drops dots at the end of a segment. */
const isBlobName = (name: string): boolean => isObjectName(name) && !/\.(\/|$)/.test(name)

const get = (container: BlobContainer, name: string): Effect.Effect<Option.Option<Uint8Array>, BlobFault> =>
  patient(
    Effect.scoped(
      Effect.gen(function* () {
        const reply = yield* Effect.acquireRelease(
          request(patienceMs(0), (signal) => container.download(name, signal)),
          ({ close }) => Effect.sync(close),
          { interruptible: true }
        )
        if (isFolder(reply.metadata)) return Option.none()
        return Option.some(yield* request(patienceMs(reply.bytes), reply.read))
      })
    )
  ).pipe(Effect.catchIf(isAbsent, () => Effect.succeedNone))

const put = (container: BlobContainer, name: string, bytes: Uint8Array): Effect.Effect<void, BlobFault> =>
  Effect.flatMap(md5Of(bytes), (md5) => {
    const how = { ifAbsent: false, ...(md5 === undefined ? {} : { md5 }) }
    return patient(request(patienceMs(bytes.length), (signal) => container.upload(name, bytes, how, signal)))
  })

const remove = (container: BlobContainer, name: string): Effect.Effect<void, BlobFault> =>
  Effect.catchIf(
    patient(request(patienceMs(0), (signal) => container.delete(name, signal))),
    isAbsent,
    () => Effect.void
  )

/** Page by page until there are enough; a page may hold fewer names than it was asked for, and not be the last. */
const list = (
  container: BlobContainer,
  below: string,
  prefix: string,
  limit: number
): Effect.Effect<ReadonlyArray<string>, BlobFault> =>
  Effect.gen(function* () {
    const names: Array<string> = []
    let marker: string | undefined
    while (names.length < limit) {
      const namesMax = Math.min(limit - names.length, Limits.blobPageNamesMax)
      const from = marker
      const page = yield* patient(
        request(patienceMs(0), (signal) => container.list(below + prefix, namesMax, from, signal))
      )
      for (const name of page.names) {
        const object = name.slice(below.length)
        if (isBlobName(object) && names.length < limit) names.push(object)
      }
      marker = page.marker
      if (marker === undefined) break
    }
    return names
  })

/** A store on a container, whoever stands behind it. */
export const storeOn = (
  container: BlobContainer,
  location: BlobLocation,
  kind: Access["kind"],
  name = `blob ${location.url}`
): ObjectStore => {
  const failed = (operation: Operation, object: string, why: string, cause?: unknown): StoreError =>
    new StoreError({
      store: name,
      name: object,
      operation,
      message: `${name}: ${operation} ${JSON.stringify(object)}: ${why}`,
      ...(cause === undefined ? {} : { cause })
    })
  const told =
    (operation: Operation, object: string) =>
    <A>(call: Effect.Effect<A, BlobFault>): Effect.Effect<A, StoreError> =>
      Effect.mapError(call, (fault) => failed(operation, object, adviceOn(fault, location, kind), fault))
  const run = <A>(
    operation: Operation,
    object: string,
    use: (blob: string) => Effect.Effect<A, BlobFault>
  ): Effect.Effect<A, StoreError> =>
    isBlobName(object)
      ? told(operation, object)(Effect.suspend(() => use(location.prefix + object)))
      : Effect.fail(
          failed(
            operation,
            object,
            "not a name for an object in Blob storage (segments of A-Z a-z 0-9 . _ = - with slashes between, none beginning or ending with a dot)"
          )
        )
  const fits = (operation: Operation, object: string, bytes: Uint8Array): Effect.Effect<void, StoreError> =>
    bytes.length <= Limits.blobBytesMax
      ? Effect.void
      : Effect.fail(
          failed(
            operation,
            object,
            `${bytes.length} bytes are more than the service takes at once: let state end sooner`
          )
        )
  return {
    name,
    ...character,
    get: (object) => run("get", object, (blob) => get(container, blob)),
    put: (object, bytes) =>
      Effect.andThen(
        fits("put", object, bytes),
        run("put", object, (blob) => put(container, blob, bytes))
      ),
    putIfAbsent: (object, bytes) =>
      Effect.andThen(
        fits("putIfAbsent", object, bytes),
        run("putIfAbsent", object, (blob) =>
          Effect.flatMap(md5Of(bytes), (md5) => putIfAbsent(container, blob, bytes, md5))
        )
      ),
    list: (prefix, limit) =>
      // A name could begin with it, or nothing could.
      /^[A-Za-z0-9._=/-]*$/.test(prefix)
        ? told("list", prefix)(list(container, location.prefix, prefix, limit))
        : Effect.succeed([]),
    delete: (object) => run("delete", object, (blob) => remove(container, blob))
  }
}

/** A store whose path or options are wrong: every call says so. */
const refusing = (name: string, why: string): ObjectStore => {
  const refuse =
    (operation: Operation) =>
    (object: string): Effect.Effect<never, StoreError> =>
      Effect.fail(new StoreError({ store: name, name: object, operation, message: `${name}: ${why}` }))
  return {
    name,
    ...character,
    get: refuse("get"),
    put: refuse("put"),
    putIfAbsent: refuse("putIfAbsent"),
    list: refuse("list"),
    delete: refuse("delete")
  }
}

/** A path for errors: without a query or a user's part, which may be secrets. */
const shown = (path: string): string => path.replace(/[?#].*$/s, "?...").replace(/^(https?:\/\/)[^/]*@/, "$1...@")

/**
 * An object store below a path: `https://ACCOUNT.blob.core.windows.net/CONTAINER/FOLDER`,
 * `abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/FOLDER`, or Azurite's `http://127.0.0.1:PORT/devstoreaccount1/CONTAINER`.
 * A path or options that are wrong are told by the first call. Needs `@azure/storage-blob`, and `@azure/identity` where no
 * option says how to sign in.
 */
export const store = (path: string, options: BlobStoreOptions = {}): ObjectStore => {
  const parsed = parseLocation(path)
  if (parsed.tag === "problem") return refusing(options.name ?? `blob ${shown(path)}`, parsed.why)
  const { location } = parsed
  const access = accessOf(options, location)
  if (typeof access === "string") return refusing(options.name ?? `blob ${location.url}`, access)
  return storeOn(azureContainer(location, access), location, access.kind, options.name)
}
