/** Laws of the embedded Event Hubs' bytes: what it walks over, it walks over as rhea encodes it, and never beyond. */
import * as fc from "fast-check"
import rhea from "rhea"
import { describe, expect, it } from "vitest"
import { check, Malformed, skip } from "../../src/connectors/eventhubs/embedded/amqpWalk.ts"
import { partitionKeyHash, partitionOfHash } from "../../src/connectors/eventhubs/embedded/partitionKeyHash.ts"
import { PartitionLog } from "../../src/connectors/eventhubs/embedded/PartitionLog.ts"
import { Reader } from "../../src/connectors/eventhubs/embedded/Reader.ts"
import { makeScan, scanTransfer } from "../../src/connectors/eventhubs/embedded/scanTransfer.ts"
import { SessionOut } from "../../src/connectors/eventhubs/embedded/SessionOut.ts"
import { plainOffsets, startPosition } from "../../src/connectors/eventhubs/embedded/startPosition.ts"

const { message } = rhea
/** rhea's codec, which its types leave out. */
interface Codec {
  readonly wrap: (value: unknown) => unknown
  readonly Writer: new () => { readonly write: (value: unknown) => void; readonly toBuffer: () => Buffer }
  readonly Reader: new (bytes: Buffer) => {
    readonly read: () => unknown
    readonly remaining: () => number
    readonly read_bytes: (count: number) => Buffer
  }
}
const types = rhea.types as unknown as Codec

const leaf = fc.oneof(
  fc.string(),
  fc.integer(),
  // rhea cannot write whole numbers beyond 2^53
  fc.double({ noNaN: true, min: -1e15, max: 1e15 }),
  fc.boolean(),
  fc.constant(null),
  fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)),
  fc.string({ minLength: 250, maxLength: 300 }),
  fc.date({ noInvalidDate: true })
)
const value = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.array(tie("any"), { maxLength: 4 }),
    fc.dictionary(fc.string({ maxLength: 8 }), tie("any"), { maxKeys: 4 })
  )
})).any
const annotations = fc.dictionary(
  fc.oneof(
    fc.string({ minLength: 1, maxLength: 30 }).filter((name) => /^[ -~]+$/.test(name) && name !== "__proto__"),
    fc.constantFrom("x-opt-sequence-number", "x-opt-offset", "x-opt-enqueued-time", "x-opt-partition-id")
  ),
  leaf,
  { maxKeys: 4 }
)
const event = fc.record(
  {
    durable: fc.boolean(),
    priority: fc.nat(255),
    message_annotations: annotations,
    message_id: fc.string(),
    subject: fc.string(),
    creation_time: fc.nat(),
    application_properties: fc.dictionary(
      fc.string({ maxLength: 8 }).filter((name) => name !== "__proto__"),
      leaf,
      { maxKeys: 4 }
    ),
    body: fc.oneof(
      value,
      fc.uint8Array({ maxLength: 300 }).map((bytes) => message.data_section(Buffer.from(bytes)))
    )
  },
  { requiredKeys: [] }
)

interface Decoded {
  readonly message_annotations?: { readonly [name: string]: unknown }
  readonly [field: string]: unknown
}
const decode = (bytes: Buffer): Decoded => message.decode(bytes) as unknown as Decoded
const own = new Set(["x-opt-sequence-number", "x-opt-offset", "x-opt-enqueued-time", "x-opt-partition-id"])

/** What a reader gets of all that is in a log, by the frames that would go to its socket. */
const readBack = (log: PartitionLog, maxFrame: number, withLastEnqueued: boolean): ReadonlyArray<Buffer> => {
  const wire: Array<Buffer> = []
  const session: Record<string, unknown> = {
    local: { channel: 1 },
    remote: { begin: { incoming_window: 1_000 } },
    connection: { remote: { open: { max_frame_size: maxFrame } } }
  }
  const write = (bytes: Buffer): void => void wire.push(bytes)
  session["outgoing"] = new SessionOut(session as never, write, () => undefined)
  const local = { handle: 3, attach: { snd_settle_mode: 0 } }
  const link = { session, local, credit: 1_000, delivery_count: 0, is_open: () => true, _draining: false }
  const waiting: Array<() => void> = []
  new Reader({
    link: link as never,
    log,
    group: "$default",
    ownerLevel: undefined,
    name: "r",
    withLastEnqueued,
    from: log.firstSequence,
    offsetText: plainOffsets.write,
    now: () => 5,
    isFull: () => false,
    write,
    soon: (run) => void waiting.push(run),
    count: () => undefined
  }).pump()
  for (let run = waiting.shift(); run !== undefined; run = waiting.shift()) run()
  const all = Buffer.concat(wire)
  const events: Array<Buffer> = []
  let parts: Array<Buffer> = []
  for (let at = 0; at < all.length;) {
    const size = all.readUInt32BE(at)
    expect(size).toBeLessThanOrEqual(maxFrame)
    const reader = new types.Reader(all.subarray(at + 8, at + size))
    const fields = (reader.read() as { readonly value: ReadonlyArray<{ readonly value: unknown }> }).value
    expect(fields.length).toBe(11)
    expect(fields[1].value).toBe(events.length)
    parts.push(reader.read_bytes(reader.remaining()))
    if (fields[5].value === false) {
      events.push(Buffer.concat(parts))
      parts = []
    }
    at += size
  }
  return events
}

