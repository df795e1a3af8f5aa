/** Reading by the bare SDK, for the benchmarks to measure it or the service beside it. */
import { EventHubConsumerClient, earliestEventPosition } from "@azure/event-hubs"

/** Reads a hub from its first event until so many have come; as tidemark does, it takes bodies as they are. */
export const receiveBySdk = async (connection: string, events: number): Promise<void> => {
  const client = new EventHubConsumerClient("$Default", connection)
  let count = 0
  await new Promise<void>((done, fail) => {
    client.subscribe(
      {
        processEvents: (some) => {
          count += some.length
          if (count === events) done()
          return Promise.resolve()
        },
        processError: (error) => Promise.resolve(fail(error))
      },
      {
        startPosition: earliestEventPosition,
        maxBatchSize: 1_000,
        maxWaitTimeInSeconds: 1,
        skipParsingBodyAsJson: true
      }
    )
  })
  await client.close()
}
