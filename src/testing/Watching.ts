/** What is looked at while a history runs: each epoch's manifest as it stands on the disk, and the queues. */
import type { QueryState } from "../actors/QueryState.ts"
import type { Manifest } from "../checkpoint/Manifest.ts"
import { decodeChainBytes } from "../checkpoint/ManifestCodec.ts"
import { chainPrefix, manifestName, numberOfName } from "../checkpoint/names.ts"
import { imbalances, type Ledger } from "../model/Ledger.ts"
import { Limits } from "../model/Limits.ts"
import type { StoredObjects } from "./World.ts"

/** Which law of all histories was broken. */
export type Broken = "finishes" | "ledgerBalances" | "watermarksNeverGoBack" | "queuesStayBounded"

/** What was wrong, and against which law it is. */
export interface Found {
  readonly law: Broken
  readonly what: string
}

/** Looks, and keeps what was wrong. */
export class Watching {
  readonly found: Array<Found> = []
  epochs = 0
  /** Watermarks and positions that went back from one epoch to the next. */
  regressions = 0
  /** Equations of the ledger that did not hold. */
  imbalances = 0
  /** Rows that each epoch read; without those of a drain, which reads what was pulled, whatever there may be of it. */
  readonly epochRows: Array<number> = []
  /** Numbers that a takeover passed over though their primary was unreadable, and no void was there. */
  passedOver = 0
  /** Copies that were put where no primary stood. */
  copiesAlone = 0
  readonly #objects: StoredObjects
  readonly #query: string
  readonly #prefix: string
  #newest = 0
  /** Rows that the newest epoch had read. */
  #newestRows = 0
  /** By source operator and partition: rows read and watermarks at the last epoch. */
  readonly #readers = new Map<string, { readonly rows: number; readonly watermarks: Record<string, number> }>()

  constructor(objects: StoredObjects, query: string) {
    this.#objects = objects
    this.#query = query
    this.#prefix = chainPrefix(query, "copy")
  }

  /** An epoch has its second copy: looks at its manifest. */
  epoch(): void {
    const [name] = this.#objects.names(this.#prefix)
    const bytes = name === undefined ? undefined : this.#objects.get(name)
    if (bytes === undefined) return
    const number = numberOfName(name) ?? 0
    const read = decodeChainBytes(bytes)
    if (read.tag !== "manifest" || number <= this.#newest) return
    const { manifest } = read
    const before = { number: this.#newest, rows: this.#newestRows }
    this.#newest = number
    this.#newestRows = rowsOf(manifest)
    this.epochs++
    if (this.#objects.get(manifestName(this.#query, "primary", number)) === undefined) this.copiesAlone++
    this.ledger(`epoch ${number}`, manifest.ledger)
    for (const { operator, partition, rows, watermarks } of manifest.readers) {
      const key = JSON.stringify([operator, partition])
      const before = this.#readers.get(key)
      if (before !== undefined) {
        if (rows < before.rows) this.#regressed(`epoch ${number}: ${key} is at row ${rows} after ${before.rows}`)
        for (const [name, watermark] of Object.entries(before.watermarks))
          if ((watermarks[name] ?? -Infinity) < watermark)
            this.#regressed(`epoch ${number}: the watermark of ${key} is ${watermarks[name]} after ${watermark}`)
      }
      this.#readers.set(key, { rows, watermarks })
    }
    if (manifest.ended !== "drained") this.#count(number, before)
  }

  /** A takeover has been put: what came before it is sound in one copy, or void (C6). */
  takeover(): void {
    const tagOf = (copy: "primary" | "copy", number: number): string => {
      const bytes = this.#objects.get(manifestName(this.#query, copy, number))
      return bytes === undefined ? "absent" : decodeChainBytes(bytes).tag
    }
    const [newest] = this.#objects.names(chainPrefix(this.#query, "primary"))
    const before = (newest === undefined ? 0 : (numberOfName(newest) ?? 0)) - 1
    if (before > 0 && tagOf("primary", before) === "damaged" && tagOf("copy", before) === "absent") this.passedOver++
  }

  /** Rows since the manifest before it, which is that of a takeover after a restart. */
  #count(number: number, epochBefore: { readonly number: number; readonly rows: number }): void {
    const rows = epochBefore.number === number - 1 ? epochBefore.rows : this.#rowsAt(number - 1)
    if (rows !== undefined) this.epochRows.push(this.#newestRows - rows)
  }

  #rowsAt(number: number): number | undefined {
    const name = this.#objects.names(this.#prefix).find((other) => numberOfName(other) === number)
    const bytes = name === undefined ? undefined : this.#objects.get(name)
    const read = bytes === undefined ? undefined : decodeChainBytes(bytes)
    return read?.tag === "manifest" ? rowsOf(read.manifest) : undefined
  }

  /** Every equation of a ledger holds (L1-L4). */
  ledger(where: string, ledger: Ledger): void {
    for (const what of imbalances(ledger)) {
      this.imbalances++
      this.found.push({ law: "ledgerBalances", what: `${where}: ${JSON.stringify(what)}` })
    }
  }

  #regressed(what: string): void {
    this.regressions++
    this.found.push({ law: "watermarksNeverGoBack", what })
  }

  /** No queue was ever fuller than it may be (E10). */
  queues(state: QueryState): void {
    for (const { task, peak } of state.status?.queues() ?? [])
      if (peak > Limits.edgeChunksMax)
        this.found.push({ law: "queuesStayBounded", what: `the inbox of ${task} held ${peak} messages` })
  }
}

const rowsOf = ({ readers }: Manifest): number => readers.reduce((n, { rows }) => n + rows, 0)
