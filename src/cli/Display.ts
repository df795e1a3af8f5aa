/**
 * The screen of a run: a block of progress lines at the bottom, and lines of text that scroll past above it.
 *
 * On a terminal the block is rewritten in place, each line cut to the width; elsewhere (a log) nothing is rewritten and
 * each line is written out. What others write to the same terminal goes between `clear` and `redraw`.
 */
import type { Screen } from "./Host.ts"
import { cut } from "./words.ts"

/** What shows on the screen. */
export interface Display {
  /** Shows these lines instead of the last ones. */
  readonly show: (lines: ReadonlyArray<string>) => void
  /** Writes a line above the block. */
  readonly print: (line: string) => void
  /** Takes the block away. */
  readonly clear: () => void
  /** Puts the block back. */
  readonly redraw: () => void
}

/** A display on a screen. */
export const makeDisplay = (screen: Screen): Display => {
  let lines: ReadonlyArray<string> = []
  let drawn = 0
  const clear = (): void => {
    if (drawn === 0) return
    screen.write(`\r${drawn > 1 ? `\u001b[${drawn - 1}A` : ""}\u001b[J`)
    drawn = 0
  }
  const redraw = (): void => {
    if (!screen.isTerminal || lines.length === 0) return
    clear()
    // A block that is higher than the screen could not be rewritten.
    const most = Math.max(1, screen.rows() - 2)
    const fitting = lines.length <= most ? lines : [...lines.slice(0, most - 1), `and ${lines.length - most + 1} more`]
    screen.write(fitting.map((line) => cut(line, screen.columns() - 1)).join("\n"))
    drawn = fitting.length
  }
  return {
    show: (next) => {
      if (screen.isTerminal) {
        lines = next
        clear()
        redraw()
      } else if (next.length > 0) screen.write(`${next.join("\n")}\n`)
    },
    print: (line) => {
      clear()
      screen.write(`${line}\n`)
      redraw()
    },
    clear,
    redraw
  }
}
