/**
 * An object store in memory: the contract of `model/ObjectStore.ts` with maps.
 *
 * Guarantees: every operation is one step; bytes are copied in and out; a listing costs what it gives, and a sort of each
 * folder that changed, not of all names. Durable only as long as the process.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { StoreError } from "../../model/Errors.ts"
import { isObjectName, type ObjectStore } from "../../model/ObjectStore.ts"

/** Folders, under their name with a slash, beside objects: in the order of names that is the order of what is below. */
interface Folder {
  readonly entries: Map<string, Folder | Uint8Array>
  /** The names in order; undefined: they changed since. */
  sorted: ReadonlyArray<string> | undefined
}

const empty = (): Folder => ({ entries: new Map(), sorted: [] })

const folderIn = (at: Folder, name: string): Folder | undefined => {
  const entry = at.entries.get(name)
  return entry instanceof Uint8Array ? undefined : entry
}

/** The folders down to the one that holds an object, as far as they are there, and the object's name in it. */
const pathTo = (root: Folder, object: string): readonly [folders: ReadonlyArray<Folder>, last: string] => {
  const segments = object.split("/")
  const last = segments.pop() ?? ""
  const folders: Array<Folder> = [root]
  for (const segment of segments) {
    const next = folderIn(folders[folders.length - 1], `${segment}/`)
    if (next === undefined) return [folders, last]
    folders.push(next)
  }
  return [folders, last]
}

const set = (at: Folder, name: string, entry: Folder | Uint8Array): void => {
  if (!at.entries.has(name)) at.sorted = undefined
  at.entries.set(name, entry)
}

const get = (root: Folder, object: string): Uint8Array | undefined => {
  const [folders, last] = pathTo(root, object)
  const entry = folders.length === object.split("/").length ? folders[folders.length - 1].entries.get(last) : undefined
  return entry instanceof Uint8Array ? entry : undefined
}

const put = (root: Folder, object: string, bytes: Uint8Array): void => {
  const segments = object.split("/")
  const last = segments.pop() ?? ""
  let at = root
  for (const segment of segments) {
    const next = folderIn(at, `${segment}/`) ?? empty()
    set(at, `${segment}/`, next)
    at = next
  }
  set(at, last, bytes)
}

/** Deletes an object, and the folders that it was the last in. */
const remove = (root: Folder, object: string): void => {
  const segments = object.split("/")
  const [folders] = pathTo(root, object)
  if (folders.length !== segments.length) return
  let name = segments[segments.length - 1]
  for (let i = folders.length - 1; i >= 0; i--) {
    if (!folders[i].entries.delete(name)) return
    folders[i].sorted = undefined
    if (folders[i].entries.size > 0) return
    name = `${segments[i - 1]}/`
  }
}

/** Adds names that start with the prefix, in order, until there are enough. */
const collect = (at: Folder, path: string, prefix: string, limit: number, out: Array<string>): void => {
  // The default order of `sort` is by code unit, which is what the contract says.
  at.sorted ??= [...at.entries.keys()].sort()
  for (const entry of at.sorted) {
    if (out.length >= limit) return
    const name = path + entry
    if (name.startsWith(prefix) || (name.endsWith("/") && prefix.startsWith(name))) {
      const next = folderIn(at, entry)
      if (next === undefined) out.push(name)
      else collect(next, name, prefix, limit, out)
    }
  }
}

/** A new, empty store; `name` is for errors, default `memory`. Refuses bad names with `StoreError`, nothing else fails. */
export const make = (name = "memory"): ObjectStore => {
  const root = empty()
  const step = <A>(operation: StoreError["operation"], object: string, f: () => A): Effect.Effect<A, StoreError> =>
    Effect.suspend(() =>
      isObjectName(object)
        ? Effect.succeed(f())
        : Effect.fail(
            new StoreError({
              store: name,
              name: object,
              operation,
              message: `${name}: ${JSON.stringify(object)} is not a name: segments of [A-Za-z0-9._=-] with "/" between, none starting with a dot`
            })
          )
    )
  return {
    name,
    volatile: true,
    get: (object) =>
      step("get", object, () => Option.map(Option.fromUndefinedOr(get(root, object)), (bytes) => bytes.slice())),
    put: (object, bytes) => step("put", object, () => put(root, object, bytes.slice())),
    putIfAbsent: (object, bytes) =>
      step("putIfAbsent", object, () => {
        if (get(root, object) !== undefined) return false
        put(root, object, bytes.slice())
        return true
      }),
    list: (prefix, limit) =>
      Effect.sync(() => {
        const names: Array<string> = []
        collect(root, "", prefix, limit, names)
        return names
      }),
    delete: (object) => step("delete", object, () => remove(root, object))
  }
}
