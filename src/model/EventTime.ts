/**
 * Event times as users write them, read into integer milliseconds since the epoch, any sign (rule T1).
 *
 * `eventTimeMs` takes numbers, bigints, `Date`, effect's `DateTime` (and Temporal's instants), and ISO 8601 text; what
 * is not an instant gives NaN, never an exception. It is strict: no locale formats, no text of digits, no 24:00, no
 * leap second, no day that the month does not have. Fractions below a millisecond are dropped downwards.
 *
 * Text without a zone is UTC, or local time of `zone` when one is given. At the change of clocks it is read as Temporal
 * and effect do ("compatible"): a time that occurs twice is the earlier one, a time that was skipped is moved forward
 * by what was skipped.
 */

/** The greatest distance from the epoch that `Date` and ISO text can express (ECMA-262, 21.4.1.1). */
const timeMax = 8.64e15
const dayMs = 86_400_000
const minuteMs = 60_000

const zero = 48
const dash = 45
const plus = 43
const colon = 58
const slash = 47

/** Two digits at `i`, or -1. Reading past the end gives NaN, which no comparison lets through. */
const two = (s: string, i: number): number => {
  const a = s.charCodeAt(i) - zero
  const b = s.charCodeAt(i + 1) - zero
  return a >= 0 && a <= 9 && b >= 0 && b <= 9 ? a * 10 + b : -1
}

/** Days from the epoch to a date of the proleptic Gregorian calendar (H. Hinnant, "chrono-compatible date algorithms"). */
const daysFromCivil = (year: number, month: number, day: number): number => {
  const y = month <= 2 ? year - 1 : year
  const era = Math.floor(y / 400)
  const yearOfEra = y - era * 400
  const dayOfYear = ((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) | 0
  return era * 146_097 + yearOfEra * 365 + ((yearOfEra / 4) | 0) - ((yearOfEra / 100) | 0) + dayOfYear + day - 719_469
}

const daysInMonth = (year: number, month: number): number =>
  month === 2
    ? year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
      ? 29
      : 28
    : month === 4 || month === 6 || month === 9 || month === 11
      ? 30
      : 31

/** Where `dateMs` and `timeMs` stopped reading; valid until the next call. */
let cursor = 0

/** Reads `YYYY-MM-DD`, `YYYY/MM/DD` or `+-YYYYYY-MM-DD` into ms, leaving `cursor` behind it; NaN when it is none. */
const dateMs = (s: string): number => {
  const sign = s.charCodeAt(0)
  let year: number
  let i: number
  if (sign === plus || sign === dash) {
    const high = two(s, 1)
    const middle = two(s, 3)
    const low = two(s, 5)
    if (high < 0 || middle < 0 || low < 0) return Number.NaN
    year = (high * 100 + middle) * 100 + low
    if (sign === dash) {
      if (year === 0) return Number.NaN
      year = -year
    }
    i = 7
  } else {
    const high = two(s, 0)
    const low = two(s, 2)
    if (high < 0 || low < 0) return Number.NaN
    year = high * 100 + low
    i = 4
  }
  const separator = s.charCodeAt(i)
  if (separator !== dash && separator !== slash) return Number.NaN
  const month = two(s, i + 1)
  const day = two(s, i + 4)
  if (s.charCodeAt(i + 3) !== separator || month < 1 || month > 12) return Number.NaN
  if (day < 1 || (day > 28 && day > daysInMonth(year, month))) return Number.NaN
  cursor = i + 6
  return daysFromCivil(year, month, day) * dayMs
}

/** Reads `.fraction` at `cursor` into whole ms; 0 when there is none, NaN when it has no digits. */
const fractionMs = (s: string): number => {
  if (s.charCodeAt(cursor) !== 46) return 0
  let i = cursor + 1
  let ms = 0
  let weight = 100
  for (; ; i++) {
    const digit = s.charCodeAt(i) - zero
    if (!(digit >= 0 && digit <= 9)) break
    ms += digit * weight
    weight = weight === 100 ? 10 : weight === 10 ? 1 : 0
  }
  if (i === cursor + 1) return Number.NaN
  cursor = i
  return ms
}

/** Reads `HH:MM[:SS[.fraction]]` at `cursor`, which it leaves behind it. */
const timeOfDayMs = (s: string): number => {
  const i = cursor
  const hour = two(s, i)
  const minute = two(s, i + 3)
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || s.charCodeAt(i + 2) !== colon) return Number.NaN
  const ms = (hour * 60 + minute) * minuteMs
  cursor = i + 5
  if (cursor >= s.length || s.charCodeAt(cursor) !== colon) return ms
  const second = two(s, i + 6)
  if (second < 0 || second > 59) return Number.NaN
  cursor = i + 8
  return cursor >= s.length ? ms + second * 1000 : ms + second * 1000 + fractionMs(s)
}

