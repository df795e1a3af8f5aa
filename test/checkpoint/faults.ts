/**
 * Weaker wordings of the rules, as edits of the code: each must be found by some walk. `from` must stand in the file,
 * however spaced: a change there asks for a look at this table.
 */

/** Replaces `from` by `to` in a file of src/checkpoint. */
export type Edit = readonly [file: string, from: string, to: string]

/** The faults, by the rule they break. */
export const faults: ReadonlyArray<readonly [name: string, edits: ReadonlyArray<Edit>]> = [
  [
    "C5: a takeover without the pending epoch",
    [["claim.ts", "...{ epoch, prepared, readers", "...{ epoch, prepared: prepared.slice(9), readers"]]
  ],
  [
    "C5: what is pending is that of the number before, not of the base",
    [
      [
        "claim.ts",
        "if (!isAsJudged(o.turn, found)) return undefined",
        "if (!isAsJudged(o.turn, found)) return undefined\n if (found.base !== undefined) Object.assign(found.base, { prepared: found.base.kind === 'epoch' ? found.base.prepared : [] })"
      ]
    ]
  ],
  [
    "C6: no void, an unreadable primary without a copy is passed over",
    [["findBase.ts", "if (!chain.voids) return", "if (Boolean(chain)) return"]]
  ],
  [
    "C6: an unreadable primary without a copy stops whoever finds it",
    [
      [
        "findBase.ts",
        'if (verdict.tag !== "orphan") return verdict',
        'if (verdict.tag !== "orphan") return verdict\n if (Boolean(chain)) return { tag: "refuse", error: untrusted(query, "orphan") }'
      ]
    ]
  ],
  [
    "C6: a manifest has no copy",
    [
      ["ownership.ts", 'yield* putManifest("copy", number, bytes)', ""],
      [
        "claim.ts",
        'const copy = yield* failpoint("takeover.copy", failed(second))',
        'const copy: string = second === undefined ? "taken" : "put"'
      ]
    ]
  ],
  [
    "C3: epochs are committed before their manifest has its copy",
    [
      [
        "ownership.ts",
        'yield* putManifest("copy", number, bytes)',
        'yield* Effect.forkDetach(putManifest("copy", number, bytes))'
      ]
    ]
  ],
  [
    "C5: what no manifest names is swept, whoever wrote it",
    [
      [
        "leftovers.ts",
        "isLower(attemptOfData(name)) && !named.has(name)",
        "attemptOfData(name) !== undefined && !named.has(name)"
      ]
    ]
  ],
  [
    "C5: collected manifests are deleted",
    [
      [
        "leftovers.ts",
        "objects.put(manifestName(query, copy, number), bytes)",
        "objects.delete(manifestName(query, copy, number))"
      ]
    ]
  ],
  [
    "C5: the newest manifest is collected too",
    [["leftovers.ts", "return kept.slice(0, -1).filter", "return kept.filter"]]
  ],
  [
    "C5: the sweep takes what the newest manifest names",
    [["leftovers.ts", "isLower(attemptOfData(name)) && !named.has(name)", "isLower(attemptOfData(name))"]]
  ],
  [
    "C5: a takeover puts its number over another's",
    [
      [
        "claim.ts",
        'const first = putOnce(objects, manifestName(query, "primary", number), bytes)',
        'const first = Effect.as(objects.put(manifestName(query, "primary", number), bytes), "put" as const)'
      ]
    ]
  ],
  [
    "C9: no reply is taken for a success",
    [
      [
        "cells.ts",
        'if (Result.isSuccess(put) && put.success) return "put"',
        'if (Result.isFailure(put) || put.success) return "put"'
      ]
    ]
  ],
  [
    "C9: an epoch is given up when the put of its manifest gets no reply",
    [
      [
        "cells.ts",
        "const seen = yield*",
        "if (Result.isFailure(put) && name.includes('/primary/') && n === 0) return yield* Effect.fail(put.failure)\n const seen = yield*"
      ],
      ["claim.ts", "failed(first)", "failed(Effect.retry(first, { times: 9 }))"],
      [
        "ownership.ts",
        "end(storeFailed(query, `resolve whether manifest ${number} was written`, error))",
        "Effect.suspend(() => { unresolved = undefined; latest = { ...latest, number }; return Effect.fail(error) })"
      ]
    ]
  ],
  [
    "C9: a state that is tried again has the name of the one before, and no checksum in the manifest",
    [
      ["ownership.ts", "latest.number + 1, goes, copy)", "latest.number + 1, 0, copy)"],
      ["SnapshotCodec.ts", "if (crc !== undefined && crc !== framed.crc)", "if (crc === -1)"]
    ]
  ],
  [
    "C5: an attempt that was passed goes on, and puts its manifests over those of others",
    [
      [
        "ownership.ts",
        "putOnce(objects, name, bytes, (e) => troubled(number, e))",
        'Effect.as(objects.put(name, bytes), "put" as const)'
      ],
      ["ownership.ts", "isPassed(objects, query, number))", "Effect.succeed(false))"]
    ]
  ],
  ["C6: state has one copy", [["ownership.ts", 'objects.replicated === true ? ["a"] : ["a", "b"]', '["a"]']]],
  [
    "C6: the first copy of a state is believed, sound or not",
    [["Frame.ts", "if (crc32(bytes.subarray(0, 16), crc32(payload)) !== crc)", "if (crc === -1)"]]
  ]
]
