/**
 * What one epoch may still read (`maxEvents` of a trigger, rule A5), shared by the readers of an attempt. A reader whose
 * chunk does not fit waits for the next epoch, and asks for it: reaching the bound starts the next one at once.
 */

/** The budget of one epoch; each reader changes to the next one at its barrier. */
export class EpochBudget {
  #left: number
  readonly #max: number
  readonly #spent: () => void
  #isSpent = false

  /** `spent` is called once, when the first chunk does not fit. */
  constructor(rowsMax: number, spent: () => void) {
    this.#max = rowsMax
    this.#left = rowsMax
    this.#spent = spent
  }

  /** Takes `rows` out; false when they do not fit, and something has been taken before. */
  take(rows: number): boolean {
    // A chunk larger than the whole bound goes alone; readers ask for no more than the bound, so it is a source's own.
    if (rows > this.#left && this.#left < this.#max) {
      if (!this.#isSpent) {
        this.#isSpent = true
        this.#spent()
      }
      return false
    }
    this.#left -= rows
    return true
  }
}