/** Reads `+-HH:MM` or `+-HHMM` at `cursor`, which must be all that is left. */
const offsetMs = (s: string): number => {
  const i = cursor
  const sign = s.charCodeAt(i)
  if (sign !== plus && sign !== dash) return Number.NaN
  const m = s.charCodeAt(i + 3) === colon ? i + 4 : i + 3
  const hours = two(s, i + 1)
  const minutes = two(s, m)
  if (s.length !== m + 2 || hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return Number.NaN
  const ms = (hours * 60 + minutes) * minuteMs
  return sign === dash ? -ms : ms
}

const inRange = (ms: number): number => (ms >= -timeMax && ms <= timeMax ? ms : Number.NaN)

const textMs = (s: string, zone: string | undefined): number => {
  const n = s.length
  if (n < 10) return Number.NaN
  let ms = dateMs(s)
  if (ms !== ms) return ms
  if (cursor < n) {
    const t = s.charCodeAt(cursor)
    if (t !== 84 && t !== 32) return Number.NaN
    cursor += 1
    if (cursor + 5 > n) return Number.NaN
    ms += timeOfDayMs(s)
    if (cursor < n) {
      if (s.charCodeAt(cursor) === 90) return cursor + 1 === n ? inRange(ms) : Number.NaN
      return inRange(ms - offsetMs(s))
    }
  }
  return zone === undefined ? inRange(ms) : inRange(localToUtcMs(ms, zone))
}

/**
 * The instant that a value says, in whole milliseconds since the epoch; NaN when it says none.
 *
 * Numbers and bigints are milliseconds. Text is `YYYY-MM-DD` or `YYYY-MM-DD[T ]HH:MM[:SS[.fraction]]`, then `Z`,
 * `+-HH:MM`, `+-HHMM` or nothing; `/` may stand for both dashes of the date, and years beyond four digits have a sign
 * and six. `zone` is the IANA zone of text that names none (default UTC).
 */
export const eventTimeMs = (value: unknown, zone?: string): number => {
  switch (typeof value) {
    case "string":
      return textMs(value, zone)
    case "number":
      return inRange(Math.floor(value) + 0)
    case "bigint":
      return inRange(Number(value))
    case "object": {
      if (value === null) return Number.NaN
      if (value instanceof Date) return value.getTime()
      const ms = (value as { readonly epochMilliseconds?: unknown }).epochMilliseconds
      return typeof ms === "number" ? inRange(Math.floor(ms) + 0) : Number.NaN
    }
    default:
      return Number.NaN
  }
}

/** The offsets around one local day: `before` up to the instant `at`, `after` from it on. */
interface DayOffsets {
  readonly before: number
  readonly after: number
  readonly at: number
}

/** What is known of a zone. Offsets are looked up by `Intl` once a day of local time, and kept for so many days. */
interface Zone {
  readonly format: Intl.DateTimeFormat | undefined
  readonly days: Map<number, DayOffsets>
}

const zoneDaysMax = 1 << 15
const zones = new Map<string, Zone>()

const makeFormat = (zone: string): Intl.DateTimeFormat | undefined => {
  try {
    return new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      era: "short",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric"
    })
  } catch {
    return undefined
  }
}

const zoneOf = (name: string): Zone => {
  let zone = zones.get(name)
  if (zone === undefined) {
    zone = { format: makeFormat(name), days: new Map() }
    zones.set(name, zone)
  }
  return zone
}

/** Whether a name is a time zone that `eventTimeMs` can use: an IANA name, or an offset like `+05:30`. */
export const isTimeZone = (name: string): boolean => zoneOf(name).format !== undefined

/** What local clocks are ahead of UTC by, at an instant. */
const zoneOffsetMs = (format: Intl.DateTimeFormat, utcMs: number): number => {
  const at = { year: 0, month: 0, day: 0, hour: 0, minute: 0, second: 0 }
  let beforeChrist = false
  for (const { type, value } of format.formatToParts(utcMs)) {
    if (type === "era") beforeChrist = value.startsWith("B")
    else if (type in at) at[type as keyof typeof at] = Number(value)
  }
  const days = daysFromCivil(beforeChrist ? 1 - at.year : at.year, at.month, at.day)
  return days * dayMs + (at.hour * 60 + at.minute) * minuteMs + at.second * 1000 - Math.floor(utcMs / 1000) * 1000
}

/**
 * Looks at three days around a local one. Local clocks are within a day of UTC, and no zone changes its clocks twice so
 * soon: the least distance of any zone from 1846 to 2039 is six days (America/Recife, 2000).
 */
const dayOffsets = (format: Intl.DateTimeFormat, day: number): DayOffsets => {
  let from = Math.max((day - 1) * dayMs, -timeMax)
  let to = Math.min((day + 2) * dayMs, timeMax)
  const before = zoneOffsetMs(format, from)
  const after = zoneOffsetMs(format, to)
  if (before === after) return { before, after, at: Infinity }
  while (to - from > 1) {
    const middle = Math.floor((from + to) / 2)
    if (zoneOffsetMs(format, middle) === before) from = middle
    else to = middle
  }
  return { before, after, at: to }
}

/** The instant at which clocks of the zone show `localMs` (as if it were UTC); NaN when there is no such zone. */
const localToUtcMs = (localMs: number, name: string): number => {
  const { days, format } = zoneOf(name)
  if (format === undefined || !(localMs >= -timeMax - dayMs && localMs <= timeMax + dayMs)) return Number.NaN
  const day = Math.floor(localMs / dayMs)
  let offsets = days.get(day)
  if (offsets === undefined) {
    if (days.size >= zoneDaysMax) days.clear()
    offsets = dayOffsets(format, day)
    days.set(day, offsets)
  }
  const earlier = localMs - offsets.before
  if (earlier < offsets.at) return earlier
  const later = localMs - offsets.after
  return later >= offsets.at ? later : earlier
}
