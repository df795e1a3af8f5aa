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

/** The greatest distance from the epoch, in ms, that `Date` and ISO text can express (ECMA-262, 21.4.1.1). */
export const instantMax = 8.64e15
const dayMs = 86_400_000
const minuteMs = 60_000

const zero = 48
const dash = 45
const plus = 43
const colon = 58
const slash = 47
const dot = 46
const space = 32
const letterT = 84
const letterZ = 90

/** Two digits at `i`, or -1. Reading past the end gives NaN, which no comparison lets through. */
const two = (s: string, i: number): number => {
  const a = s.charCodeAt(i) - zero
  const b = s.charCodeAt(i + 1) - zero
  return a >= 0 && a <= 9 && b >= 0 && b <= 9 ? a * 10 + b : -1
}

/** Days from the epoch to a proleptic Gregorian date (H. Hinnant, "chrono-compatible low-level date algorithms"). */
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

/** Midnight of a date in ms; NaN when there is no such day. */
const midnightMs = (year: number, month: number, day: number): number =>
  month < 1 || month > 12 || day < 1 || (day > 28 && day > daysInMonth(year, month))
    ? Number.NaN
    : daysFromCivil(year, month, day) * dayMs

/** Where the readers below stopped; valid until the next call. */
let cursor = 0

/** Reads `YYYY-MM-DD`, `YYYY/MM/DD` or `+-YYYYYY-MM-DD` into ms, leaving `cursor` behind it; NaN when it is none. */
const dateMs = (s: string): number => {
  const sign = s.charCodeAt(0)
  const signed = sign === plus || sign === dash
  const i = signed ? 7 : 4
  const century = signed ? two(s, 1) * 100 + two(s, 3) : two(s, 0)
  const ofCentury = two(s, i - 2)
  if (century < 0 || ofCentury < 0 || (signed && (two(s, 1) < 0 || two(s, 3) < 0))) return Number.NaN
  const year = century * 100 + ofCentury
  if (sign === dash && year === 0) return Number.NaN
  const separator = s.charCodeAt(i)
  if ((separator !== dash && separator !== slash) || s.charCodeAt(i + 3) !== separator) return Number.NaN
  cursor = i + 6
  return midnightMs(sign === dash ? -year : year, two(s, i + 1), two(s, i + 4))
}

/** Reads `[T ]HH:MM` at `cursor`, leaving it behind that. */
const minuteMsAt = (s: string): number => {
  const i = cursor
  const t = s.charCodeAt(i)
  const hour = two(s, i + 1)
  const minute = two(s, i + 4)
  if ((t !== letterT && t !== space) || s.charCodeAt(i + 3) !== colon) return Number.NaN
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59) return Number.NaN
  cursor = i + 6
  return (hour * 60 + minute) * minuteMs
}

/**
 * The hot path: `YYYY-MM-DD[T ]HH:MM` at the start of at least 16 characters, all digits checked at once. NaN says only
 * that the text is not of this form. The twelve digits are there, so no code is NaN.
 */
const commonFormMs = (s: string): number => {
  const a = s.charCodeAt(0) - zero
  const b = s.charCodeAt(1) - zero
  const c = s.charCodeAt(2) - zero
  const d = s.charCodeAt(3) - zero
  const e = s.charCodeAt(5) - zero
  const f = s.charCodeAt(6) - zero
  const g = s.charCodeAt(8) - zero
  const h = s.charCodeAt(9) - zero
  const i = s.charCodeAt(11) - zero
  const j = s.charCodeAt(12) - zero
  const k = s.charCodeAt(14) - zero
  const l = s.charCodeAt(15) - zero
  const below = a | b | c | d | e | f | g | h | i | j | k | l
  const above = (9 - a) | (9 - b) | (9 - c) | (9 - d) | (9 - e) | (9 - f) | (9 - g) | (9 - h) | (9 - i) | (9 - j)
  if ((below | above | (5 - k) | (9 - l)) < 0) return Number.NaN
  const separator = s.charCodeAt(4)
  const t = s.charCodeAt(10)
  if ((separator !== dash && separator !== slash) || s.charCodeAt(7) !== separator) return Number.NaN
  if ((t !== letterT && t !== space) || s.charCodeAt(13) !== colon) return Number.NaN
  const hour = i * 10 + j
  if (hour > 23) return Number.NaN
  cursor = 16
  const midnight = midnightMs((a * 10 + b) * 100 + c * 10 + d, e * 10 + f, g * 10 + h)
  return midnight + (hour * 60 + k * 10 + l) * minuteMs
}

/** Reads `.fraction` at `cursor` into whole ms; 0 when there is none, NaN when it has no digits. */
const fractionMs = (s: string): number => {
  if (s.charCodeAt(cursor) !== dot) return 0
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

/** Reads `:SS[.fraction]` at `cursor`, leaving it behind that; 0 when there is none. */
const secondMsAt = (s: string): number => {
  if (s.charCodeAt(cursor) !== colon) return 0
  const second = two(s, cursor + 1)
  if (second < 0 || second > 59) return Number.NaN
  cursor += 3
  return cursor < s.length ? second * 1000 + fractionMs(s) : second * 1000
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

const inRange = (ms: number): number => (ms >= -instantMax && ms <= instantMax ? ms : Number.NaN)

const textMs = (s: string, zone: string | undefined): number => {
  const n = s.length
  if (n < 10) return Number.NaN
  let ms = n >= 16 ? commonFormMs(s) : Number.NaN
  if (ms !== ms) {
    ms = dateMs(s)
    if (cursor < n) ms += minuteMsAt(s)
    if (ms !== ms) return ms
  }
  if (cursor < n) {
    ms += secondMsAt(s)
    if (cursor < n) {
      if (s.charCodeAt(cursor) === letterZ) return cursor + 1 === n ? inRange(ms) : Number.NaN
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
  let from = Math.max((day - 1) * dayMs, -instantMax)
  let to = Math.min((day + 2) * dayMs, instantMax)
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
  if (format === undefined || !(localMs >= -instantMax - dayMs && localMs <= instantMax + dayMs)) return Number.NaN
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
