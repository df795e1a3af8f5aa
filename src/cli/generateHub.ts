/** Where `tidemark generate` sends events to a hub: those of a partition here to one there, in order. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { sinkError } from "../connectors/eventhubs/faults.ts"
import { sendWithRetry } from "../connectors/eventhubs/sendWithRetry.ts"
import { asCliFailure, type CliFailure, ExitCode, failed } from "./failure.ts"
import type { GenerateOptions, Target } from "./generateTarget.ts"
import { connectHub, hubConnection, type HubFlags, inTime, nameOf } from "./hubConnection.ts"
import { bytes as size, many } from "./words.ts"

/** An endless run sends a little at a time, so that few events make a request and not one. */
const gatherMs = 50

/** A hub. */
export const toHub = (o: GenerateOptions, flags: HubFlags): Effect.Effect<Target, CliFailure, Scope.Scope> =>
  Effect.gen(function* () {
    const connection = yield* hubConnection(flags)
    const name = nameOf(connection)
    const client = yield* Effect.mapError(connectHub(connection), asCliFailure)
    const asked = Effect.mapError(client.hub, (error) => asCliFailure(sinkError(name, error)))
    const { partitionIds: ids } = yield* inTime(asked, name, flags.timeoutMs)
    const { partitions = ids.length } = o
    if (partitions > ids.length) {
      const why = `--partitions: ${partitions}: ${name} has ${many(ids.length, "partition")}`
      return yield* Effect.fail(failed(why, ExitCode.usage))
    }
    let sent = 0
    let bytes = 0
    let tooLarge = 0
    const send = (partition: string, lines: ReadonlyArray<Uint8Array>) => {
      const events = lines.map((body) => ({ body, messageId: undefined }))
      return Effect.map(
        Effect.mapError(sendWithRetry(client, { partition, partitionKey: undefined, events }), (error) =>
          sinkError(name, error)
        ),
        (refused) => {
          tooLarge += refused.length
          sent += lines.length - refused.length
          bytes += lines.reduce((sum, line) => sum + line.length, 0)
          for (const i of refused) bytes -= lines[i].length
        }
      )
    }
    const pause = o.count === undefined ? Effect.sleep(gatherMs) : Effect.void
    return {
      partitions,
      pace: name,
      prepare: Effect.void,
      open: (partition) =>
        Effect.succeed((lines) => Effect.andThen(Effect.uninterruptible(send(ids[Number(partition)], lines)), pause)),
      said: () =>
        `${many(sent, "event")} (${size(bytes)}) sent to ${name}` +
        (tooLarge === 0 ? "" : `; ${many(tooLarge, "event")} not sent, larger than the hub takes`)
    }
  })
