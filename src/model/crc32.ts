/** Checksums by Node's own zlib. An edge: what it makes depends on its input alone. */
import * as Zlib from "node:zlib"

/** CRC-32 (ISO-HDLC, as in zip) of the bytes; `before` is that of the bytes before them, default none. */
export const crc32 = (bytes: Uint8Array, before = 0): number => Zlib.crc32(bytes, before)
