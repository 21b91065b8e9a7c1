// The packed form in which a group of writes travels to the writer thread: one transferable
// buffer instead of thousands of objects. Packed by the LMDB engine, read by the writer.
// A write is: table u8, operation u8, key length u16, value length u32, key, value.

import { TABLE_SPECS } from "./tables.js";

/** Absent value: the key is deleted. */
export type Overlay = readonly ReadonlyMap<string, Uint8Array | null>[];

const HEADER_BYTES = 8;
const PUT = 1;
const DELETE = 0;

export function packedBytes(key: string, value: Uint8Array | null): number {
  return HEADER_BYTES + key.length + (value?.length ?? 0);
}

/** `bytesMax`: at least the sum of `packedBytes` over the overlay. */
export function packWrites(overlay: Overlay, bytesMax: number): Uint8Array<ArrayBuffer> {
  const packed = Buffer.allocUnsafeSlow(bytesMax);
  let at = 0;
  for (let table = 0; table < overlay.length; table++) {
    const encoding = TABLE_SPECS[table]!.keys;
    for (const [key, value] of overlay[table]!) {
      const keyLength = packed.write(key, at + HEADER_BYTES, encoding);
      packed[at] = table;
      packed[at + 1] = value === null ? DELETE : PUT;
      packed.writeUInt16BE(keyLength, at + 2);
      packed.writeUInt32BE(value?.length ?? 0, at + 4);
      at += HEADER_BYTES + keyLength;
      if (value !== null) {
        packed.set(value, at);
        at += value.length;
      }
    }
  }
  return packed.subarray(0, at);
}

/** Calls `put` and `remove` with views into `packed`. */
export function applyWrites(
  packed: Uint8Array<ArrayBuffer>,
  put: (table: number, key: Buffer, value: Buffer) => void,
  remove: (table: number, key: Buffer) => void,
): void {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.length);
  for (let at = 0; at < bytes.length;) {
    const keyAt = at + HEADER_BYTES;
    const valueAt = keyAt + bytes.readUInt16BE(at + 2);
    const end = valueAt + bytes.readUInt32BE(at + 4);
    const key = bytes.subarray(keyAt, valueAt);
    if (bytes[at + 1] === PUT) put(bytes[at]!, key, bytes.subarray(valueAt, end));
    else remove(bytes[at]!, key);
    at = end;
  }
}