const thrownBy = (run: () => unknown): unknown => {
  try {
    run()
    return undefined
  } catch (error) {
    return error
  }
}

const batchOf = (messages: ReadonlyArray<Buffer>, key: string | undefined): Buffer =>
  message.encode({
    ...(key === undefined ? {} : { message_annotations: { "x-opt-partition-key": key } }),
    body: message.data_sections(messages as never)
  } as never)

describe("bytes of events", () => {
  it("values of any type are skipped to their end, and no cut of them is a value", () => {
    fc.assert(
      fc.property(value, (any) => {
        const writer = new types.Writer()
        writer.write(types.wrap(any))
        const bytes = writer.toBuffer()
        expect(skip(bytes, 0, bytes.length)).toBe(bytes.length)
        expect(check(bytes, 0, bytes.length)).toBe(bytes.length)
        const around = Buffer.concat([bytes, Buffer.from([1, 2, 3])])
        expect(check(around, 0, around.length)).toBe(bytes.length)
        for (let end = 0; end < bytes.length; end++) expect(() => skip(bytes, 0, end)).toThrow(Malformed)
      })
    )
  })

  it("what readers get is what was sent, field for field, with the service's annotations and the key", () => {
    const cases = fc.record({
      events: fc.array(event, { minLength: 1, maxLength: 6 }),
      key: fc.option(fc.string({ minLength: 1, maxLength: 300 }), { nil: undefined }),
      isBatch: fc.boolean(),
      maxFrame: fc.constantFrom(512, 700, 65_536),
      withLastEnqueued: fc.boolean()
    })
    fc.assert(
      fc.property(cases, ({ events, key, isBatch, maxFrame, withLastEnqueued }) => {
        const messages = events.map((e) => message.encode(e as never))
        const log = new PartitionLog("0")
        const scan = makeScan()
        const append = (bytes: Buffer, batch: boolean): void => {
          scanTransfer(scan, bytes, batch)
          const keyBytes = batch && key !== undefined ? bytes.subarray(scan.keyFrom, scan.keyTo) : undefined
          expect(keyBytes?.toString("utf8", keyBytes[0] === 0xa1 ? 2 : 5)).toBe(batch ? key : undefined)
          log.append(scan, keyBytes, 7)
        }
        if (isBatch) append(batchOf(messages, key), true)
        else for (const bytes of messages) append(bytes, false)
        log.confirm(log.nextSequence)
        const got = readBack(log, maxFrame, withLastEnqueued)
        expect(got.length).toBe(events.length)
        for (const [i, bytes] of got.entries()) {
          const sent = decode(messages[i])
          const { delivery_annotations: told, ...received } = decode(bytes)
          const kept = Object.entries(sent.message_annotations ?? {}).filter(([name]) => !own.has(name))
          expect(received).toEqual({
            ...sent,
            message_annotations: {
              ...Object.fromEntries(kept),
              ...(isBatch && key !== undefined ? { "x-opt-partition-key": key } : {}),
              "x-opt-sequence-number": i,
              "x-opt-offset": String(log.offsetOf(i)),
              "x-opt-enqueued-time": new Date(7)
            }
          })
          expect(told === undefined).toBe(!withLastEnqueued)
          // From its properties on, a message is the same to the byte.
          const rest = messages[i].subarray(messages[i].indexOf(Buffer.from([0, 0x53, 0x73])))
          expect(bytes.subarray(bytes.length - rest.length)).toEqual(rest)
        }
      })
    )
  })

  it("a transfer with any bytes changed or cut is taken as a whole or is malformed, and no read goes beyond it", () => {
    const cases = fc.record({
      events: fc.array(event, { minLength: 1, maxLength: 3 }),
      at: fc.nat(),
      byte: fc.nat(255),
      cut: fc.nat(),
      isBatch: fc.boolean()
    })
    fc.assert(
      fc.property(cases, ({ events, at, byte, cut, isBatch }) => {
        const messages = events.map((e) => message.encode(e as never))
        const bytes = Buffer.from(isBatch ? batchOf(messages, "k") : messages[0])
        bytes[at % bytes.length] = byte
        const part = bytes.subarray(0, bytes.length - (cut % 3 === 0 ? cut % bytes.length : 0))
        const log = new PartitionLog("0")
        const scan = makeScan()
        const error = thrownBy(() => scanTransfer(scan, part, isBatch))
        expect(error === undefined || error instanceof Malformed).toBe(true)
        if (error !== undefined) return
        log.append(scan, undefined, 1)
        log.confirm(log.nextSequence)
        expect(readBack(log, 512, false).length).toBe(scan.count)
      }),
      { numRuns: 1_000 }
    )
  })

  it("bytes of any kind are a value or malformed", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      // types that hold others, more often than chance has them
      fc.array(fc.constantFrom(0x00, 0x40, 0x45, 0xa1, 0xc0, 0xc1, 0xd0, 0xe0, 0xf0, 1, 2, 3, 255), { maxLength: 60 })
    )
    fc.assert(
      fc.property(bytes, (some) => {
        const buffer = Buffer.from(some)
        let end = 0
        const error = thrownBy(() => (end = check(buffer, 0, buffer.length)))
        expect(error === undefined || error instanceof Malformed).toBe(true)
        expect(end).toBeLessThanOrEqual(buffer.length)
      }),
      { numRuns: 2_000 }
    )
    const deep = Buffer.alloc(100_000)
    expect(() => check(deep, 0, deep.length)).toThrow(Malformed)
    expect(() => skip(deep, 0, deep.length)).toThrow(Malformed)
    const bomb = Buffer.from([0xf0, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0x40])
    expect(() => check(bomb, 0, bomb.length)).toThrow(/too many/)
  })
})

