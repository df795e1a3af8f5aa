/** One connection, as those see it who serve its links. */
import type { Namespace } from "./Namespace.ts"
import type { RheaModule, SenderLink } from "./rhea.ts"
import type { Grants } from "./sas.ts"

/** Who answers requests: of tokens, or about hubs and partitions. */
export type Node = "$cbs" | "$management"

/** See above. */
export interface Peer {
  readonly namespace: Namespace
  readonly rhea: RheaModule
  readonly grants: Grants
  /** Links that replies go out on: of which node, and the address that requests name them by. */
  readonly replyLinks: Map<SenderLink, { readonly node: Node; readonly address: string }>
  /** Sends bytes that hold whole frames. */
  readonly write: (bytes: Buffer) => void
  /** The socket takes no more for now. */
  readonly isFull: () => boolean
}

/** The path in an address, which some clients write as a whole URI. */
export const addressPath = (address: string | null | undefined): string =>
  (typeof address === "string" ? address : "").replace(/^[a-z]+:\/\/[^/]*\//i, "")

/** Capabilities that were asked for: one, several or none. */
export const capabilities = (desired: unknown): ReadonlyArray<string> =>
  desired === undefined || desired === null ? [] : (Array.isArray(desired) ? desired : [desired]).map(String)

/** A number of a link's properties; undefined when it is none. Large ones come as eight bytes. */
export const numberOf = (value: unknown): number | undefined => {
  if (Buffer.isBuffer(value) && value.length === 8) return Number(value.readBigInt64BE(0))
  const number = value === undefined || value === null ? Number.NaN : Number(value)
  return Number.isNaN(number) ? undefined : number
}
