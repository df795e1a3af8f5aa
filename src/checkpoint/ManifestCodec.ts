/**
 * Manifests, tombstones and voids as bytes, and back (rules C6, C7). Pure.
 *
 * A manifest is exact JSON in a frame. It is read field by field: bytes whose checksum holds but whose shape does not
 * are refused with the path of the first fault, and never become half a manifest.
 */
import type { Ledger, OperatorBalance } from "../model/Ledger.ts"
import type { OperatorFingerprint, PlanFingerprint, PlanValue } from "../model/PlanFingerprint.ts"
import type { Prepared } from "../model/Sink.ts"
import { type At, countAt, field, listAt, numberAt, oneOfAt, optionalAt, recordAt, rootOf, textAt } from "./decoding.ts"
import { exactText, parseExact, NotExact } from "./exactJson.ts"
import { frame, unframe } from "./Frame.ts"
import type { Manifest, ReaderRecord, StateFile } from "./Manifest.ts"
import { manifestFormat } from "./Manifest.ts"
import type { Owner } from "./Owner.ts"

const utf8 = new TextEncoder()

/** Field by field, so that nothing that a caller's object happens to carry gets into a file. */
const plainOf = (m: Manifest): unknown => ({
  kind: m.kind,
  number: m.number,
  attempt: m.attempt,
  query: m.query,
  queryId: m.queryId,
  owner: {
    attemptId: m.owner.attemptId,
    host: m.owner.host,
    bootId: m.owner.bootId,
    pidNamespace: m.owner.pidNamespace,
    container: m.owner.container,
    pid: m.owner.pid,
    startedAt: m.owner.startedAt
  },
  ...(m.state === undefined ? {} : { state: { names: m.state.names, bytes: m.state.bytes, crc: m.state.crc } }),
  keptFrom: m.keptFrom,
  ...(m.origin === undefined ? {} : { origin: m.origin }),
  ...(m.released === undefined ? {} : { released: true }),
  epoch: m.epoch,
  prepared: m.prepared.map((p) => ({ query: p.query, writer: p.writer, epoch: p.epoch, data: p.data })),
  readers: m.readers.map((r) => ({
    operator: r.operator,
    partition: r.partition,
    lane: r.lane,
    ...(r.position === undefined ? {} : { position: r.position }),
    rows: r.rows,
    watermarks: r.watermarks
  })),
  ledger: m.ledger,
  plan: m.plan,
  parallelism: m.parallelism,
  atMs: m.atMs,
  ...(m.ended === undefined ? {} : { ended: m.ended })
})

/**
 * The bytes of a manifest, always in the format of this release. Throws `NotExact` when a sink's record or a plan holds
 * what is no plain value.
 */
export const encodeManifest = (manifest: Manifest): Uint8Array =>
  frame("manifest", utf8.encode(exactText(plainOf(manifest))))

/** What is put over a collected manifest: only which number it was. */
export const encodeTombstone = (number: number): Uint8Array =>
  frame("tombstone", utf8.encode(JSON.stringify({ number })))

/** What is put where the copy of a manifest that never was would stand (rule C6). */
export const encodeVoid = (number: number): Uint8Array => frame("void", utf8.encode(JSON.stringify({ number })))

const ownerAt = (at: At): Owner => ({
  attemptId: textAt(field(at, "attemptId")),
  host: textAt(field(at, "host")),
  bootId: textAt(field(at, "bootId")),
  pidNamespace: textAt(field(at, "pidNamespace")),
  container: textAt(field(at, "container")),
  pid: countAt(field(at, "pid")),
  startedAt: textAt(field(at, "startedAt"))
})

const stateAt = (at: At): StateFile => {
  const names = listAt(field(at, "names"), textAt)
  return { names, bytes: countAt(field(at, "bytes")), crc: countAt(field(at, "crc")) }
}

const preparedAt = (at: At): Prepared => ({
  query: textAt(field(at, "query")),
  writer: textAt(field(at, "writer")),
  epoch: countAt(field(at, "epoch")),
  data: field(at, "data").value
})

const readerAt = (at: At): ReaderRecord => ({
  operator: textAt(field(at, "operator")),
  partition: textAt(field(at, "partition")),
  lane: countAt(field(at, "lane")),
  position: optionalAt(field(at, "position"), textAt),
  rows: countAt(field(at, "rows")),
  watermarks: recordAt(field(at, "watermarks"), numberAt)
})

