/** Planted bugs of the chain of manifests: takeovers, fencing, rot, sweeps. */
import type { Planted } from "../edit.ts"

const claim = "checkpoint/claim.ts"
const ownership = "checkpoint/ownership.ts"
const leftovers = "checkpoint/leftovers.ts"
const findBase = "checkpoint/findBase.ts"

export const ofTheChain: ReadonlyArray<Planted> = [
  {
    name: "takeover-without-pending",
    breaks: "C5, S2: a takeover does not carry what is pending",
    edits: [[claim, "...{ epoch, prepared, readers", "...{ epoch, prepared: prepared.slice(9), readers"]]
  },
  {
    name: "pending-of-takeovers-forgotten",
    breaks: "C5, S2: a takeover of a takeover does not carry what is pending",
    edits: [
      [
        claim,
        "if (!isAsJudged(o.turn, found)) return undefined",
        'if (!isAsJudged(o.turn, found)) return undefined\n    if (found.base !== undefined) Object.assign(found.base, { prepared: found.base.kind === "epoch" ? found.base.prepared : [] })'
      ]
    ]
  },
  {
    name: "fencing-ignored",
    breaks: "C5, S6, S7: an attempt that was passed goes on, and puts its manifests over those of others",
    edits: [
      [
        ownership,
        "putOnce(objects, name, bytes, (e) => troubled(number, e))",
        'Effect.as(objects.put(name, bytes), "put" as const)'
      ],
      [ownership, "isPassed(objects, query, number))", "Effect.succeed(false))"]
    ]
  },
  {
    name: "one-manifest",
    breaks: "C6, S3: a manifest has no copy",
    edits: [
      [ownership, 'yield* putManifest("copy", number, bytes)', ""],
      [
        claim,
        'const copy = yield* failpoint("takeover.copy", failed(second))',
        'const copy: string = second === undefined ? "taken" : "put"'
      ]
    ]
  },
  {
    name: "commit-before-copy",
    breaks: "C3, S3: an epoch is committed before its manifest has its copy",
    edits: [
      [
        ownership,
        'yield* putManifest("copy", number, bytes)',
        'yield* Effect.forkDetach(Effect.andThen(Effect.sleep("200 millis"), putManifest("copy", number, bytes)))'
      ]
    ]
  },
  {
    name: "no-void",
    breaks: "C6, S11: an unreadable primary without a copy is passed over",
    edits: [[findBase, "if (!chain.voids) return", "if (Boolean(chain)) return"]]
  },
  {
    name: "void-not-believed",
    breaks: "C6, S11, S21: a void is taken for a damaged copy",
    edits: [[findBase, 'if (c.tag === "void") return { tag: "below" }', ""]]
  },
  {
    name: "orphan-stops",
    breaks: "C6, S21: an unreadable primary without a copy stops whoever finds it",
    edits: [
      [
        findBase,
        'if (verdict.tag !== "orphan") return verdict',
        'if (verdict.tag !== "orphan") return verdict\n    if (Boolean(chain)) return { tag: "refuse", error: untrusted(query, "orphan") }'
      ]
    ]
  },
  {
    name: "second-copy-unused",
    breaks: "C6, S9: the copy of a damaged manifest is not used",
    edits: [[findBase, 'if (c.tag === "manifest") return { tag: "base", manifest: c.manifest }', ""]]
  },
  {
    name: "second-state-unused",
    breaks: "C6, S9: the copy of a damaged state is not used",
    edits: [
      ["checkpoint/stateFiles.ts", "for (const name of state.names) {", "for (const name of state.names.slice(0, 1)) {"]
    ]
  },
  {
    name: "one-state",
    breaks: "C6, S9: state on plain files has one copy",
    edits: [[ownership, 'objects.replicated === true ? ["a"] : ["a", "b"]', '["a"]']]
  },
  {
    name: "second-copy-not-repaired",
    breaks: "C6, S9: a damaged copy of a manifest stays",
    edits: [[ownership, "yield* mends.get(number) ?? Effect.void", "yield* Effect.void"]]
  },
  {
    name: "no-checksum",
    breaks: "C6, S9: a damaged file is believed",
    edits: [["checkpoint/Frame.ts", "if (crc32(bytes.subarray(0, 16), crc32(payload)) !== crc)", "if (crc === -1)"]]
  },
  {
    name: "no-reply-is-success",
    breaks: "C9, S13: a put without a reply is taken for one that was done",
    edits: [
      [
        "checkpoint/cells.ts",
        'if (Result.isSuccess(put) && put.success) return "put"',
        'if (Result.isFailure(put) || put.success) return "put"'
      ]
    ]
  },
  {
    name: "newest-collected",
    breaks: "C5, S16: the newest manifest is collected too",
    edits: [[leftovers, "return kept.slice(0, -1).filter", "return kept.filter"]]
  },
  {
    name: "collected-deleted",
    breaks: "C5, S15: a collected manifest leaves no tombstone",
    edits: [
      [
        leftovers,
        "objects.put(manifestName(query, copy, number), bytes)",
        "objects.delete(manifestName(query, copy, number))"
      ]
    ]
  },
  {
    name: "sweep-takes-named",
    breaks: "C5, S16: the sweep takes what the newest manifest names",
    edits: [[leftovers, "isLower(attemptOfData(name)) && !named.has(name)", "isLower(attemptOfData(name))"]]
  },
  {
    name: "sweep-by-unreferenced",
    breaks: "C5, S16: what no manifest names is swept, whoever wrote it",
    edits: [
      [
        leftovers,
        "isLower(attemptOfData(name)) && !named.has(name)",
        "attemptOfData(name) !== undefined && !named.has(name)"
      ]
    ]
  },
  {
    name: "sink-sweep-takes-all",
    breaks: "C5, S8, S16: a sink's sweep takes what later attempts have staged",
    edits: [
      [
        "connectors/memory/MemorySink.ts",
        "staged.queryId === queryId && staged.attempt < attempt",
        "staged.queryId === queryId && staged.attempt !== attempt"
      ]
    ]
  },
  {
    name: "heartbeat-ignored",
    breaks: "C5a, S18: a query is taken from an owner that lives",
    edits: [["checkpoint/awaitTurn.ts", "if (look.isFree) return", "if (look.isFree || look.highest > 0) return"]]
  }
]
