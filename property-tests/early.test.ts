/** A4, A6, T6: which panes come out when, of windows that are early, allow lateness, both or neither. */
import * as fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import { decodeStored } from "../src/model/StoredValue.ts"
import { loadSchema } from "../src/streams/aggregates/Reduce.ts"
import { windowsOver } from "../test/oracle/Oracle.ts"
import { written } from "../test/aggregates/feed.ts"
import { cases } from "./snapshotCases.ts"
import { type Case, Fleet, type Kind, type SnapshotRow, type Step } from "./snapshotRuns.ts"

beforeAll(loadSchema)

type TimeKind = Extract<Kind, { kind: "time" }>

/** A key of a window: how many rows it has, and whether it has changed since it last came out. */
interface Pane {
  readonly start: number
  readonly key: string
  n: number
  changed: boolean
}

/** What comes out of each step by the rules, row by row. */
class Model {
  readonly #o: TimeKind
  readonly #columns: number
  readonly #panes = new Map<string, Pane>()
  #watermark = -Infinity

  constructor(operator: TimeKind, columns: number) {
    this.#o = operator
    this.#columns = columns
  }

  apply(step: Step): ReadonlyArray<string> {
    const out: Array<string> = []
    const emit = (pane: Pane): void => {
      pane.changed = false
      out.push(`${pane.key} ${pane.start} ${pane.n}`)
    }
    const isClosed = ({ start }: Pane): boolean => start + this.#o.size <= this.#watermark
    if (step.kind === "rows") for (const row of step.rows) this.#add(row)
    else if (step.kind === "barrier") {
      for (const pane of this.#panes.values()) if (pane.changed && (isClosed(pane) || this.#o.early)) emit(pane)
    } else if (step.kind === "advance" && step.watermark > this.#watermark) {
      for (const pane of this.#panes.values()) if (pane.changed && isClosed(pane)) emit(pane)
      const closed = new Set([...this.#panes.values()].filter(isClosed))
      this.#watermark = step.watermark
      for (const pane of this.#panes.values()) {
        if (!closed.has(pane) && isClosed(pane) && (pane.changed || !this.#o.early)) emit(pane)
      }
    }
    return out.toSorted()
  }

  #add(row: SnapshotRow): void {
    const key = keyOf(row.k.slice(0, this.#columns))
    for (const start of windowsOver({ ...this.#o, offset: 0 }, row.t)) {
      if (start + this.#o.size + this.#o.lateness <= row.w) continue
      const name = `${key} ${start}`
      const pane = this.#panes.get(name) ?? { start, key, n: 0, changed: true }
      pane.n++
      pane.changed = true
      this.#panes.set(name, pane)
    }
  }
}

const keyOf = (values: ReadonlyArray<unknown>): string =>
  JSON.stringify(values.map((value) => `${typeof value} ${value === 0 ? 0 : String(value)}`))

type Result = Record<string, unknown>

/** The results of a step. */
const rowsOf = (fleet: Fleet, step: Step): ReadonlyArray<Result> =>
  (fleet.apply(step) as [ReadonlyArray<string>, number])[0]
    .filter((text) => text.startsWith("["))
    .map((text) => (decodeStored(JSON.parse(text)) as ReadonlyArray<Result>)[0])

/** Key, window and count of the results of a step. */
const given = (fleet: Fleet, step: Step, columns: number): ReadonlyArray<string> =>
  rowsOf(fleet, step)
    .map((row) => {
      const key = keyOf(["a", "b"].slice(0, columns).map((name) => row[name]))
      return `${key} ${String(row["window_start"])} ${String(row["count"])}`
    })
    .toSorted()

/** The last row of each key and window, whatever their order. */
const lastRows = (rows: ReadonlyArray<Result>): ReadonlyArray<readonly [string, Result]> =>
  [...new Map(rows.map((row) => [keyOf([row["a"], row["b"], row["window_start"]]), row])).entries()].toSorted(
    ([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)
  )

describe("A4: panes of tumbling and sliding windows", () => {
  it("come out once when they close, early at each barrier as far as they changed, again for late rows; never empty", () => {
    fc.assert(
      fc.property(
        cases.filter(({ operator }) => operator.kind === "time"),
        ({ operator, columns, steps }) => {
          const fleet = new Fleet({ operator, columns, steps }, 1)
          const model = new Model(operator as TimeKind, columns)
          for (const [i, step] of steps.entries()) {
            expect(given(fleet, step, columns), `step ${i}`).toEqual(model.apply(step))
          }
        }
      ),
      { numRuns: 150 }
    )
  })

  it("C8: turned on or off at a restart, the last row of each key and window is the same", () => {
    fc.assert(
      fc.property(
        cases.filter(({ operator }) => operator.kind === "time"),
        fc.nat(),
        (of, at) => {
          const cut = at % of.steps.length
          const operator = of.operator as TimeKind
          const other: Case = { ...of, operator: { ...operator, early: !operator.early } }
          const whole = new Fleet(of, 1)
          const before = new Fleet(of, 1)
          const wanted = lastRows(of.steps.flatMap((step) => rowsOf(whole, step)))
          const first = of.steps.slice(0, cut).flatMap((step) => rowsOf(before, step))
          const after = new Fleet(other, 1)
          after.restore(before.snapshot().map(written), before.watermark)
          const rest = of.steps.slice(cut).flatMap((step) => rowsOf(after, step))
          expect(lastRows([...first, ...rest])).toEqual(wanted)
        }
      ),
      { numRuns: 100 }
    )
  })
})