const balanceAt = (at: At): OperatorBalance => {
  const count = (name: keyof OperatorBalance): number => numberAt(field(at, name))
  const partition = optionalAt(field(at, "partition"), textAt)
  return {
    operator: textAt(field(at, "operator")),
    ...(partition === undefined ? {} : { partition }),
    in: count("in"),
    forwarded: count("forwarded"),
    filtered: count("filtered"),
    contributed: count("contributed"),
    late: count("late"),
    outside: count("outside"),
    dead: count("dead"),
    duplicate: count("duplicate"),
    quarantined: count("quarantined"),
    dropped: recordAt(field(at, "dropped"), numberAt),
    partlyLate: count("partlyLate"),
    held: count("held"),
    settled: count("settled")
  }
}

const ledgerAt = (at: At): Ledger => ({
  epoch: countAt(field(at, "epoch")),
  operators: listAt(field(at, "operators"), balanceAt),
  edges: listAt(field(at, "edges"), (edge) => ({
    edge: textAt(field(edge, "edge")),
    sent: numberAt(field(edge, "sent")),
    received: numberAt(field(edge, "received"))
  })),
  sinks: listAt(field(at, "sinks"), (sink) => ({
    sink: textAt(field(sink, "sink")),
    received: numberAt(field(sink, "received")),
    written: numberAt(field(sink, "written")),
    dead: numberAt(field(sink, "dead"))
  }))
})

const operatorAt = (at: At): OperatorFingerprint => {
  const state = field(at, "state").value
  return {
    name: textAt(field(at, "name")),
    kind: textAt(field(at, "kind")),
    inputs: listAt(field(at, "inputs"), textAt),
    parameters: recordAt(field(at, "parameters"), ({ value }) => value as PlanValue),
    ...(state === undefined ? {} : { state: state as PlanValue })
  }
}

const planAt = (at: At): PlanFingerprint => ({ operators: listAt(field(at, "operators"), operatorAt) })

const manifestAt = (at: At): Manifest => {
  const state = optionalAt(field(at, "state"), stateAt)
  const origin = optionalAt(field(at, "origin"), textAt)
  const ended = optionalAt(field(at, "ended"), (ended) => oneOfAt(ended, ["exhausted", "drained"] as const))
  return {
    format: manifestFormat,
    kind: oneOfAt(field(at, "kind"), ["takeover", "epoch"]),
    number: countAt(field(at, "number"), 1),
    attempt: countAt(field(at, "attempt"), 1),
    query: textAt(field(at, "query")),
    queryId: textAt(field(at, "queryId")),
    owner: ownerAt(field(at, "owner")),
    ...(state === undefined ? {} : { state }),
    keptFrom: countAt(field(at, "keptFrom"), 1),
    ...(origin === undefined ? {} : { origin }),
    ...(field(at, "released").value === true ? { released: true } : {}),
    epoch: countAt(field(at, "epoch")),
    prepared: listAt(field(at, "prepared"), preparedAt),
    readers: listAt(field(at, "readers"), readerAt),
    ledger: ledgerAt(field(at, "ledger")),
    plan: planAt(field(at, "plan")),
    parallelism: countAt(field(at, "parallelism")),
    atMs: numberAt(field(at, "atMs")),
    ...(ended === undefined ? {} : { ended })
  }
}

/** What stands at one place of a chain. `newer`: of a release after this one, to be refused and never passed over. */
export type ChainBytes =
  | { readonly tag: "manifest"; readonly manifest: Manifest }
  | { readonly tag: "tombstone" }
  | { readonly tag: "void" }
  | { readonly tag: "newer"; readonly why: string }
  | { readonly tag: "damaged"; readonly why: string }

/** Reads what stands at one place of a chain. */
export const decodeChainBytes = (bytes: Uint8Array): ChainBytes => {
  const framed = unframe(bytes)
  if (framed.tag !== "sound") return framed
  if (framed.kind === "tombstone" || framed.kind === "void") return { tag: framed.kind }
  if (framed.kind !== "manifest") return { tag: "damaged", why: `is a ${framed.kind}, not a manifest` }
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(framed.payload)
    const value = parseExact(text, () => {
      throw new NotExact("has a column, which no manifest has")
    })
    return { tag: "manifest", manifest: manifestAt(rootOf(value)) }
  } catch (cause) {
    return { tag: "damaged", why: cause instanceof Error ? cause.message.slice(0, 300) : "cannot be read" }
  }
}
