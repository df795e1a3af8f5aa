/** Draws rows as a table with borders, as Spark's console sink does; numbers stand right. Pure. */
import { fieldOf } from "../../model/RowChunk.ts"
import { cellText, displayWidth, isInstantColumn } from "./cells.ts"

/** What to draw. */
export interface TableView {
  readonly header: string
  /** The rows to show, and how many there are in all. */
  readonly rows: ReadonlyArray<unknown>
  readonly total: number
  /** Parallel to `rows`: true where the row is taken away. Absent: none is. */
  readonly deletes?: ReadonlyArray<boolean>
  /** Columns in this order; absent: the fields of the rows as they first appear. */
  readonly columns?: ReadonlyArray<string>
  /** Widest cell; 0 for no limit. */
  readonly truncate: number
}

interface DrawnColumn {
  readonly cells: ReadonlyArray<string>
  readonly right: boolean
  readonly width: number
}

const isRow = (row: unknown): row is object => typeof row === "object" && row !== null && !Array.isArray(row)

const columnNames = (rows: ReadonlyArray<unknown>): ReadonlyArray<string> => {
  const names = new Set<string>()
  for (const row of rows) {
    if (isRow(row)) for (const name of Object.keys(row)) names.add(name)
    else names.add("value")
  }
  return [...names]
}

/** A row's field; a getter that throws gives nothing. */
const valueOf = (row: unknown, column: string): unknown => {
  if (!isRow(row)) return column === "value" ? row : undefined
  try {
    return Object.hasOwn(row, column) ? fieldOf(row, column) : undefined
  } catch {
    return "[unprintable]"
  }
}

const isNumeric = (value: unknown): boolean => typeof value === "number" || typeof value === "bigint"

const drawn = (name: string, values: ReadonlyArray<unknown>, truncate: number): DrawnColumn => {
  const cells = [cellText(name, "", truncate), ...values.map((v) => cellText(v, name, truncate))]
  const present = values.filter((v) => v !== undefined && v !== null)
  return {
    cells,
    right: present.length > 0 && !isInstantColumn(name) && present.every(isNumeric),
    width: cells.reduce((widest, cell) => Math.max(widest, displayWidth(cell)), 3)
  }
}

const padded = (cell: string, { right, width }: DrawnColumn): string => {
  const space = " ".repeat(width - displayWidth(cell))
  return right ? space + cell : cell + space
}

/** The table as lines of text, without a newline at the end. */
export const drawTable = (view: TableView): string => {
  const names = view.columns ?? columnNames(view.rows)
  const columns = names.map((name) =>
    drawn(
      name,
      view.rows.map((row) => valueOf(row, name)),
      view.truncate
    )
  )
  if (view.deletes?.includes(true))
    columns.unshift(
      drawn(
        "",
        view.deletes.map((d) => (d ? "-" : "+")),
        0
      )
    )
  const border = `+${columns.map((c) => "-".repeat(c.width + 2)).join("+")}+`
  const line = (i: number): string => `|${columns.map((c) => ` ${padded(c.cells[i], c)} `).join("|")}|`
  const lines = [view.header, border, line(0), border]
  for (let i = 1; i <= view.rows.length; i++) lines.push(line(i))
  lines.push(border)
  if (view.total > view.rows.length)
    lines.push(`only showing top ${view.rows.length} ${view.rows.length === 1 ? "row" : "rows"}`)
  return lines.join("\n")
}
