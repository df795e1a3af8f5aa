/**
 * Reading plain values that may be anything: each function checks one shape and says by path where it is not so. Pure.
 *
 * By hand, for a start of the program that loads no schema library.
 */

/** A value does not have the shape it should have; the message begins with its path. */
export class NotDecoded extends Error {}

/** A value with a path, for errors: `readers[2].rows`. */
export interface At {
  readonly value: unknown
  readonly path: string
}

const refuse = (at: At, wanted: string): never => {
  throw new NotDecoded(`${at.path || "the whole"} is not ${wanted}`)
}

/** The root of a value. */
export const rootOf = (value: unknown): At => ({ value, path: "" })

/** A field of an object; its value is undefined where there is none. */
export const field = (at: At, name: string): At => {
  const { value } = at
  if (typeof value !== "object" || value === null || Array.isArray(value)) return refuse(at, "an object")
  return {
    value: Object.hasOwn(value, name) ? (value as { readonly [key: string]: unknown })[name] : undefined,
    path: at.path === "" ? name : `${at.path}.${name}`
  }
}

/** Text. */
export const textAt = (at: At): string => (typeof at.value === "string" ? at.value : refuse(at, "text"))

/** Any number, also one that is not finite. */
export const numberAt = (at: At): number => (typeof at.value === "number" ? at.value : refuse(at, "a number"))

/** A whole number from `min` on. */
export const countAt = (at: At, min = 0): number => {
  const { value } = at
  return typeof value === "number" && Number.isSafeInteger(value) && value >= min
    ? value
    : refuse(at, `a whole number from ${min} on`)
}

/** One of a few texts. */
export const oneOfAt = <T extends string>(at: At, texts: ReadonlyArray<T>): T =>
  texts.find((text) => text === at.value) ?? refuse(at, texts.join(" or "))

/** A list, each element read by `each`. */
export const listAt = <A>(at: At, each: (at: At) => A): ReadonlyArray<A> => {
  const { value } = at
  if (!Array.isArray(value)) return refuse(at, "a list")
  return value.map((element: unknown, i) => each({ value: element, path: `${at.path}[${i}]` }))
}

/** An object whose keys are data, `__proto__` among them; each value read by `each`. */
export const recordAt = <A>(at: At, each: (at: At) => A): { readonly [key: string]: A } => {
  const { value } = at
  if (typeof value !== "object" || value === null || Array.isArray(value)) return refuse(at, "an object")
  return Object.fromEntries(
    Object.entries(value).map(([key, one]: [string, unknown]) => [key, each({ value: one, path: `${at.path}.${key}` })])
  )
}

/** What stands there if anything does. */
export const optionalAt = <A>(at: At, read: (at: At) => A): A | undefined =>
  at.value === undefined ? undefined : read(at)
