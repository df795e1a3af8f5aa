/** Hubs, keys and sizes as people write them on the command line. */

/** A hub: its name, partitions and consumer groups. */
export interface HubWords {
  readonly name: string
  readonly partitions: number | undefined
  readonly groups: ReadonlyArray<string>
}

/** `orders`, `orders:4`, `orders:4:billing,audit`; undefined: it is none. */
export const parseHub = (text: string): HubWords | undefined => {
  const match = /^([^:]+)(?::([0-9]{1,3})(?::([^:]*))?)?$/.exec(text)
  if (match === null) return undefined
  const [, name, partitions, groups] = match as ReadonlyArray<string | undefined>
  return {
    name: name ?? "",
    partitions: partitions === undefined ? undefined : Number(partitions),
    groups: (groups ?? "").split(",").filter((group) => group !== "")
  }
}

/** A key and its name. */
export interface KeyWords {
  readonly name: string
  readonly key: string
}

/** `NAME=KEY`; the key may hold more `=`. Undefined: it is none. */
export const parseKey = (text: string): KeyWords | undefined => {
  const equals = text.indexOf("=")
  return equals <= 0 || equals === text.length - 1
    ? undefined
    : { name: text.slice(0, equals), key: text.slice(equals + 1) }
}

const factors: { readonly [unit: string]: number } = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30
}

/** Bytes of `500MB`, `2GiB`, `100000`; undefined: it is no size. */
export const parseSize = (text: string): number | undefined => {
  const match = /^([0-9]+(?:\.[0-9]+)?) ?([a-z]*)$/i.exec(text.trim())
  const unit = match?.[2].toLowerCase() ?? "?"
  if (match === null || !Object.hasOwn(factors, unit)) return undefined
  const bytes = Math.round(Number(match[1]) * factors[unit])
  return bytes > 0 ? bytes : undefined
}
