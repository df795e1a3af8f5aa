/** Planted bugs of epochs: barriers, snapshots, restoring, rescaling, the order of publication and commit. */
import type { Planted } from "../edit.ts"

const epoch = "actors/Epoch.ts"
const recovery = "actors/Recovery.ts"

export const ofEpochs: ReadonlyArray<Planted> = [
  {
    name: "no-alignment",
    breaks: "C1, E5: what comes behind a barrier is read before the others have brought theirs",
    edits: [["actors/Alignment.ts", "edge.held = true", "edge.held = false"]]
  },
  {
    name: "no-alignment-unseen",
    breaks: "C1, E5: the same, and the balance of edges is made to fit",
    edits: [
      ["actors/Alignment.ts", "edge.held = true", "edge.held = false"],
      [
        "actors/Edge.ts",
        "sent: e.sentBeforeBarrier, received: e.received",
        "sent: e.sentBeforeBarrier, received: e.sentBeforeBarrier"
      ]
    ]
  },
  {
    name: "position-one-ahead",
    breaks: "C1, C7, E11: the position in a checkpoint is that of the row after the next",
    edits: [
      [
        "actors/PartitionReader.ts",
        "return { operator: name, partition, lane, position, rows:",
        "return { operator: name, partition, lane, position: (position === undefined ? position : String(Number(position) + 1)) as typeof position, rows:"
      ]
    ]
  },
  {
    name: "position-one-behind",
    breaks: "C1, C7, E11: the position in a checkpoint is that of the last row that was read",
    edits: [
      [
        "actors/PartitionReader.ts",
        "return { operator: name, partition, lane, position, rows:",
        "return { operator: name, partition, lane, position: (position === undefined ? position : String(Number(position) - 1)) as typeof position, rows:"
      ]
    ]
  },
  {
    name: "position-of-another",
    breaks: "C11: a partition goes on where the first of its source stood",
    edits: [
      ["actors/Build.ts", "(r) => r.operator === name && r.partition === partition", "(r) => r.operator === name"]
    ]
  },
  {
    name: "snapshot-without-copy",
    breaks: "E6: a snapshot is written while the state that it shares goes on",
    edits: [
      ["streams/state/SliceState.ts", "counts: this.counts.slice(0, count)", "counts: this.counts.subarray(0, count)"]
    ]
  },
  {
    name: "rescale-reads-own-state",
    breaks: "C11, E7: at another width an instance reads the state of its own number alone",
    edits: [
      [
        "actors/TaskState.ts",
        "const instances = isWhole ? [instance] : Array.from({ length: this.#parallelism }, (_, i) => i)",
        "const instances = [instance]"
      ]
    ]
  },
  {
    name: "rescale-takes-all-keys",
    breaks: "C11, E7: at another width each instance takes every key",
    edits: [["actors/Build.ts", "from.isWhole ? () => true : isMine", "() => true"]]
  },
  {
    name: "key-group-lost",
    breaks: "C11, E7: a key group in eight is nobody's after a change of width",
    edits: [
      [
        "actors/Build.ts",
        "receiverOf(hashKey(key), parallelism) === i",
        "receiverOf(hashKey(key), parallelism) === i && hashKey(key) % 8 !== 3"
      ]
    ]
  },
  {
    name: "closed-windows-again",
    breaks: "C1, E3: an operator has no watermark after a restart, and closes windows again",
    edits: [
      [
        "streams/state/TimeWindowState.ts",
        "this.#slices.watermark = decodeStored(watermark) as number",
        "void watermark"
      ]
    ]
  },
  {
    name: "commit-before-manifest",
    breaks: "C3, S3, E11: sinks commit before the manifest is put",
    edits: [
      [
        epoch,
        "const manifest = yield* ownership.publish(record, written)",
        "yield* commitAll(state, sinks, record.prepared)\n      const manifest = yield* ownership.publish(record, written)"
      ]
    ]
  },
  {
    name: "next-before-commit",
    breaks: "C3: the next epoch is published while one is being committed",
    edits: [
      [
        epoch,
        "yield* commitAll(state, sinks, record.prepared)",
        "yield* Effect.forkDetach(Effect.ignore(commitAll(state, sinks, record.prepared)))"
      ]
    ]
  },
  {
    name: "pending-not-committed",
    breaks: "C5, S4, E11: what was prepared before a crash is not committed again",
    edits: [
      [
        recovery,
        "yield* commitAll(state, topology.sinks, yield* pendingUnder(query, base, plan))",
        "yield* pendingUnder(query, base, plan)"
      ]
    ]
  },
  {
    name: "sweep-before-commit",
    breaks: "C5, S16: what earlier attempts left is swept before it is committed",
    edits: [
      [
        recovery,
        "yield* commitAll(state, topology.sinks, yield* pendingUnder(query, base, plan))\n    for (const { sink, name } of topology.sinks) {\n      const keep = base.prepared.find((prepared) => prepared.writer === name)",
        "for (const { sink, name } of topology.sinks) {\n      const keep = undefined"
      ],
      [
        recovery,
        "yield* ownership.sweep\n  })",
        "yield* commitAll(state, topology.sinks, yield* pendingUnder(query, base, plan))\n    yield* ownership.sweep\n  })"
      ]
    ]
  },
  {
    name: "given-up-after-primary",
    breaks: "C9, S12: an epoch is given up when the put of its manifest gets no reply",
    edits: [
      [
        "checkpoint/cells.ts",
        'if (Result.isSuccess(put) && put.success) return "put"',
        'if (Result.isSuccess(put) && put.success) return "put"\n      if (Result.isFailure(put) && onTrouble !== undefined && name.includes("/primary/")) return yield* Effect.fail(put.failure)'
      ],
      [
        "checkpoint/ownership.ts",
        "end(storeFailed(query, `resolve whether manifest ${number} was written`, error))",
        "Effect.suspend(() => { unresolved = undefined; latest = { ...latest, number }; return Effect.fail(storeFailed(query, `put manifest ${number}`, error)) })"
      ],
      [
        epoch,
        "const manifest = yield* ownership.publish(record, written)",
        'const published = yield* Effect.result(ownership.publish(record, written))\n      if (Result.isFailure(published)) {\n        const { failure } = published\n        if (!(failure instanceof QueryError) || failure.reason !== "Checkpoint") return yield* Effect.fail(failure)\n        this.next++\n        yield* this.#giveUp("no reply")\n        return false\n      }\n      const manifest = published.success'
      ]
    ]
  },
  {
    name: "number-again-without-rows",
    breaks: "C9, S14: an epoch that is tried again leaves out what was written for it before",
    edits: [
      [
        "connectors/files/fileWriter.ts",
        "const before = last.epoch === epoch ? last.files : []",
        "const before: ReadonlyArray<StagedFile> = last.epoch === epoch ? [] : []"
      ],
      [
        "connectors/memory/MemorySink.ts",
        "const staged = last.epoch === epoch && !open.replaces ? last : open",
        "const staged = open"
      ]
    ]
  },
  {
    name: "budget-overrun",
    breaks: "A5: an epoch reads as much as there is",
    edits: [["actors/EpochBudget.ts", "if (rows > this.#left && this.#left < this.#max) {", "if (rows < 0) {"]]
  },
  {
    name: "edge-without-bound",
    breaks: "E10: a sender does not wait for room",
    edits: [["actors/Edge.ts", "return n === 0 || (n < this.#chunksMax &&", "return n >= 0 || (n < this.#chunksMax &&"]]
  },
  {
    name: "marker-forgotten",
    breaks: "C4, S4, S5: a sink does not remember what it committed",
    edits: [
      [
        "connectors/memory/MemorySink.ts",
        "marker.queryId === queryId && marker.epoch >= epoch) return",
        "marker.queryId === queryId && marker.epoch < 0) return"
      ],
      [
        "connectors/memory/MemorySink.ts",
        "chain === queryId && e <= epoch) table",
        "chain === queryId && e < epoch) table"
      ]
    ]
  },
  {
    name: "marker-equal",
    breaks: "C2, S5, S8: a marker is compared with ==, where what was staged can be found for ever",
    edits: [
      [
        "connectors/memory/MemorySink.ts",
        "marker.queryId === queryId && marker.epoch >= epoch) return",
        "marker.queryId === queryId && marker.epoch === epoch) return"
      ],
      ["connectors/memory/MemorySink.ts", "chain === queryId && e <= epoch) table", "chain === queryId && e < 0) table"]
    ]
  }
]
