/** The checksum of records on disk, by Node's own zlib. An edge: what it makes depends on its input alone. */
import * as Zlib from "node:zlib"

/** CRC-32 (ISO-HDLC) of the bytes; `before` is that of the bytes before them. */
export const crc32 = (bytes: Uint8Array, before = 0): number => Zlib.crc32(bytes, before)
