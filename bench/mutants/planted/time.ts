/** Planted bugs of time: watermarks, lateness, windows, sessions, the end of the input. */
import type { Planted } from "../edit.ts"

const windows = "streams/state/TimeWindowState.ts"
const slices = "streams/state/WindowSlices.ts"
const sessions = "streams/state/SessionState.ts"
const watermark = "streams/Watermark.ts"

export const ofTime: ReadonlyArray<Planted> = [
  {
    name: "late-by-operator",
    breaks: "T4, E2: lateness is judged by the operator's watermark",
    edits: [[windows, "this.#resolve(t, watermarks[i])", "this.#resolve(t, this.#slices.watermark)"]]
  },
  {
    name: "session-late-by-operator",
    breaks: "T4, E2: a session's rows are late by the operator's watermark",
    edits: [[sessions, "if (t < watermarks[i])", "if (t < this.#watermark)"]]
  },
  {
    name: "late-cut-at-slices",
    breaks: "T4: with allowed lateness, chunks are cut at slice boundaries",
    edits: [
      [
        windows,
        "const last = lastWindow(w, t)\n    if (last + w.sizeMs <= t)",
        "rowWatermark = sliceStart(w, rowWatermark)\n    const last = lastWindow(w, t)\n    if (last + w.sizeMs <= t)"
      ]
    ]
  },
  {
    name: "slice-leak",
    breaks: "T5, E3: a row late for some windows goes into the slice that all of them share",
    edits: [[windows, "return this.#stateOf(slice, enter)\n    }", "return this.#stateOf(slice, first)\n    }"]]
  },
  {
    name: "watermark-of-chunk-start",
    breaks: "T2, E1: the rows of a chunk share the watermark before it",
    edits: [[watermark, "watermarks[i] = watermark\n", "watermarks[i] = this.watermark\n"]]
  },
  {
    name: "watermark-of-chunk-end",
    breaks: "T4, E2: rows are late by the watermark at the end of their chunk",
    edits: [[watermark, "const timed = chunk.timed(", "watermarks.fill(watermark)\n    const timed = chunk.timed("]]
  },
  {
    name: "quarantined-moves-watermark",
    breaks: "T8, E1: a quarantined row moves the watermark",
    edits: [
      [watermark, "quarantined: [] }).quarantined.push(i)\n        continue", "quarantined: [] }).quarantined.push(i)"]
    ]
  },
  {
    name: "clock-guard-off-by-one",
    breaks: "T8: a row exactly as far ahead as it may be is quarantined",
    edits: [[watermark, "if (t > (append === undefined", "if (t >= (append === undefined"]]
  },
  {
    name: "session-merged-at-gap",
    breaks: "T9: rows exactly a gap apart are one session",
    edits: [
      [sessions, "t <= this.#starts[found.slot] - this.#gap", "t < this.#starts[found.slot] - this.#gap"],
      [
        sessions,
        "if (t >= this.#lasts[open[middle].slot] + this.#gap)",
        "if (t > this.#lasts[open[middle].slot] + this.#gap)"
      ]
    ]
  },
  {
    name: "session-merge-forgets-rows",
    breaks: "T9: rows of a chunk before two sessions merge are added to what is no more",
    edits: [[sessions, "this.#add(batch, from, i)\n        from = i\n        this.#merge", "this.#merge"]]
  },
  {
    name: "window-closes-late",
    breaks: "T6, T10, E3: a window whose end is the watermark stays open",
    edits: [[slices, "this.#ends.minKey() <= watermark ?", "this.#ends.minKey() < watermark ?"]]
  },
  {
    name: "state-dropped-at-close",
    breaks: "T6: state goes when a window closes, whatever lateness is allowed",
    edits: [[slices, "this.#w.sizeMs + this.#allowedLatenessMs, slice)", "this.#w.sizeMs, slice)"]]
  },
  {
    name: "late-update-missing",
    breaks: "T6, A4: a late row within the allowed lateness does not bring its window out again",
    edits: [[windows, "state.changed.add(slots[i])", "slots[i] |= 0"]]
  },
  {
    name: "slice-off-by-one",
    breaks: "E3: a window does not read its last slice",
    edits: [
      [slices, "this.#slicesFrom(start, start + this.#w.sizeMs)", "this.#slicesFrom(start, start + this.#w.sizeMs - 1)"]
    ]
  },
  {
    name: "slices-towards-zero",
    breaks: "T1: times before the epoch are rounded towards it",
    edits: [["streams/state/SliceArithmetic.ts", "Math.floor((t - offset) / step)", "Math.trunc((t - offset) / step)"]]
  },
  {
    name: "spare-slice-not-cleared",
    breaks: "A1, E3: the room of a dropped slice is used again with what it held",
    edits: [["streams/state/SliceState.ts", "for (const a of this.accumulators) a.clear(slot)", ""]]
  },
  {
    name: "chained-watermark-of-now",
    breaks: "T10: a result carries the watermark that closed its window",
    edits: [
      [
        windows,
        "slices.watermark = watermark\n    this.#results.emit(this.#sent, out)",
        "slices.watermark = watermark\n    this.#results.emit(watermark, out)"
      ]
    ]
  },
  {
    name: "result-at-end",
    breaks: "T10: a result has the event time of its window's end",
    edits: [["streams/state/WindowResults.ts", "this.#pending.times[n] = end - 1", "this.#pending.times[n] = end"]]
  },
  {
    name: "minimum-of-no-edges",
    breaks: "T3, E1: an edge that has not spoken does not hold the watermark back",
    edits: [["actors/Alignment.ts", "this.#watermarks[i] ?? -Infinity", "this.#watermarks[i] ?? Infinity"]]
  },
  {
    name: "highest-of-edges",
    breaks: "T3, E1: an operator's watermark is the highest of its inputs'",
    edits: [["actors/Alignment.ts", "return min\n", "return Math.max(min, watermark)\n"]]
  },
  {
    name: "first-end-ends-all",
    breaks: "T11, Q4: the end of one input closes what waits for the others",
    edits: [
      ["actors/Alignment.ts", "return this.#endedCount === this.#inbox.edges.length", "return this.#endedCount >= 1"]
    ]
  },
  {
    name: "drain-ends-input",
    breaks: "T11, Q4: a process that is asked to stop closes what is open",
    edits: [
      [
        "actors/PartitionReader.ts",
        "else if (puller.pollUnsafe() === undefined) yield* this.inbox.wait\n        else return",
        "else if (puller.pollUnsafe() === undefined) yield* this.inbox.wait\n        else return yield* this.#ends()"
      ]
    ]
  },
  {
    name: "idle-at-once",
    breaks: "T7, E4: a partition that waits for a moment counts as idle",
    edits: [["actors/PartitionTime.ts", "if (silentMs < b.idleAfterMs) continue", "if (silentMs < 0) continue"]]
  },
  {
    name: "watermark-overtakes-rows",
    breaks: "T13, E5: a watermark is sent before the rows that it follows",
    edits: [
      [
        "actors/OutEdge.ts",
        "const last = staged.length - 1",
        'const last = staged.length - 1\n    if (rose) to.add(this.edge, { tag: "watermark", watermark })'
      ]
    ]
  },
  {
    name: "watermark-not-restored",
    breaks: "T2, E1: a partition has no watermark after a restart",
    edits: [["actors/Build.ts", "(record.watermarks[branch] ?? -Infinity)", "-Infinity"]]
  }
]
