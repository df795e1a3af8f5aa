/**
 * Copies of rows: what user code changes in place is then its own, and neither the next process nor a law sees it.
 * Plain objects, arrays, dates, Map and Set are copied; values of classes are taken for values, and kept.
 */

/** A copy of a value that shares nothing that may be changed in place, but for values of classes. */
export const copyOf = <A>(value: A): A => copy(value, new Map()) as A

const copy = (value: unknown, made: Map<object, unknown>): unknown => {
  if (typeof value !== "object" || value === null) return value
  const known = made.get(value)
  if (known !== undefined) return known
  if (Array.isArray(value)) {
    const items: Array<unknown> = []
    made.set(value, items)
    for (const item of value) items.push(copy(item, made))
    return items
  }
  if (value instanceof Date) return new Date(value.getTime())
  const proto: unknown = Object.getPrototypeOf(value)
  if (proto === Map.prototype) {
    const map = new Map<unknown, unknown>()
    made.set(value, map)
    for (const [key, one] of value as Map<unknown, unknown>) map.set(copy(key, made), copy(one, made))
    return map
  }
  if (proto === Set.prototype) {
    const set = new Set<unknown>()
    made.set(value, set)
    for (const one of value as Set<unknown>) set.add(copy(one, made))
    return set
  }
  if (proto !== Object.prototype && proto !== null) return value
  const fields = Object.create(proto) as { [field: string]: unknown }
  made.set(value, fields)
  for (const field of Object.keys(value)) setField(fields, field, copy(Reflect.get(value, field), made))
  return fields
}

/** Sets a field, whatever its name. */
export const setField = (row: { [field: string]: unknown }, field: string, value: unknown): void => {
  if (field === "__proto__")
    Object.defineProperty(row, field, { value, enumerable: true, writable: true, configurable: true })
  else row[field] = value
}
