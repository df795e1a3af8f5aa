/** What the type of a sink says: its rows, columns, modes, errors and requirements. Types only. */
import type { Sink } from "../model/Sink.ts"
import type { Refused } from "./Stage.ts"

/** The rows a sink takes. */
export type RowOf<Sk> = Sk extends Sink<infer A, never, unknown, unknown> ? A : never
/** The modes a sink takes. */
export type ModesOf<Sk> = Sk extends { readonly Mode?: (mode: infer M) => void } ? M : never
/** What a sink may fail with. */
export type SinkErrorOf<Sk> = Sk extends Sink<never, never, infer E, unknown> ? E : never
/** What a sink needs. */
export type SinkServicesOf<Sk> = Sk extends Sink<never, never, unknown, infer R> ? R : never
/**
 * The columns a sink takes. A sink has a schema when its type says that `columns` is there; it then takes no others, since
 * a row that has more would lose them. Any other sink takes every column.
 */
export type ColumnsOf<Sk> = Sk extends { readonly columns: ReadonlyArray<string> } ? keyof RowOf<Sk> : PropertyKey

/** Refuses rows with columns that the schema of a sink lacks; prints them. */
export interface Lacking<out Columns> {
  readonly "does not compile because the sink's schema lacks columns: call EventStream.select(schema) first": Columns
}

/** Rows `A` fit the columns `C` of a sink; `PropertyKey` means that it takes any. */
export type Within<A, C extends PropertyKey> = [PropertyKey] extends [C]
  ? unknown
  : [Exclude<keyof A, C>] extends [never]
    ? unknown
    : Lacking<Exclude<keyof A, C>>

/** A sink must take the mode it is used in. */
export type Takes<Sk, M> = [M] extends [ModesOf<Sk>]
  ? unknown
  : Refused<`this sink takes no rows in mode "${M & string}"`>
