/** How the program writes numbers, times and other people's text. */

/** A whole number with thousands separators: `48,391`. */
export const count = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, ",")

/** So many of something: `1 row`, `2 rows`. */
export const many = (n: number, one: string): string => `${count(n)} ${one}${n === 1 ? "" : "s"}`

/** A time span for people: `340 ms`, `2.3 s`, `4 min 05 s`, `3 h 12 min`. */
export const span = (ms: number): string => {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 99_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  const pad = (n: number): string => String(n).padStart(2, "0")
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${pad(seconds % 60)} s`
  return `${count(Math.floor(seconds / 3600))} h ${pad(Math.floor((seconds % 3600) / 60))} min`
}

/** An instant in UTC, to the second: `2001-01-05 13:20:00`. */
export const instant = (ms: number): string => {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString().slice(0, 19).replace("T", " ")
}

/** Bytes for people: `1.4 MB`. */
export const bytes = (n: number): string => {
  const units = ["bytes", "kB", "MB", "GB", "TB"]
  let size = n
  let unit = 0
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1000
    unit++
  }
  return unit === 0 ? many(n, "byte") : `${size >= 99.5 ? size.toFixed(0) : size.toFixed(1)} ${units[unit]}`
}

const escaped = (control: string): string => `\\x${control.charCodeAt(0).toString(16).padStart(2, "0")}`

/** Text from outside as one line that cannot act on a terminal: line ends become spaces, control characters are shown. */
export const oneLine = (text: string): string =>
  text
    .replace(/\s*[\r\n]\s*/g, " ")
    .replace(/\t/g, " ")
    .replace(/[\u0000-\u001f\u007f-\u009f]/g, escaped)
    .trim()

/** At most so many characters, with an ellipsis where more were. */
export const cut = (text: string, most: number): string =>
  text.length <= most ? text : `${text.slice(0, Math.max(0, most - 1))}…`
