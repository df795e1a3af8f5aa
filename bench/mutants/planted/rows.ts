/** Planted bugs of what becomes of rows: aggregates, order, dedupe, dead letters, late outputs, the ledger, modes. */
import type { Planted } from "../edit.ts"

const dedupe = "streams/state/DedupeState.ts"

export const ofRows: ReadonlyArray<Planted> = [
  {
    name: "first-by-arrival",
    breaks: "A1, E13: of rows of one time the one that came first is first",
    edits: [
      [
        "streams/aggregates/FirstLast.ts",
        "if (sign * compareTo(p, slot, time, lanes[i], ordinals[i], subs[i]) >= 0) continue",
        "continue"
      ]
    ]
  },
  {
    name: "folded-by-arrival",
    breaks: "A1, E13: rows that are kept for a reducer are folded as they came",
    edits: [
      [
        "streams/aggregates/KeptRows.ts",
        "compareLanes(lanes[a], lanes[b]) || ordinals[a] - ordinals[b] || subs[a] - subs[b]",
        "0"
      ]
    ]
  },
  {
    name: "flat-map-loses-last",
    breaks: "L1: the last output of a chunk is lost",
    edits: [
      [
        "streams/Stateless.ts",
        "counters.forwarded += n\n    flush(out.length)",
        "counters.forwarded += n\n    flush(n > 1 ? out.length - 1 : out.length)"
      ]
    ]
  },
  {
    name: "effect-rows-shift",
    breaks: "T13: a row that an effect gives up on leaves its place to the next",
    edits: [["actors/Chain.ts", "Int32Array.from(order, (k) => from[k])", "Int32Array.from(order, (k) => k)"]]
  },
  {
    name: "dedupe-forgets-at-restart",
    breaks: "A3, E8: ids that were seen are forgotten at a restart",
    edits: [
      [
        dedupe,
        "if (isMine([id] as KeyTuple)) this.#register(",
        "if (count < 0 && isMine([id] as KeyTuple)) this.#register("
      ]
    ]
  },
  {
    name: "dedupe-late-registers",
    breaks: "A3: a late row that is forwarded is compared",
    edits: [
      [
        dedupe,
        "if (t < watermarks[i] - allowedLatenessMs) {",
        'if (t < watermarks[i] - allowedLatenessMs && late !== "forward") {'
      ]
    ]
  },
  {
    name: "dedupe-forgets-early",
    breaks: "A3, E8: ids go when the watermark passes the beginning of their bucket",
    edits: [
      [dedupe, "if ((this.#oldest + 1) * bucketMs - 1 + keptMs >= watermark) return true", ""],
      [dedupe, "if ((at + 1) * bucketMs - 1 + keptMs >= watermark) {", "if (at * bucketMs + keptMs >= watermark) {"]
    ]
  },
  {
    name: "dead-letter-dropped",
    breaks: "E14, L1: a dead letter is counted, and not kept",
    edits: [
      [
        "actors/Task.ts",
        "this.#dead?.stage({ length: letters.length, bytes, rows: letters } as Sized)",
        "if (bytes < 0) this.#dead?.stage({ length: letters.length, bytes, rows: letters } as Sized)"
      ]
    ]
  },
  {
    name: "dead-letters-given-up",
    breaks: "C9, S14, E14: dead letters of a checkpoint that was given up are not part of the next",
    edits: [["checkpoint/DeadLetters.ts", '${last.epoch === epoch ? last.text : ""}', ""]]
  },
  {
    name: "late-rows-dropped",
    breaks: "L1: late rows are counted, and not written",
    edits: [
      [
        "actors/WindowAggregator.ts",
        "this.#late?.stage({ length: rows.length, bytes: rows.length * 64, rows } as Sized)",
        "void rows"
      ]
    ]
  },
  {
    name: "late-output-lost-at-restart",
    breaks: "C5, E11: of what is pending only the first output is committed again",
    edits: [
      [
        "actors/Recovery.ts",
        "yield* pendingUnder(query, base, plan))",
        "(yield* pendingUnder(query, base, plan)).slice(0, 1))"
      ]
    ]
  },
  {
    name: "dead-row-uncounted",
    breaks: "L1, L4, E9: a row that an effect gives up on is in no count",
    edits: [["actors/Chain.ts", "counters.dead++\n        task.buryRow", "task.buryRow"]]
  },
  {
    name: "edge-loses-chunk",
    breaks: "L3, E9: a chunk that comes to an edge with a queue is lost",
    edits: [
      [
        "actors/Edge.ts",
        'if (m.tag === "data") this.sent += m.payload.length',
        'if (m.tag === "data") this.sent += m.payload.length\n    if (m.tag === "data" && m.watermark === undefined && this.#size > 0) return true'
      ]
    ]
  },
  {
    name: "counts-not-restored",
    breaks: "L2, L4, E9: counts begin anew at a restart",
    edits: [["actors/WindowAggregator.ts", "if (from.takesCounts) this.task.restoreCounters(state.counters)", ""]]
  },
  {
    name: "counter-beside-state",
    breaks: "L2: held is a counter beside the state, and sessions are lost at a restart",
    edits: [
      [
        "streams/state/SessionState.ts",
        "return this.#store.state.rows()",
        "return this.#counters.contributed - this.#counters.settled"
      ],
      [
        "streams/state/SessionState.ts",
        "const from = slotsOfKeys(slots, ids)",
        "const from = slotsOfKeys(slots, ids).slice(1)"
      ]
    ]
  },
  {
    name: "table-not-restored",
    breaks: "A4, E11: the table of a complete output is empty after a restart",
    edits: [["actors/SinkWriter.ts", "this.#table?.restore(state.table)", ""]]
  },
  {
    name: "early-panes-stale",
    breaks: "A4: a window that has come out early is not brought up to date when it fires",
    edits: [
      [
        "streams/state/WindowPanes.ts",
        "for (const part of this.#slices.partsOf(start)) for (const slot of part.early) ids.add(part.slots.ids[slot])",
        "for (const part of this.#slices.partsOf(start).slice(0, 1)) for (const slot of part.early) ids.add(part.slots.ids[slot])"
      ]
    ]
  },
  {
    name: "rows-not-counted-on",
    breaks: "A1, C11: a partition's rows are numbered anew after a restart",
    edits: [["actors/PartitionReader.ts", "this.#counted = record?.rows ?? 0", "this.#counted = 0"]]
  },
  {
    name: "lane-not-restored",
    breaks: "A1, E13: a partition has another place among the others after a restart",
    edits: [["actors/Build.ts", "(record?.lane ?? this.#nextLane++)", "this.#nextLane++"]]
  }
]
