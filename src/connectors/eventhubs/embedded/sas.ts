/** Shared access signatures: checks them, and remembers what each connection may do by those it has shown. */
import * as Redacted from "effect/Redacted"
import { hmacSha256, isSame } from "./hmac.ts"
import type { KeySettings, Right } from "./options.ts"

/** What a token allows. */
export interface Grant {
  /** The entity and all below it, in lower case; empty: everything. */
  readonly entity: string
  readonly rights: ReadonlySet<Right>
  readonly untilMs: number
}

/** The path of an entity in lower case, of an address that may be a whole URI. */
export const entityPath = (address: string): string =>
  address
    .replace(/^[a-z]+:\/\/[^/]*/i, "")
    .replace(/^\/+|\/+$/g, "")
    .toLowerCase()

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const prefix = "SharedAccessSignature "

/** What a token allows, or why it allows nothing. */
export const verifyToken = (keys: ReadonlyMap<string, KeySettings>, token: unknown, nowMs: number): Grant | string => {
  if (typeof token !== "string" || !token.startsWith(prefix))
    return "InvalidToken: a shared access signature is needed."
  const fields = new Map(
    token
      .slice(prefix.length)
      .split("&")
      .map((field) => {
        const equals = field.indexOf("=")
        return [field.slice(0, equals), field.slice(equals + 1)] as const
      })
  )
  const [resource, signature, expiry, keyName] = ["sr", "sig", "se", "skn"].map((name) => fields.get(name) ?? "")
  const key = keys.get(decoded(keyName))
  if (key === undefined) return `InvalidSignature: there is no key '${decoded(keyName)}'.`
  if (!isSame(hmacSha256(Redacted.value(key.key), `${resource}\n${expiry}`), decoded(signature)))
    return "InvalidSignature: The token has an invalid signature."
  const untilMs = Number(expiry) * 1_000
  if (!(untilMs > nowMs)) return "ExpiredToken: The token is expired."
  return { entity: entityPath(decoded(resource)), rights: key.rights, untilMs }
}

/** What one connection may do. */
export class Grants {
  readonly #isOpen: boolean
  readonly #grants = new Map<string, Grant>()

  /** `isOpen`: everyone may do everything. */
  constructor(isOpen: boolean) {
    this.#isOpen = isOpen
  }

  /** Adds what a token allows; replaces what an earlier one said of the same entity. */
  add(grant: Grant): void {
    this.#grants.set(grant.entity, grant)
  }

  /** Whether one of the rights at the entity was granted. */
  allows(rights: ReadonlyArray<Right>, entity: string, nowMs: number): boolean {
    if (this.#isOpen) return true
    const path = entityPath(entity)
    return [...this.#grants.values()].some(
      (grant) =>
        grant.untilMs > nowMs &&
        (grant.entity === "" || grant.entity === path || path.startsWith(`${grant.entity}/`)) &&
        rights.some((right) => grant.rights.has(right))
    )
  }
}
