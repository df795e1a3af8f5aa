/** Manifests and records for tests. */
import type { EpochRecord, Manifest } from "../../src/checkpoint/Manifest.ts"
import type { Owner } from "../../src/checkpoint/Owner.ts"

/** An owner on some host. */
export const owner = (attemptId: string, over: Partial<Owner> = {}): Owner => ({
  attemptId,
  host: "web-1",
  bootId: "boot",
  pidNamespace: "pid:[1]",
  container: "c0",
  pid: 4321,
  startedAt: "99",
  ...over
})

/** The record of a small epoch. */
export const record = (epoch: number, over: Partial<EpochRecord> = {}): EpochRecord => ({
  epoch,
  prepared: [{ query: "q", writer: "results", epoch, data: { files: [`part-${epoch}.jsonl`] } }],
  readers: [
    {
      operator: "source",
      partition: "0",
      lane: 0,
      position: `{"offset":${epoch}}`,
      rows: epoch * 10,
      watermarks: { t: epoch }
    }
  ],
  ledger: { epoch, operators: [], edges: [], sinks: [] },
  plan: { operators: [] },
  parallelism: 2,
  atMs: 1_700_000_000_000 + epoch,
  ...over
})

/** A manifest with something in every field, and with names and numbers that encodings like to lose. */
export const fullManifest: Manifest = {
  ...record(7),
  format: 1,
  kind: "epoch",
  number: 7,
  attempt: 5,
  query: "q",
  queryId: "id",
  owner: owner("a"),
  state: { names: ["queries/q/data/0000000005-0000000007-0.a"], bytes: 123, crc: 4_000_000_000 },
  keptFrom: 3,
  origin: "other/label",
  prepared: [
    { query: "q", writer: "results", epoch: 7, data: JSON.parse('{"__proto__":{"x":1},"$":"-0","$n":[null,-0]}') },
    { query: "q", writer: "late", epoch: 7, data: undefined }
  ],
  readers: [
    {
      operator: "source",
      partition: "\ud800 lone",
      lane: 1,
      position: undefined,
      rows: 0,
      watermarks: JSON.parse('{"__proto__":-0.0,"constructor":-62135596800001}')
    }
  ],
  ledger: {
    epoch: 7,
    operators: [
      {
        operator: "window",
        partition: "0",
        in: 10,
        forwarded: 1,
        filtered: 2,
        contributed: 3,
        late: 4,
        outside: 0,
        dead: 0,
        duplicate: 0,
        quarantined: 0,
        dropped: JSON.parse('{"__proto__":3,"toString":1}'),
        partlyLate: 1,
        held: 2,
        settled: 1
      }
    ],
    edges: [{ edge: "a -> b", sent: 1, received: 1 }],
    sinks: [{ sink: "s", received: 3, written: 2, dead: 1 }]
  },
  plan: {
    operators: [
      {
        name: "window",
        kind: "window",
        inputs: ["source"],
        parameters: JSON.parse('{"sizeMs":60000,"__proto__":[true,null]}'),
        state: { of: "count" }
      }
    ]
  },
  ended: "exhausted"
}
