/**
 * Positions of an event hub, published in the layout of the Event Hubs SDKs' own checkpoint store, so that their tools, and
 * consumers that are moved over, see how far a query is.
 *
 * A copy for others to read: tidemark never reads it, since a query goes on from its own checkpoint. Layout: a blob without
 * bytes, `NAMESPACE/HUB/GROUP/checkpoint/PARTITION` in lower case, at the top of the container, with `sequencenumber` and
 * `offset` of the last event that was read as its metadata.
 */
import * as Effect from "effect/Effect"
import { StoreError } from "../../model/Errors.ts"
import type { HubPosition, PublishedGroup } from "../../model/HubPositions.ts"
import { Limits } from "../../model/Limits.ts"
import { type BlobAccess, accessOf } from "./access.ts"
import { adviceOn } from "./advice.ts"
import { patient, patienceMs, request } from "./attempts.ts"
import { azureContainer } from "./azureContainer.ts"
import type { BlobContainer, BlobFault } from "./BlobContainer.ts"
import { parseLocation } from "./location.ts"

const nothing = new Uint8Array(0)

/**
 * The metadata alone is set, and the blob made where there is none yet: written anew each time it would leave a version
 * behind in accounts that keep them.
 */
const publishOne = (
  container: BlobContainer,
  name: string,
  { offset, sequenceNumber }: HubPosition
): Effect.Effect<void, BlobFault> => {
  const metadata = { sequencenumber: String(sequenceNumber), offset }
  return Effect.catchIf(
    patient(request(patienceMs(0), (signal) => container.setMetadata(name, metadata, signal))),
    (fault) => fault.code === "BlobNotFound",
    () =>
      patient(
        request(patienceMs(0), (signal) => container.upload(name, nothing, { ifAbsent: false, metadata }, signal))
      )
  )
}

/**
 * Publishes positions of a consumer group into a container, one request each (two for the first of a partition). The path
 * names a container without a folder, since that is where the SDKs look. Fails with a `StoreError` that says what to do;
 * positions that were published before it stay. The later of two calls has to begin after the earlier has ended.
 */
export const publishPositions = (
  path: string,
  access: BlobAccess = {}
): ((group: PublishedGroup, positions: ReadonlyArray<HubPosition>) => Effect.Effect<void, StoreError>) => {
  const parsed = parseLocation(path)
  const failed = (store: string, name: string, why: string, cause?: unknown): StoreError =>
    new StoreError({
      store,
      name,
      operation: "put",
      message: `${store}: ${name === "" ? "" : `${name}: `}${why}`,
      ...(cause === undefined ? {} : { cause })
    })
  const refuse = (why: string) => () => Effect.fail(failed("published positions", "", why))
  if (parsed.tag === "problem") return refuse(parsed.why)
  const { location } = parsed
  if (location.prefix !== "") {
    return refuse(
      `the SDKs look for positions at the top of a container: take the folder ${JSON.stringify(location.prefix)} off the path`
    )
  }
  const right = accessOf(access, location)
  if (typeof right === "string") return refuse(right)
  const container = azureContainer(location, right)
  return (group, positions) => {
    const folder = [group.fullyQualifiedNamespace, group.eventHub, group.consumerGroup].join("/").toLowerCase()
    return Effect.forEach(
      positions,
      (position) => {
        const name = `${folder}/checkpoint/${position.partitionId}`
        return Effect.mapError(publishOne(container, name, position), (fault) =>
          failed(`blob ${location.url}`, name, adviceOn(fault, location, right.kind), fault)
        )
      },
      { concurrency: Limits.blobPublishersMax, discard: true }
    )
  }
}
