/** IoT events, as the load test client of "Streaming at Scale" sends them. */
import { brokenLine, type EventModel, lineOf } from "./EventModel.ts"
import { draw, mix, unit53 } from "./hash.ts"
import { fieldDraw, isoMicros, micros, type Timeline } from "./timeline.ts"

/** One measurement of a device. `createdAt` is UTC with microseconds. */
export interface IotEvent {
  /** A UUID, unique over all partitions. */
  readonly eventId: string
  /** `moreData0` and up: numbers from 10 to 100. */
  readonly complexData: { readonly [field: `moreData${number}`]: number }
  readonly value: number
  /** `contoso-device-id-000000` and up. A device's events are all in one partition. */
  readonly deviceId: string
  /** 0, 1, 2, ... for each device. */
  readonly deviceSequenceNumber: number
  readonly type: "CO2" | "TEMP"
  readonly createdAt: string
}

/** How many devices there are unless `keys` says otherwise. */
export const devicesDefault = 1000

/** Fields of `complexData` unless `moreData` says otherwise. */
export const moreDataDefault = 10

const hex = Array.from({ length: 65_536 }, (_, n) => n.toString(16).padStart(4, "0"))

/** A version 4 UUID of the event's hash (different for each event of a partition) and its partition. */
const uuid = (event: number, partition: number): string => {
  const b = draw(event, fieldDraw)
  const c = draw(event, fieldDraw + 1)
  const d = draw(event, fieldDraw + 2)
  return (
    `${hex[event >>> 16]}${hex[event & 0xffff]}-${hex[(b >>> 16) ^ (partition & 0xffff)]}-` +
    `${hex[(b & 0x0fff) | 0x4000]}-${hex[((c >>> 16) & 0x3fff) | 0x8000]}-${hex[c & 0xffff]}${hex[d >>> 16]}${hex[d & 0xffff]}`
  )
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b))

/**
 * The device of an event. Each round of a partition's devices is a permutation of them (position * step + offset,
 * modulo their number), so that a device's sequence number is the number of the round. There are at least as many
 * devices as partitions.
 */
const deviceOf = (t: Timeline, index: number): { readonly device: number; readonly round: number } => {
  const { keys, partitions } = t.settings
  const own = Math.ceil((keys - t.partition) / partitions)
  const round = Math.floor(index / own)
  const random = mix(t.seed ^ mix(round + 1)) >>> 0
  let step = 1 + (random % own)
  while (gcd(step, own) !== 1) step++
  const slot = ((((index % own) * step) % own) + (mix(random) >>> 0)) % own
  return { device: slot * partitions + t.partition, round }
}

const measure = (event: number, k: number): number => 10 + unit53(event, k) * 90

const row =
  (moreData: number) =>
  (t: Timeline, index: number, event: number, ms: number): IotEvent => {
    const complexData: { [field: `moreData${number}`]: number } = {}
    for (let k = 0; k < moreData; k++) complexData[`moreData${k}`] = measure(event, fieldDraw + 16 + k)
    const { device, round } = deviceOf(t, index)
    return {
      eventId: uuid(event, t.partition),
      complexData,
      value: measure(event, fieldDraw + 3),
      deviceId: `contoso-device-id-${String(device).padStart(6, "0")}`,
      deviceSequenceNumber: round,
      type: draw(event, fieldDraw + 4) % 2 === 0 ? "CO2" : "TEMP",
      createdAt: `${isoMicros(ms, micros(event))}Z`
    }
  }

/** The model of {@link IotEvent} with so many fields of `complexData`. */
export const iotModel = (moreData: number): EventModel<IotEvent> => {
  const make = row(moreData)
  return {
    name: "iot",
    row: make,
    poison: (t, index, event, ms) => {
      const good = make(t, index, event, ms)
      const way = draw(event, fieldDraw + 5) % 5
      const broken = brokenLine(good, way)
      if (broken !== undefined) return broken
      return way === 3
        ? { bytes: lineOf({ ...good, value: null }), reason: "schema", detail: "value is null" }
        : { bytes: lineOf({ ...good, deviceId: 154 }), reason: "schema", detail: "deviceId is a number, not text" }
    },
    rowBytes: 350 + 24 * moreData
  }
}
