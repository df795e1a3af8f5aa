/** Planted bugs of files: what has to be durable before it is relied upon, and the commit of a file sink. */
import type { Planted } from "../edit.ts"

const store = "connectors/files/FileObjectStore.ts"
const commit = "connectors/files/fileCommit.ts"
const writer = "connectors/files/fileWriter.ts"

export const ofFiles: ReadonlyArray<Planted> = [
  {
    name: "folders-not-synced",
    breaks: "C3, S17: no folder is synced",
    edits: [
      [
        "connectors/files/FileSystem.ts",
        "failpoint(`dir.fsync.${what}`, fs.syncDirectory(path))",
        "failpoint(`dir.fsync.${what}`, fs === undefined ? fs : Effect.asVoid(Effect.succeed(path)))"
      ]
    ]
  },
  {
    name: "store-folders-not-synced",
    breaks: "C3, S17: the folders of manifests and state are not synced",
    edits: [
      [store, "segment === undefined ? fs.syncDirectory(folder) : syncFolder(fs, folder, segment)", "Effect.void"]
    ]
  },
  {
    name: "parents-not-synced",
    breaks: "C3, S17: the parents of new folders are not synced",
    edits: [
      [
        "connectors/files/FileSystem.ts",
        'syncFolder(fs, up, "parent")',
        "Effect.void as Effect.Effect<void, FileError>"
      ]
    ]
  },
  {
    name: "objects-not-synced",
    breaks: "C3, S17: the bytes of manifests and state are not synced",
    edits: [[store, 'segment === "data" ? failpoint("snapshot.fsync", file.sync) : file.sync', "Effect.void"]]
  },
  {
    name: "failed-sync-retried",
    breaks: "C2, C3, S17: a sync that failed is asked for again, and the second answer believed",
    edits: [
      [
        store,
        'yield* segment === "data" ? failpoint("snapshot.fsync", file.sync) : file.sync',
        'const synced = Effect.retry(file.sync, { times: 9 })\n        yield* segment === "data" ? failpoint("snapshot.fsync", synced) : synced'
      ],
      [
        writer,
        'yield* failpoint("stage.fsync", file.sync)',
        'yield* failpoint("stage.fsync", Effect.retry(file.sync, { times: 9 }))'
      ]
    ]
  },
  {
    name: "staged-not-synced",
    breaks: "C2, S17: staged files are not synced",
    edits: [[writer, 'yield* failpoint("stage.fsync", file.sync)', ""]]
  },
  {
    name: "staged-names-not-synced",
    breaks: "C3, S17: the names of staged files are not synced",
    edits: [[writer, 'if (closed.length > 0) yield* syncFolder(fs, folder, "stage")', ""]]
  },
  {
    name: "file-marker-forgotten",
    breaks: "C2, C4, S4: files are shown without a marker",
    edits: [
      [
        commit,
        'yield* Effect.retry(writeMarker(fs, place, prepared, record), {\n        times: markAgain,\n        while: (e) => e.code === "NotFound"\n      })',
        "void [writeMarker, markAgain]"
      ]
    ]
  },
  {
    name: "marker-after-files",
    breaks: "C2, C3, S4: the marker is written when the files are shown",
    edits: [
      [commit, "for (const file of record.files) yield* show(fs, place, prepared, file)", ""],
      [
        commit,
        'if (marked === "not yet") {\n      yield* Effect.retry(',
        'for (const file of record.files) yield* show(fs, place, prepared, file)\n    if (marked === "not yet") {\n      yield* Effect.retry('
      ]
    ]
  },
  {
    name: "first-file-only",
    breaks: "C2, S4: a commit that was cut off is not finished",
    edits: [
      [
        commit,
        'return other === undefined ? "now" : yield* Effect.fail(otherRun(place, prepared, other))',
        'return other === undefined ? "long ago" : yield* Effect.fail(otherRun(place, prepared, other))'
      ]
    ]
  },
  {
    name: "file-sweep-takes-pending",
    breaks: "C5, S16: a file sink's sweep takes what is pending before it is committed",
    edits: [
      [
        "actors/Recovery.ts",
        "yield* commitAll(state, topology.sinks, yield* pendingUnder(query, base, plan))\n    for",
        "for"
      ],
      [
        "actors/Recovery.ts",
        "yield* ownership.sweep\n  })",
        "yield* commitAll(state, topology.sinks, yield* pendingUnder(query, base, plan))\n    yield* ownership.sweep\n  })"
      ],
      [
        "connectors/files/fileAttempts.ts",
        "by.attempt < attempt && !kept.has(name)",
        "by.attempt < attempt && kept.size >= 0"
      ]
    ]
  }
]
