/** The screen of a run, on a terminal that understands what the display sends, and in a log. */
import { describe, expect, it } from "vitest"
import { makeDisplay } from "../../src/cli/Display.ts"

/** A terminal of so many columns: what stands on it, given `\r`, line ends, cursor up and erase below. */
const terminal = (columns: number, rows: number) => {
  const lines: Array<string> = [""]
  let row = 0
  let column = 0
  const put = (character: string): void => {
    if (column >= columns) throw new Error("a line was wrapped")
    lines[row] = lines[row].padEnd(column).slice(0, column) + character + lines[row].slice(column + 1)
    column++
  }
  const write = (text: string): void => {
    for (const [token, up, erase] of text.matchAll(/\u001b\[(\d+)A|\u001b\[(J)|[^]/g)) {
      if (up !== undefined) row -= Number(up)
      else if (erase !== undefined) lines.splice(row, lines.length, lines[row].slice(0, column))
      else if (token === "\r") column = 0
      else if (token === "\n") {
        row++
        column = 0
        lines[row] ??= ""
      } else put(token)
      if (row < 0) throw new Error("above the first line")
    }
  }
  return { screen: { isTerminal: true, columns: () => columns, rows: () => rows, write }, lines }
}

describe("on a terminal", () => {
  it("rewrites the block in place, and prints lines above it", () => {
    const { screen, lines } = terminal(40, 24)
    const display = makeDisplay(screen)
    display.show(["a 1", "b 1"])
    display.show(["a 2 and more", "b 2"])
    expect(lines).toEqual(["a 2 and more", "b 2"])
    display.print("something happened")
    display.show(["a 3", "b 3"])
    expect(lines).toEqual(["something happened", "a 3", "b 3"])
    display.show(["a 4"])
    expect(lines).toEqual(["something happened", "a 4"])
  })

  it("steps aside for others, and leaves nothing behind at the end", () => {
    const { screen, lines } = terminal(40, 24)
    const display = makeDisplay(screen)
    display.show(["a 1", "b 1"])
    display.clear()
    screen.write("a result\n")
    display.redraw()
    expect(lines).toEqual(["a result", "a 1", "b 1"])
    display.show([])
    expect(lines).toEqual(["a result", ""])
    display.clear()
    display.redraw()
    screen.write("summary\n")
    expect(lines).toEqual(["a result", "summary", ""])
  })

  it("cuts lines to the width, and the block to the height", () => {
    const { screen, lines } = terminal(10, 5)
    const display = makeDisplay(screen)
    const block = ["abcdefghijkl", "b", "c", "d"]
    for (let i = 0; i < 3; i++) display.show(block)
    expect(lines).toEqual(
      ["abcdefgh…", "b", "and 2 more"].map((line) => (line.length > 9 ? `${line.slice(0, 8)}…` : line))
    )
  })
})

describe("in a log", () => {
  it("writes each line out, and rewrites nothing", () => {
    let text = ""
    const screen = {
      isTerminal: false,
      columns: () => 10,
      rows: () => 24,
      write: (more: string) => {
        text += more
      }
    }
    const display = makeDisplay(screen)
    display.show(["a line that is longer than ten", "b"])
    display.print("printed")
    display.clear()
    display.redraw()
    display.show(["a again"])
    display.show([])
    expect(text).toBe("a line that is longer than ten\nb\nprinted\na again\n")
  })
})
