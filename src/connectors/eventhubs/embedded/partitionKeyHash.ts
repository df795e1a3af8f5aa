/**
 * The partition of a partition key, as Event Hubs' own SDKs compute it: Bob Jenkins' lookup3, folded to 16 bits.
 *
 * A producer that buffers by key on its own side so agrees with the service.
 */

const rotate = (word: number, by: number): number => (word << by) | (word >>> (32 - by))

const wordAt = (b: Uint8Array, at: number, end: number): number => {
  let word = 0
  for (let i = 0; i < 4 && at + i < end; i++) word |= b[at + i] << (8 * i)
  return word
}

/** The hash of the bytes `from` to `to`, a signed number of 16 bits. */
export const partitionKeyHash = (bytes: Uint8Array, from: number, to: number): number => {
  let a = (0xdeadbeef + to - from) | 0
  let b = a
  let c = a
  let at = from
  for (; to - at > 12; at += 12) {
    a = (a + wordAt(bytes, at, to)) | 0
    b = (b + wordAt(bytes, at + 4, to)) | 0
    c = (c + wordAt(bytes, at + 8, to)) | 0
    a = (a - c) ^ rotate(c, 4)
    c = (c + b) | 0
    b = (b - a) ^ rotate(a, 6)
    a = (a + c) | 0
    c = (c - b) ^ rotate(b, 8)
    b = (b + a) | 0
    a = (a - c) ^ rotate(c, 16)
    c = (c + b) | 0
    b = (b - a) ^ rotate(a, 19)
    a = (a + c) | 0
    c = (c - b) ^ rotate(b, 4)
    b = (b + a) | 0
  }
  if (at < to) {
    a = (a + wordAt(bytes, at, to)) | 0
    b = (b + wordAt(bytes, at + 4, to)) | 0
    c = (c + wordAt(bytes, at + 8, to)) | 0
    c = ((c ^ b) - rotate(b, 14)) | 0
    a = ((a ^ c) - rotate(c, 11)) | 0
    b = ((b ^ a) - rotate(a, 25)) | 0
    c = ((c ^ b) - rotate(b, 16)) | 0
    a = ((a ^ c) - rotate(c, 4)) | 0
    b = ((b ^ a) - rotate(a, 14)) | 0
    c = ((c ^ b) - rotate(b, 24)) | 0
  }
  return ((c ^ b) << 16) >> 16
}

/** The partition, from 0, of a hub with `count` of them. */
export const partitionOfHash = (hash: number, count: number): number => Math.abs(hash % count)