describe("the log", () => {
  it("trimmed and searched anywhere, it is an array of events with offsets that grow", () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ sizes: fc.array(fc.nat(40_000), { maxLength: 20 }), later: fc.nat(3) }),
        fc.record({ trim: fc.nat(100) }),
        fc.record({ bytes: fc.nat(400_000) })
      ),
      { maxLength: 20 }
    )
    fc.assert(
      fc.property(steps, (all) => {
        const log = new PartitionLog("0")
        const scan = makeScan()
        const times: Array<number> = []
        let first = 0
        let nowMs = 1
        for (const step of all) {
          if ("sizes" in step) {
            nowMs += step.later
            const messages = step.sizes.map((size) => message.encode({ body: Buffer.alloc(size) } as never))
            scanTransfer(scan, batchOf(messages, undefined), true)
            log.append(scan, undefined, nowMs)
            log.confirm(log.nextSequence)
            times.push(...messages.map(() => nowMs))
          } else if ("trim" in step) {
            log.trim(step.trim)
            first = Math.max(first, Math.min(step.trim, times.length))
          } else {
            log.retain(0, step.bytes)
            first = log.firstSequence
          }
          expect("bytes" in step ? log.bytes <= step.bytes : true).toBe(true)
          expect([log.firstSequence, log.nextSequence]).toEqual([first, times.length])
          let last = -1
          for (let i = first; i < times.length; i++) {
            expect(log.offsetOf(i)).toBeGreaterThan(last)
            expect(log.enqueuedMsOf(i)).toBe(times[i])
            last = log.offsetOf(i)
          }
          const from = startPosition(log, `amqp.annotation.x-opt-enqueued-time > '${nowMs - 2}'`, plainOffsets)
          const expected = times.findIndex((ms, i) => i >= first && ms > nowMs - 2)
          expect(from).toBe(expected < 0 ? times.length : expected)
        }
      })
    )
  })
})

describe("partition keys", () => {
  it("always fall into a partition, by their bytes alone", () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 32 }), (key, count) => {
        const bytes = Buffer.from(key)
        const hash = partitionKeyHash(bytes, 0, bytes.length)
        const padded = Buffer.concat([Buffer.alloc(3, 9), bytes, Buffer.alloc(3, 9)])
        expect(partitionKeyHash(padded, 3, 3 + bytes.length)).toBe(hash)
        const partition = partitionOfHash(hash, count)
        expect(Number.isInteger(partition) && partition >= 0 && partition < count).toBe(true)
      })
    )
  })
})
