/**
 * Where an object store on Azure Blob storage stands: its path as the user writes it, taken apart. Pure.
 *
 * Nothing here holds a secret: a path with a query (a SAS) or with a user's name and password is refused, since paths are
 * shown in errors and logs.
 */
import { isObjectName } from "../../model/ObjectStore.ts"

/** A container, and the folder in it that all names stand below. */
export interface BlobLocation {
  /** The service, without a slash at its end: `https://account.blob.core.windows.net`. */
  readonly endpoint: string
  readonly account: string
  readonly container: string
  /** What comes before each name, with a slash at its end; empty: the container itself. */
  readonly prefix: string
  /** The same as one address, for names and errors. */
  readonly url: string
}

/** A path taken apart, or what is wrong with it and what to write instead. */
export type ParsedLocation =
  | { readonly tag: "location"; readonly location: BlobLocation }
  | { readonly tag: "problem"; readonly why: string }

/** How paths look, for messages. */
const forms =
  '"https://ACCOUNT.blob.core.windows.net/CONTAINER/FOLDER", "abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/FOLDER", or for Azurite "http://127.0.0.1:10000/devstoreaccount1/CONTAINER/FOLDER"'

/** Characters of the folder; names have up to 800, and the service takes 1,024 together. */
const prefixCharactersMax = 200

/** A name that the service gives to containers: its own rule. */
const isContainer = (name: string): boolean =>
  /^(\$root|\$web|[a-z0-9](-?[a-z0-9]){2,62})$/.test(name) && name.length < 64

const problem = (why: string): ParsedLocation => ({ tag: "problem", why })

/** Hosts whose account is the first segment of the path: this machine, addresses, and names without a dot (containers). */
const isPathStyle = (host: string): boolean => {
  const name = host.replace(/:\d+$/, "")
  return name.startsWith("[") || !name.includes(".") || /^\d+(\.\d+){3}$/.test(name)
}

const located = (endpoint: string, account: string, container: string, folder: string): ParsedLocation => {
  if (container === "") return problem(`it names no container: write ${forms}`)
  if (!isContainer(container)) {
    return problem(
      `${JSON.stringify(container)} is no name of a container (3 to 63 of a-z 0-9 and single hyphens, beginning and ending with a letter or digit)`
    )
  }
  const path = folder.replace(/\/+$/, "")
  if (path !== "" && (!isObjectName(path) || path.length > prefixCharactersMax || /\.(\/|$)/.test(path))) {
    return problem(
      `the folder ${JSON.stringify(path)} may have at most ${prefixCharactersMax} characters, in segments of A-Z a-z 0-9 . _ = - that neither begin nor end with a dot`
    )
  }
  return {
    tag: "location",
    location: {
      endpoint,
      account,
      container,
      prefix: path === "" ? "" : `${path}/`,
      url: `${endpoint}/${container}${path === "" ? "" : `/${path}`}`
    }
  }
}

/** Splits off the first segment of a path. */
const cut = (path: string): readonly [first: string, rest: string] => {
  const slash = path.indexOf("/")
  return slash < 0 ? [path, ""] : [path.slice(0, slash), path.slice(slash + 1)]
}

/** The host of the Blob service of an account whose Data Lake host this is; others are left as they are. */
const blobHost = (host: string): string => host.replace(/^([a-z0-9-]+)\.dfs\./, "$1.blob.")

/** Takes a path apart; see {@link BlobLocation}. */
export const parseLocation = (path: string): ParsedLocation => {
  if (/[?#]/.test(path)) {
    return problem("it has a query: a SAS is a secret, and goes into the option sasToken, without the question mark")
  }
  const lake = /^abfss:\/\/([^/]*)(?:\/(.*))?$/.exec(path)
  if (lake !== null) {
    const [container, host, ...more] = lake[1].split("@")
    if (host === undefined || host === "" || more.length > 0 || !host.includes(".")) return problem(`write ${forms}`)
    return located(`https://${blobHost(host)}`, host.split(".")[0], container, lake[2] ?? "")
  }
  const web = /^(https?):\/\/([^/]*)(?:\/(.*))?$/.exec(path)
  if (web === null) return problem(`write ${forms}`)
  const [, scheme, host, rest = ""] = web
  if (host.includes("@")) return problem("a user's name or password does not belong into a path: use the options")
  if (!/^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(:\d+)?$/.test(host)) return problem(`it names no host: write ${forms}`)
  if (isPathStyle(host)) {
    const [account, below] = cut(rest)
    if (account === "") return problem(`it names no account: write ${forms}`)
    const [container, folder] = cut(below)
    return located(`${scheme}://${host}/${account}`, account, container, folder)
  }
  if (scheme === "http") return problem('plain "http" shows everybody what goes over it: write "https"')
  const [container, folder] = cut(rest)
  return located(`https://${blobHost(host)}`, host.split(".")[0], container, folder)
}
