import { createRequire } from "node:module"
import { connect, type Socket } from "node:net"
import * as fc from "fast-check"
import rhea from "rhea"
import { describe, expect, it } from "vitest"
import { bodies, withService, type World } from "./world.ts"

/** rhea's frames, to write what no client writes. */
interface Frames {
  readonly amqp_frame: (channel: number, performative?: unknown, payload?: Buffer) => unknown
  readonly write_frame: (frame: unknown) => Buffer
}
const frames = createRequire(import.meta.url)("rhea/lib/frames.js") as Frames
const performatives = frames as unknown as { readonly [name: string]: (fields: object) => unknown }
const { message } = rhea

const amqp = Buffer.from("AMQP\0\x01\0\0", "latin1")
const sasl = Buffer.from("AMQP\x03\x01\0\0", "latin1")
const frame = (name: string, fields: object, payload?: Buffer): Buffer =>
  frames.write_frame(frames.amqp_frame(0, performatives[name](fields), payload))
/** A frame with this body. */
const raw = (body: ReadonlyArray<number>, type = 0): Buffer => {
  const bytes = Buffer.from([0, 0, 0, 8 + body.length, 2, type, 0, 0, ...body])
  bytes.writeUInt32BE(bytes.length, 0)
  return bytes
}
const terminus = (code: number, address: string): unknown => {
  const typed = rhea.types.wrap_list([address]) as unknown as { descriptor: unknown }
  typed.descriptor = rhea.types.wrap_ulong(code)
  return typed
}

const open = frame("open", { container_id: "c", hostname: "h", max_frame_size: 65_536, channel_max: 10 })
const begin = frame("begin", { next_outgoing_id: 0, incoming_window: 100, outgoing_window: 100 })
const attachSender = frame("attach", {
  name: "s",
  handle: 0,
  role: false,
  source: terminus(0x28, "me"),
  target: terminus(0x29, "h/Partitions/0"),
  initial_delivery_count: 0
})
const attachReceiver = frame("attach", {
  name: "r",
  handle: 1,
  role: true,
  source: terminus(0x28, "h/ConsumerGroups/$Default/Partitions/0"),
  target: terminus(0x29, "me")
})
const flow = frame("flow", {
  next_incoming_id: 0,
  incoming_window: 100,
  next_outgoing_id: 0,
  outgoing_window: 100,
  handle: 1,
  delivery_count: 0,
  link_credit: 10
})
const event = message.encode({ body: "x", message_annotations: { "x-opt-mine": 1 } } as never)
const transfer = frame(
  "transfer",
  { handle: 0, delivery_id: 0, delivery_tag: Buffer.from("t"), message_format: 0, settled: false },
  event
)
const disposition = frame("disposition", { role: true, first: 0, last: 3, settled: true })
const detach = frame("detach", { handle: 1, closed: true })
const start = Buffer.concat([amqp, open, begin])
const attached = Buffer.concat([start, attachSender, attachReceiver, flow])

const ended = (socket: Socket): Promise<void> =>
  new Promise((done) => {
    socket.on("close", () => done())
    socket.on("error", () => undefined)
  })

/** A connection without a client. */
const talk = ({ service }: World) => {
  const socket = connect(service.port, "127.0.0.1")
  let isClosed = false
  const over = ended(socket).then(() => (isClosed = true))
  let heard = Buffer.alloc(0)
  socket.on("data", (bytes) => (heard = Buffer.concat([heard, bytes])))
  return {
    write: (bytes: Buffer) => socket.write(bytes),
    over,
    isClosed: () => isClosed,
    heard: () => heard,
    hangUp: async () => {
      socket.destroy()
      await over
    }
  }
}

const until = async (is: () => boolean): Promise<void> => {
  while (!is()) await new Promise((soon) => setTimeout(soon, 2))
}

const isAlive = async ({ producer, consumer }: World): Promise<void> => {
  await producer("h").sendBatch(bodies(0, 1), { partitionId: "1" })
  expect(await consumer("h").getPartitionIds()).toEqual(["0", "1"])
}

