/**
 * The edges: the few files of src that may touch what the simulator cannot control, each with its uses and a reason.
 *
 * Everything else gets time, randomness, files and sockets from services. Read by `tidy.test.ts`, which fails when a
 * use is not listed and when a listed one is gone, and by `oxlint.config.ts` for the folders that import no `node:*`.
 */

/** What an edge may touch; `node:...` is an import of that module, of which `node:buffer` and the like are no use. */
export type Use =
  | `node:${string}`
  | `@azure/${string}` // an SDK, imported for its values; types are no use
  | "Date.now" // also `Date()` and `new Date()` without a time
  | "Math.random" // also `crypto.randomUUID` and `crypto.getRandomValues`
  | "timers" // setTimeout, setInterval, setImmediate and clearing them
  | "performance"
  | "process"
  | "console"

/** One file, the uses it has, and why a service would not do. */
export interface Edge {
  readonly file: string
  readonly uses: ReadonlyArray<Use>
  readonly because: string
}

/** The whole list, by file name. */
export const edges: ReadonlyArray<Edge> = [
  {
    file: "src/actors/TimeSliceScheduler.ts",
    uses: ["performance", "timers"],
    because: "lets the event loop have its turn: it is the scheduler that all services run on"
  },
  {
    file: "src/actors/nodeHeap.ts",
    uses: ["node:v8"],
    because: "asks V8 how much memory it may use, behind the reference `HeapLimit`"
  },
  {
    file: "src/checkpoint/nodeProcessFacts.ts",
    uses: ["node:fs/promises", "node:os", "node:process"],
    because: "asks the system who this process is and whether another one is gone, behind the reference `HostProcess`"
  },
  {
    file: "src/checkpoint/zlib.ts",
    uses: ["node:zlib"],
    because: "compresses; what it makes depends on its input alone"
  },
  {
    file: "src/cli/failpointHandler.ts",
    uses: ["node:fs", "process"],
    because: "kills or freezes the process it runs in, when a test asks for it"
  },
  {
    file: "src/cli/loadJob.ts",
    uses: ["node:fs", "node:path", "node:url"],
    because: "looks for the user's file and imports it, as Node itself does"
  },
  {
    file: "src/cli/main.ts",
    uses: ["node:fs", "node:module", "performance", "process", "timers"],
    because: "is where the program meets its process: arguments, signals, terminal, exit code"
  },
  {
    file: "src/connectors/blob/azureContainer.ts",
    uses: ["@azure/identity", "@azure/storage-blob"],
    because:
      "is Azure's own client of Blob storage, behind the contract `BlobContainer`; it keeps time and chance of its own"
  },
  {
    file: "src/connectors/blob/md5.ts",
    uses: ["node:crypto"],
    because: "takes checksums; what it makes depends on its input alone"
  },
  {
    file: "src/connectors/eventhubs/embedded/disk.ts",
    uses: ["node:fs/promises", "node:path"],
    because: "is the folder in which the embedded Event Hubs keeps its events"
  },
  {
    file: "src/connectors/eventhubs/embedded/hmac.ts",
    uses: ["node:crypto"],
    because: "signs and compares; what it makes depends on its input alone"
  },
  {
    file: "src/connectors/eventhubs/embedded/listener.ts",
    uses: ["node:net", "node:tls"],
    because: "is the port of the embedded Event Hubs; the rest of it sees sockets that are open"
  },
  {
    file: "src/connectors/eventhubs/embedded/timers.ts",
    uses: ["timers"],
    because: "lets sockets have their turn, and delays what a test wants late"
  },
  {
    file: "src/connectors/eventhubs/sdkClient.ts",
    uses: ["@azure/event-hubs", "@azure/identity", "node:os", "process"],
    because:
      "is Azure's own client of Event Hubs, behind the contract `EventHubsClient`; it has timers of its own, and tells other readers which process it is"
  },
  {
    file: "src/connectors/files/inflate.ts",
    uses: ["node:zlib"],
    because: "decompresses by demand; what it makes depends on its input alone"
  },
  {
    file: "src/connectors/files/nodeFileSystem.ts",
    uses: ["node:fs", "node:fs/promises"],
    because: "is the file system itself, behind the service `FileSystem`"
  },
  {
    file: "src/connectors/socket/tcp.ts",
    uses: ["node:net"],
    because: "is the TCP connection itself; the rest of the socket source sees only its bytes"
  },
  {
    file: "src/formats/parquetCodecs.ts",
    uses: ["node:zlib"],
    because: "decompresses Parquet pages, synchronously; what it makes depends on its input alone"
  },
  {
    file: "src/model/crc32.ts",
    uses: ["node:zlib"],
    because: "takes checksums; what it makes depends on its input alone"
  },
  {
    file: "src/monitor/HttpServer.ts",
    uses: ["node:module"],
    because: "opens the HTTP server itself, by Node's own module, loaded in the way that does not load its client too"
  },
  {
    file: "src/monitor/unixSocket.ts",
    uses: ["node:fs/promises", "node:net", "node:os", "process"],
    because: "is the Unix socket itself: its folder, its owner, its rights; the rest of the control socket sees lines"
  }
]
