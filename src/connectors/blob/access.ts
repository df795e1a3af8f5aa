/**
 * Who asks the service, and by what right: the options of a store, judged before anything is sent. Pure.
 *
 * Secrets come in as `Redacted`, and leave this module only inside an {@link Access}, which goes to the SDK.
 */
import * as Redacted from "effect/Redacted"
import { connectionParts } from "../../model/ConnectionString.ts"
import type { BlobLocation } from "./location.ts"
import type { TokenCredential } from "../../model/TokenCredential.ts"

/**
 * How a store signs in; at most one of them. Without any, `DefaultAzureCredential` of `@azure/identity` does: environment,
 * workload and managed identity, `az login`.
 */
export interface BlobAccess {
  /** Of the storage account, from its page "Access keys"; its endpoint is not used, the path has one. */
  readonly connectionString?: Redacted.Redacted<string>
  /** Needs the role "Storage Blob Data Contributor" on the container. */
  readonly credential?: TokenCredential
  /** Of the container or the account, with the permissions `rwdl` (read, write, delete, list). */
  readonly sasToken?: Redacted.Redacted<string>
}

/** What the SDK needs in order to sign requests. */
export type Access =
  | { readonly kind: "key"; readonly account: string; readonly key: Redacted.Redacted<string> }
  | { readonly kind: "sas"; readonly token: Redacted.Redacted<string> }
  | { readonly kind: "credential"; readonly credential: TokenCredential }
  | { readonly kind: "default" }

/** The account of Azurite and of the older emulator, whose key Microsoft has published. */
const emulator = {
  account: "devstoreaccount1",
  key: "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
}

const sasOf = (text: string): Redacted.Redacted<string> => Redacted.make(text.trim().replace(/^\?/, ""))

/** Whether the host says which account it is, so that another's key cannot fit. */
const namesAccount = (location: BlobLocation): boolean => /\.blob\.|:\/\/[^/]+\/./.test(location.endpoint)

const fromConnectionString = (text: string, location: BlobLocation): Access | string => {
  const parts = connectionParts(text)
  const isEmulator = parts.get("usedevelopmentstorage")?.toLowerCase() === "true"
  const account = isEmulator ? emulator.account : parts.get("accountname")
  const key = isEmulator ? emulator.key : parts.get("accountkey")
  const sas = parts.get("sharedaccesssignature")
  if (account !== undefined && account !== location.account && namesAccount(location)) {
    return `connectionString is of the account ${JSON.stringify(account)}, the path of ${JSON.stringify(location.account)}`
  }
  if (sas !== undefined && key === undefined) return { kind: "sas", token: sasOf(sas) }
  if (account === undefined) return "connectionString has no AccountName: copy all of it from the account's access keys"
  if (key === undefined) return "connectionString has no AccountKey: copy all of it from the account's access keys"
  if (!/^[A-Za-z0-9+/]{16,}={0,2}$/.test(key)) return "the AccountKey of connectionString is not whole: it is base64"
  return { kind: "key", account, key: Redacted.make(key) }
}

/** Judges the options: an {@link Access}, or what is wrong with them and what to do. */
export const accessOf = (options: BlobAccess, location: BlobLocation): Access | string => {
  const { connectionString, credential, sasToken } = options
  const given = Object.entries({ connectionString, credential, sasToken }).filter(([, value]) => value !== undefined)
  if (given.length > 1) return `${given.map(([name]) => name).join(" and ")} are given: choose one`
  for (const [name, secret] of Object.entries({ connectionString, sasToken })) {
    if (secret !== undefined && !Redacted.isRedacted(secret)) {
      return `${name} is a secret: wrap it, as in Redacted.make(...), or read it with Config.Redacted(...)`
    }
  }
  if (connectionString !== undefined) return fromConnectionString(Redacted.value(connectionString), location)
  if (sasToken !== undefined) {
    const token = sasOf(Redacted.value(sasToken))
    if (!/(^|&)sig=./.test(Redacted.value(token))) return "sasToken has no signature (sig=...): copy all of it"
    return { kind: "sas", token }
  }
  if (location.endpoint.startsWith("http:")) {
    return "over plain http only connectionString and sasToken work: a token would be seen by everybody"
  }
  return credential !== undefined ? { kind: "credential", credential } : { kind: "default" }
}
