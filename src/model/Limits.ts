/**
 * Every bound and default of the engine, in one place. Units are in the names.
 *
 * Nothing here is tuned per machine: a value is a promise ("a queue holds at most ..."), and tests read it from here.
 */
export const Limits = {
  /** Rows a reader asks of its cursor at a time. One chunk should cost about 1 ms of CPU: Effect is paid per chunk. */
  chunkRowsTarget: 1024,
  /** No chunk may hold more rows than this; a source that returns more fails the query. */
  chunkRowsMax: 4096,
  /** Results that an operator makes in one step when its watermark rises, before others get their turn. */
  resultsPerStepMax: 4096,
  /** Timers in a row that may be set for the very moment the one before fired at; more are a loop without end. */
  timerRepeatsMax: 1000,
  /** Windows that one row may count in. */
  windowsPerRowMax: 100_000,
  /** Bytes a reader asks of its cursor at a time. */
  chunkBytesTarget: 1 << 20,
  /** Chunks a reader pulls ahead of the one in hand. */
  chunksPulledAhead: 2,
  /** Chunks an edge holds before its sender waits. */
  edgeChunksMax: 8,
  /** Bytes an edge holds before its sender waits; one chunk is always let in, however large. */
  edgeBytesMax: 8 << 20,
  /** Chunks that one reading of a partition which several queries share holds for those that are behind (rule M1). */
  sharedChunksMax: 256,
  /** Bytes that all readings of a shared source hold so; one chunk each is let in, however large. */
  sharedBytesMax: 64 << 20,
  /** Chunks of them that are kept although all have taken them, for a query that is not there yet or restarts. */
  sharedHistoryChunks: 64,
  /** The same when all queries are there: each chunk kept costs the garbage collector. */
  sharedRecentChunks: 4,
  /** Turns of the scheduler that a shared reading gives a query that is as far behind as it may be. */
  sharedTurnsMax: 16,
  /** How long a source that cannot be read again waits, when it may hold no more, for a query that has not begun. */
  sharedStartMs: 10_000,
  /** Milliseconds of CPU after which the scheduler lets timers and sockets run. */
  timeSliceMs: 5,
  /** Distinct keys a sender remembers before it forgets them all and starts again (rule A7). */
  keyDictionaryEntriesMax: 1 << 18,
  /** Key groups: the unit in which keyed state moves when parallelism changes (rule C11). */
  keyGroups: 128,
  /** A partition without rows for this long is idle (rule T7). */
  idleAfterMs: 30_000,
  /** Upper and lower bound of the default of `maxFutureSkew` (rule T8). */
  maxFutureSkewDefaultMs: 300_000,
  maxFutureSkewFloorMs: 1_000,
  /** How far, in event time, a reader may be ahead of the slowest before it pauses (rule T14). */
  alignmentDriftMs: 300_000,
  /** How often a reader looks whether its partition became idle. */
  idleCheckMs: 250,
  /** How long a source that cannot say where its end is must be quiet, before all that was available has been read. */
  availableQuietMs: 2_000,
  /** Pace of epochs when neither the user, nor a sink, nor the checkpoint store asks for another. */
  epochIntervalMs: 100,
  /** Pace at which a query that goes as fast as possible looks whether something came. */
  asapCheckMs: 10,
  /** Pace of epochs that are kept in files, or written to them (rule A5). */
  filesEpochIntervalMs: 1_000,
  /** Pace of epochs that are kept in Azure Blob storage, where each request costs (rules A5, C5b). */
  blobEpochIntervalMs: 5_000,
  /** Epochs of a query that stay readable in its checkpoint, for `tidemark state --at`. */
  checkpointsRetained: 3,
  /** A checkpoint that takes longer is given up (rule C9). */
  checkpointTimeoutMs: 600_000,
  /** The pause after a checkpoint is as long as the checkpoint took, and at most this. */
  epochPauseMaxMs: 10_000,
  /** A checkpoint that was given up is tried again after the first, and after twice as long each time up to the second. */
  checkpointRetryMinMs: 1_000,
  checkpointRetryMaxMs: 30_000,
  /** How long a commit waits for one that an attempt that was cut off has left behind. */
  commitPatienceMs: 10_000,
  /** Checkpoints given up in a row after which the attempt ends, to begin again from the last good one (rule C9). */
  checkpointFailuresMax: 10,
  /** How often the owner of a query renews its heartbeat (rule C5a). */
  heartbeatMs: 1_000,
  /** The same in Azure Blob storage. */
  blobHeartbeatMs: 5_000,
  /** Times that one request to Blob storage is made, the first one included, before its failure counts. */
  blobTriesMax: 4,
  /** Pause before the second try, doubled before each that follows, and its bound; half of it is chance. */
  blobRetryMinMs: 200,
  blobRetryMaxMs: 5_000,
  /** How long one try may take, and how fast, beyond that, large bytes have to come or go. */
  blobTryTimeoutMs: 15_000,
  /** Tries after which no reply at all counts: a host that swallows everything should not be waited for long. */
  blobTimeoutsMax: 2,
  blobBytesPerSecondMin: 256 << 10,
  /** Bytes of one object in Blob storage: what the service takes in one request (5,000 MiB). */
  blobBytesMax: 5_000 * (1 << 20),
  /** Names that one request for a listing may give: the service's own bound. */
  blobPageNamesMax: 5_000,
  /** How long a source may take to publish committed positions, when that is tried again, and how long a drain waits. */
  publishTimeoutMs: 60_000,
  publishRetryMs: 10_000,
  publishDrainMs: 5_000,
  /** Partitions whose positions are published at a time. */
  blobPublishersMax: 8,
  /** Heartbeat intervals without a sign of life after which an owner is taken for dead (rule C5a). */
  heartbeatsMissed: 3,
  /** Epochs whose facts a query remembers, for its recent progress. */
  epochsRemembered: 100,
  /** Attempts that fail at one and the same row before the row is set aside as a dead letter. */
  poisonAttempts: 3,
  /** A line of text longer than this is a dead letter, not a row. */
  lineBytesMax: 8 << 20,
  /** Nesting of JSON deeper than this is a dead letter, not a row. */
  jsonDepthMax: 512,
  /** Bytes of the offending input that a dead letter keeps; `truncated` says when there was more. */
  deadLetterBytesMax: 64 << 10,
  /** Characters of an epoch's dead letters that its manifest carries; more are staged in an object of their own. */
  deadLettersInlineMax: 32 << 10,
  /** A page of a Parquet file that claims more bytes than this is corrupt. */
  parquetPageBytesMax: 256 << 20,
  /** Bytes that the pages of one column in one row group of a Parquet file may have together, decompressed. */
  parquetColumnBytesMax: 1 << 30,
  /** Rows of one row group of a Parquet file, and values of one of its columns. */
  parquetGroupRowsMax: 1 << 26,
  /** Bytes a file source reads at a time. */
  fileReadBytes: 256 << 10,
  /** Ordered lanes that files may be dealt to. */
  fileLanesMax: 1024,
  /** Files of a watched folder that one lane remembers; beyond it, files that were read have to be moved away. */
  watchedFilesMax: 10_000,
  /** Pace at which a watched folder is looked at when `watch` is `true`. */
  watchIntervalMs: 1_000,
  /** Folders that a `**` goes down. */
  globDepthMax: 64,
  /** Bytes after which a part file is closed and the next one begun. */
  rollBytes: 256 << 20,
  /** Restarts within the window after which the supervisor gives up and fails with the cause. */
  restartsMax: 10,
  restartsWindowMs: 60_000,
  /** How long a drain may take before the query is interrupted. */
  drainTimeoutMs: 30_000
} as const
