/**
 * Which windows a time falls into, by slices (stream slicing: Cutty, Scotty). A slice is the gcd(size, slide) piece
 * that its windows share; a row updates one slice, windows merge slices when they close.
 */

export interface TimeWindows {
  readonly sizeMs: number
  readonly slideMs: number
  readonly offsetMs: number
  readonly sliceMs: number
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b))

/** Floor to a grid of `step` through `offset`; right for times before the epoch (rule T1). */
export const floorTo = (t: number, step: number, offset: number): number =>
  Math.floor((t - offset) / step) * step + offset

/** The arithmetic of windows of one size and slide; `offsetMs` moves their edges from the epoch. */
export const timeWindows = (sizeMs: number, slideMs: number, offsetMs: number): TimeWindows => ({
  sizeMs,
  slideMs,
  offsetMs,
  sliceMs: gcd(sizeMs, slideMs)
})

/** Start of the slice of a time. */
export const sliceStart = (w: TimeWindows, t: number): number => floorTo(t, w.sliceMs, w.offsetMs)

/** Start of the last window that covers a time; it covers it only if `start + size > t`. */
export const lastWindow = (w: TimeWindows, t: number): number => floorTo(t, w.slideMs, w.offsetMs)

/** Start of the first window that covers a time. */
export const firstWindow = (w: TimeWindows, t: number): number =>
  floorTo(t - w.sizeMs, w.slideMs, w.offsetMs) + w.slideMs

/** Start of the first window whose end is above `bound`. */
export const firstWindowEndingAfter = (w: TimeWindows, bound: number): number => firstWindow(w, bound)
