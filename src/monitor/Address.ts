/**
 * Addresses to listen on, and who may ask there. Pure.
 *
 * Without a token only this machine may ask: addresses other than loopback are refused, and so are requests whose `Host`
 * is not a name of this machine. A page in the user's browser that resolves its own name to 127.0.0.1 (DNS rebinding)
 * is thereby refused.
 */

import * as Redacted from "effect/Redacted"

/** Where to listen; port 0 lets the system choose. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** Reads `127.0.0.1:8080`, `localhost:0`, `[::1]:8080` or `8080`; undefined when it is none of these. */
export const parseAddress = (text: string): Address | undefined => {
  const found = /^(?:(\[[0-9a-f:.]+\]|[a-z0-9.-]+):)?([0-9]{1,5})$/i.exec(text.trim())
  if (found === null) return undefined
  const port = Number(found[2])
  const host = (found[1] ?? "127.0.0.1").replace(/^\[|\]$/g, "")
  return port > 65_535 ? undefined : { host, port }
}

/** An address as part of a URL. */
export const hostPort = ({ host, port }: Address): string => `${host.includes(":") ? `[${host}]` : host}:${port}`

/** Whether only this machine can reach an address. */
export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || /^127(\.[0-9]{1,3}){3}$/.test(host)

/** Whether a `Host` header names this machine. */
export const isOwnName = (header: string | undefined): boolean =>
  header !== undefined && /^(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]{1,5})?$/i.test(header)

/** Where to listen, and the token that is asked for. */
export interface HttpOptions extends Address {
  readonly token?: Redacted.Redacted | undefined
}

/** Shorter tokens are refused: they could be guessed. */
const tokenLengthMin = 16

/** Why an address is refused; undefined when it is not. */
export const refusal = ({ host, token }: HttpOptions): string | undefined => {
  if (token !== undefined && Redacted.value(token).length < tokenLengthMin) {
    return `the token for ${host} is too short: use at least ${tokenLengthMin} characters`
  }
  if (token !== undefined || isLoopback(host)) return undefined
  return `${host} can be reached from other machines: listen on 127.0.0.1, or set TIDEMARK_HTTP_TOKEN to a token that requests must carry`
}

/** Whether two tokens are equal; takes as long whether they are or not. */
export const sameToken = (given: string, token: string): boolean => {
  let different = given.length ^ token.length
  for (let i = 0; i < token.length; i++)
    different |= given.charCodeAt(i % Math.max(1, given.length)) ^ token.charCodeAt(i)
  return different === 0
}