const hubs = { h: { partitions: 2 } }

describe("bytes that no client of Event Hubs sends", () => {
  it("the plain course of it works, with and without SASL, and also when everything comes at once", () =>
    withService({ hubs }, async (world) => {
      const { service } = world
      const plain = talk(world)
      plain.write(attached)
      await until(() => service.stats().openPublishers + service.stats().openReaders === 2)
      plain.write(transfer)
      // The event, as it is given out again.
      await until(() => plain.heard().includes(Buffer.from("x-opt-mine")))
      plain.write(disposition)
      plain.write(detach)
      await until(() => service.stats().openReaders === 0)
      expect(service.stats().eventsIn).toBe(1)
      const anonymous = [...Buffer.from("\x00\x53\x41\xc0\x0c\x01\xa3\x09ANONYMOUS", "latin1")]
      const pipelined = talk(world)
      pipelined.write(Buffer.concat([sasl, raw(anonymous, 1), attached]))
      await until(() => service.stats().openPublishers + service.stats().openReaders === 3)
      const slow = talk(world)
      for (const byte of attached) {
        slow.write(Buffer.from([byte]))
        await new Promise((soon) => setImmediate(soon))
      }
      await until(() => service.stats().openPublishers + service.stats().openReaders === 5)
      expect([plain, pipelined, slow].map(({ isClosed }) => isClosed())).toEqual([false, false, false])
      await Promise.all([plain, pipelined, slow].map(({ hangUp }) => hangUp()))
      await until(() => service.stats().openPublishers + service.stats().openReaders === 0)
    }))

  const transferOf = (fields: object, payload?: Buffer): Buffer =>
    frame("transfer", { handle: 0, delivery_id: 0, delivery_tag: Buffer.from("t"), ...fields }, payload)

  it.each<[string, ReadonlyArray<Buffer>]>([
    ["another protocol", [Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n")]],
    ["a header of another version", [Buffer.from("AMQP\0\0\x09\x01", "latin1")]],
    ["a frame of no bytes", [start, Buffer.alloc(8)]],
    ["a frame of 2 GB", [start, Buffer.from([0x7f, 0xff, 0xff, 0xff, 2, 0, 0, 0, 1, 2, 3])]],
    ["a frame that ends before its body", [start, Buffer.from([0, 0, 0, 8, 200, 0, 0, 0])]],
    ["a frame of an unknown kind", [start, raw([0x00, 0x53, 0x10, 0x45], 7)]],
    ["an unknown performative", [start, raw([0x00, 0x53, 0x77, 0x45])]],
    ["a value that is no performative", [start, raw([0x41])]],
    ["an array of 4 billion nulls", [start, raw([0x00, 0x53, 0x12, 0xf0, 0, 0, 0, 5, 255, 255, 255, 255, 0x40])]],
    ["descriptors of descriptors", [start, raw(Array.from({ length: 50_000 }, () => 0))]],
    ["a second open", [start, open]],
    ["a flow on a handle that is not there", [start, flow]],
    ["a transfer on a handle that is not there", [start, transfer]],
    ["a transfer without an id", [attached, frame("transfer", { handle: 0 }, event)]],
    ["a transfer before there is credit", [Buffer.concat([start, attachSender, transfer])]],
    ["a transfer on a link that we send on", [attached, transferOf({ handle: 1 }, event)]],
    ["ids that jump", [attached, transfer, transferOf({ delivery_id: 7 }, event)]],
    ["a transfer after a detach", [attached, frame("detach", { handle: 0 }), transfer]],
    ["frames on a channel that is not there", [start, Buffer.from([0, 0, 0, 12, 2, 0, 0, 9, 0, 0x53, 0x17, 0x45])]],
    [
      "a mechanism that does not exist",
      [sasl, raw([...Buffer.from("\0\x53\x41\xc0\x0e\x01\xa3\x0bconstructor", "latin1")], 1)]
    ],
    ["SASL that is not completed", [sasl, amqp]]
  ])("%s: the connection is closed, and nothing else happens", (_case, parts) =>
    withService({ hubs }, async (world) => {
      const { write, over } = talk(world)
      for (const part of parts) {
        write(part)
        await new Promise((soon) => setTimeout(soon, 20))
      }
      await over
      await isAlive(world)
    })
  )

  it.each<[string, Buffer, number]>([
    ["no message at all", Buffer.alloc(0), 1],
    ["an event of nothing but a header", Buffer.from([0, 0x53, 0x70, 0x45]), 1],
    ["no section", Buffer.from("hello"), 0],
    ["annotations that are no map", Buffer.from([0, 0x53, 0x72, 0x41]), 0],
    ["sections out of order", Buffer.concat([event, event.subarray(0, 20)]), 0],
    ["a cut message", event.subarray(0, event.length - 1), 0]
  ])("a send of %s is taken as it is, or refused", (_case, payload, events) =>
    withService({ hubs }, async (world) => {
      const { write, heard, hangUp } = talk(world)
      write(attached)
      await until(() => world.service.stats().openPublishers === 1)
      write(transferOf({ message_format: 0 }, payload))
      // A disposition of the service, as receiver.
      await until(() => heard().includes(Buffer.from([0, 0x53, 0x15])))
      expect(world.service.stats()).toMatchObject({ eventsIn: events, refusedSends: 1 - events })
      await hangUp()
      await isAlive(world)
    })
  )

  it("a delivery without an end is bounded, and refused when it ends", () =>
    withService({ hubs, messageBytesMax: 100_000 }, async (world) => {
      const part = (more: boolean): Buffer => transferOf({ more, message_format: 0 }, Buffer.alloc(60_000))
      const { write, hangUp } = talk(world)
      write(attached)
      await until(() => world.service.stats().openPublishers === 1)
      write(Buffer.concat([...Array.from({ length: 100 }, () => part(true)), part(false)]))
      await until(() => world.service.stats().sends === 1)
      expect(world.service.stats()).toMatchObject({ eventsIn: 0, refusedSends: 1 })
      await hangUp()
      await isAlive(world)
    }))

  it("links may share a name in opposite directions, or follow one another", () =>
    withService({ hubs }, async (world) => {
      const named = Buffer.concat([
        frame("attach", { name: "n", handle: 0, role: false, target: terminus(0x29, "h"), initial_delivery_count: 0 }),
        frame("attach", {
          name: "n",
          handle: 1,
          role: true,
          source: terminus(0x28, "h/ConsumerGroups/$Default/Partitions/0"),
          target: terminus(0x29, "me")
        })
      ])
      const again = Buffer.concat([
        detach,
        frame("attach", {
          name: "n",
          handle: 2,
          role: true,
          source: terminus(0x28, "h/ConsumerGroups/$Default/Partitions/1"),
          target: terminus(0x29, "me")
        })
      ])
      const { write, isClosed, hangUp } = talk(world)
      write(Buffer.concat([start, named, again]))
      await until(() => world.service.stats().attaches === 3)
      await until(() => world.service.stats().openReaders === 1)
      expect(isClosed()).toBe(false)
      await hangUp()
    }))

  it("any byte of a conversation may be another: the service goes on", () =>
    withService({ hubs }, async (world) => {
      const whole = Buffer.concat([attached, transfer, disposition, detach])
      const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255))
      await fc.assert(
        fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
          const bytes = Buffer.from(whole)
          for (const [at, byte] of changes) bytes[at] = byte
          const { write, hangUp } = talk(world)
          write(bytes.subarray(0, attached.length))
          await new Promise((soon) => setTimeout(soon, 5))
          write(bytes.subarray(attached.length))
          await new Promise((soon) => setTimeout(soon, 5))
          await hangUp()
        }),
        { numRuns: 150 }
      )
      await isAlive(world)
    }))
})
