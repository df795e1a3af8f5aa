/** Card transactions, as the data generator of the streaming ingestion tutorial (`event_hub_producer.py`) makes them. */
import { brokenLine, type EventModel, lineOf } from "./EventModel.ts"
import { draw, unit } from "./hash.ts"
import { fieldDraw, globalIndex, isoMicros, micros, type Timeline } from "./timeline.ts"

/** A card transaction. `timestamp` is UTC without a zone, with microseconds, as Python's `isoformat` writes it. */
export interface Transaction {
  /** `T000001` and up; unique over all partitions. */
  readonly transaction_id: string
  /** `C001` and up. */
  readonly customer_id: string
  /** 10.00 to 500.00. */
  readonly amount: number
  readonly category: string
  readonly timestamp: string
  readonly location: string
  readonly payment_method: string
}

/** How many customers there are unless `keys` says otherwise. */
export const customersDefault = 100

const categories = ["Electronics", "Books", "Clothing", "Home", "Sports"] as const
const locations = ["US", "UK", "EU", "APAC"] as const
const paymentMethods = ["Credit", "Debit", "PayPal"] as const

const row = (t: Timeline, index: number, event: number, ms: number): Transaction => ({
  transaction_id: `T${String(globalIndex(t, index) + 1).padStart(6, "0")}`,
  customer_id: `C${String((draw(event, fieldDraw) % t.settings.keys) + 1).padStart(3, "0")}`,
  amount: Math.round((10 + unit(event, fieldDraw + 1) * 490) * 100) / 100,
  category: categories[draw(event, fieldDraw + 2) % categories.length],
  timestamp: isoMicros(ms, micros(event)),
  location: locations[draw(event, fieldDraw + 3) % locations.length],
  payment_method: paymentMethods[draw(event, fieldDraw + 4) % paymentMethods.length]
})

/** The model of {@link Transaction}. */
export const transactionModel: EventModel<Transaction> = {
  name: "transactions",
  row,
  poison: (t, index, event, ms) => {
    const good = row(t, index, event, ms)
    const way = draw(event, fieldDraw + 5) % 5
    const broken = brokenLine(good, way)
    if (broken !== undefined) return broken
    return way === 3
      ? {
          bytes: lineOf({ ...good, amount: `${good.amount} EUR` }),
          reason: "schema",
          detail: "amount is text, not a number"
        }
      : { bytes: lineOf({ ...good, customer_id: null }), reason: "schema", detail: "customer_id is null" }
  },
  rowBytes: 280
}
