/**
 * Planted bugs that were thought of without a look at the others, nor at what the histories do: each in another file, and
 * of another rule.
 */
import type { Planted } from "../edit.ts"

export const unseen: ReadonlyArray<Planted> = [
  {
    name: "sessions-restored-by-slot",
    breaks: "T9, E6: the open sessions of a key stand in the order of their slots after a restart, not of their starts",
    edits: [
      [
        "streams/state/SessionState.ts",
        "else open.splice(this.#find(open, starts[from[i]]), 0, session)",
        "else open.push(session)"
      ]
    ]
  },
  {
    name: "early-marks-stay",
    breaks:
      "A6, A4: a slice that takes the room of another has its marks of what changed, and emits panes without rows",
    edits: [["streams/state/SliceState.ts", "this.early.clear()", ""]]
  },
  {
    name: "horizon-or-lateness",
    suite: "copies",
    breaks: "A3, E8: an id is kept for the longer of horizon and lateness, not for both",
    edits: [
      [
        "streams/state/DedupeState.ts",
        "const keptMs = (this.#o.horizonMs ?? 0) + this.#o.allowedLatenessMs",
        "const keptMs = Math.max(this.#o.horizonMs ?? 0, this.#o.allowedLatenessMs)"
      ]
    ]
  },
  {
    name: "takeovers-count-as-retained",
    breaks: "C5, C9: each takeover takes the place of an epoch that was to stay readable",
    edits: [
      [
        "checkpoint/leftovers.ts",
        'const all = kept.filter(({ kind }) => kind === "epoch")',
        'const all = kept.filter(({ kind }) => kind !== "damaged")'
      ]
    ]
  },
  {
    name: "active-again-untold",
    suite: "live",
    breaks: "T7, E4: a partition that is no longer idle is still left out when others are raised",
    edits: [["actors/PartitionTime.ts", "for (const b of this.branches) b.lanes.move(b.lane)", ""]]
  },
  {
    name: "table-keeps-less",
    breaks: "A4: a table drops rows that are exactly as old as it keeps",
    edits: [
      [
        "actors/CompleteTable.ts",
        "if (time >= (byClock ? nowMs : watermark) - this.#keepMs) continue",
        "if (time > (byClock ? nowMs : watermark) - this.#keepMs) continue"
      ]
    ]
  },
  {
    name: "state-freed-at-ttl",
    breaks: "A7: a keyed state is freed when a row may still see it: expired is what is later than t0 + ttl",
    edits: [
      [
        "streams/state/ProcessKeys.ts",
        "if (this.#since[id] + this.#ttlMs < now) {",
        "if (this.#since[id] + this.#ttlMs <= now) {"
      ],
      ["streams/state/ProcessKeys.ts", "this.#expiries.minKey() < now", "this.#expiries.minKey() <= now"]
    ]
  },
  {
    name: "claimed-though-others-came",
    suite: "split",
    breaks: "C5a, S18: who was free to take over does so though another has taken over since",
    edits: [
      [
        "checkpoint/claim.ts",
        'turn.tag === "free" ? highest === turn.highest : base?.attempt === turn.attempt',
        'turn.tag === "free" ? highest >= turn.highest : base?.attempt === turn.attempt'
      ]
    ]
  },
  {
    name: "next-file-from-the-middle",
    breaks: "C1, T12: after a restart within a file the next one is read from that place too",
    edits: [["connectors/files/lane.ts", "pass() mark = startMark renew()", "pass()\nrenew()"]]
  },
  {
    name: "union-of-the-first-watermark",
    breaks: "T3, E1: where two timed streams of one task meet, the watermark is that of the first alone",
    edits: [
      [
        "actors/Chain.ts",
        "const w = known === undefined ? make(node, watermark) : follow(known, watermark)",
        "const w = known ?? make(node, watermark)"
      ]
    ]
  }
]
