/**
 * A send: one event or a batch, taken apart, dealt to a partition, appended as a whole or not at all.
 *
 * It is accepted when it is in the log; with a folder for data, when it is durable. What is refused leaves no trace.
 */
import { Malformed } from "./amqpWalk.ts"
import type { Publisher } from "./attachPublisher.ts"
import { Refusal } from "./conditions.ts"
import { expire, type Partition, wake } from "./Hub.ts"
import type { Namespace } from "./Namespace.ts"
import { partitionKeyHash, partitionOfHash } from "./partitionKeyHash.ts"
import { hasTooManyAnnotations } from "./PartitionLog.ts"
import type { AmqpError } from "./rhea.ts"
import { batchFormat, makeScan, type Scan, scanTransfer } from "./scanTransfer.ts"

/** Used for one send after the other. */
const scan = makeScan()

/** Bytes of the characters of the key begin behind its code and length. */
const keyText = ({ bytes, keyFrom }: Scan): number => keyFrom + (bytes[keyFrom] === 0xa1 ? 2 : 5)

const hasKey = ({ keyFrom, keyTo }: Scan): boolean => keyTo > keyFrom

/** The partition that a send goes to. */
const dealt = ({ hub, partition }: Publisher): Partition => {
  if (partition !== undefined) return partition
  const { partitions } = hub
  if (!hasKey(scan)) return partitions[hub.turn++ % partitions.length]
  return partitions[partitionOfHash(partitionKeyHash(scan.bytes, keyText(scan), scan.keyTo), partitions.length)]
}

/** Why an idempotent producer's send is refused; `repeated`: it is there already. */
const judged = ({ producer }: Publisher): AmqpError | "new" | "repeated" => {
  if (producer === undefined) return "new"
  const { state, epoch } = producer
  const first = scan.producerSequence
  if (epoch < state.epoch) return Refusal.producerFenced(epoch, state.epoch)
  if (Number.isNaN(first)) return "new"
  if (first + scan.count - 1 <= state.sequence) return "repeated"
  if (first !== state.sequence + 1) return Refusal.outOfOrder(first, state.sequence + 1)
  state.sequence += scan.count
  return "new"
}

const take = (bytes: Buffer, format: number | null | undefined): AmqpError | undefined => {
  try {
    scanTransfer(scan, bytes, format === batchFormat)
    return hasTooManyAnnotations(scan) ? Refusal.malformed("an event has too many annotations") : undefined
  } catch (error) {
    if (error instanceof Malformed) return Refusal.malformed(error.message)
    throw error
  }
}

/** Looks at everything that may be wrong with a send, and counts what is. */
const refusalOf = (
  { settings, faults, throughput, counts, now }: Namespace,
  publisher: Publisher,
  bytes: Buffer,
  format: number | null | undefined
): AmqpError | undefined => {
  const injected = faults.take("send")
  if (injected !== undefined) return injected
  if (bytes.length > settings.messageBytesMax) return Refusal.tooLarge(bytes.length, settings.messageBytesMax)
  const wrong = take(bytes, format)
  if (wrong !== undefined) return wrong
  if (publisher.partition !== undefined && hasKey(scan)) return Refusal.keyAtPartition()
  if (throughput(scan.count, bytes.length, now())) return undefined
  counts.throttledSends++
  return Refusal.busy()
}

/** Takes a send in. Calls back, perhaps later, with the error that it is refused with, or without one. */
export const publish = (
  namespace: Namespace,
  publisher: Publisher,
  bytes: Buffer,
  format: number | null | undefined,
  settle: (error?: AmqpError) => void
): void => {
  const { counts, now } = namespace
  counts.sends++
  const refusal = refusalOf(namespace, publisher, bytes, format)
  const verdict = refusal ?? judged(publisher)
  if (typeof verdict === "object") {
    counts.refusedSends++
    return settle(verdict)
  }
  if (verdict === "repeated" || scan.count === 0) return settle()
  const partition = dealt(publisher)
  const { log, store } = partition
  const key = hasKey(scan) ? bytes.subarray(scan.keyFrom, scan.keyTo) : undefined
  const stretches = log.append(scan, key, now())
  const end = log.nextSequence
  counts.eventsIn += scan.count
  counts.bytesIn += bytes.length
  const settled = (): void => {
    log.confirm(end)
    expire(partition, publisher.hub.retention, now())
    wake(partition)
    settle()
  }
  if (store === undefined) return settled()
  store.keep(stretches).then(settled, (error: Error) => {
    counts.refusedSends++
    settle(Refusal.internal(`The event could not be stored: ${error.message}`))
  })
}
