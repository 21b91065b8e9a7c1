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

/** Longer values are packed when they are written, so that a group has few bytes to pack at once. */
export const LATE_VALUE_BYTES_MAX = 16 * 1024;

/** All but long values. `bytesMax`: at least the sum of `packedBytes` over the others. */
export function packWrites(overlay: Overlay, bytesMax: number): Uint8Array<ArrayBuffer> {
  const packed = Buffer.allocUnsafeSlow(bytesMax);
  let at = 0;
  for (let table = 0; table < overlay.length; table++) {
    for (const [key, value] of overlay[table]!) {
      if (value === null || value.length <= LATE_VALUE_BYTES_MAX) {
        at = packWrite(packed, at, table, key, value);
      }
    }
  }
  return packed.subarray(0, at);
}

const CHUNK_BYTES = 256 * 1024;

/** Packs writes one by one, so that nobody has to pack many at once. */
export class WritePacker {
  readonly #chunks: Uint8Array<ArrayBuffer>[] = [];
  #chunk: Buffer = Buffer.allocUnsafeSlow(0);
  #at = 0;

  add(table: number, key: string, value: Uint8Array | null): void {
    const bytesMax = packedBytes(key, value);
    if (this.#at + bytesMax > this.#chunk.length) {
      this.#end();
      this.#chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, bytesMax));
    }
    this.#at = packWrite(this.#chunk, this.#at, table, key, value);
  }

  /** All that was added, in order: each in a buffer of its own. */
  take(): Uint8Array<ArrayBuffer>[] {
    this.#end();
    return this.#chunks.splice(0);
  }

  #end(): void {
    if (this.#at === 0) return;
    const { buffer, byteOffset } = this.#chunk;
    this.#chunks.push(new Uint8Array(buffer as ArrayBuffer, byteOffset, this.#at));
    this.#chunk = Buffer.allocUnsafeSlow(0);
    this.#at = 0;
  }
}

/** Answers where the next one begins. */
function packWrite(
  packed: Buffer,
  at: number,
  table: number,
  key: string,
  value: Uint8Array | null,
): number {
  const keyLength = packed.write(key, at + HEADER_BYTES, TABLE_SPECS[table]!.keys);
  packed[at] = table;
  packed[at + 1] = value === null ? DELETE : PUT;
  packed.writeUInt16BE(keyLength, at + 2);
  packed.writeUInt32BE(value?.length ?? 0, at + 4);
  const valueAt = at + HEADER_BYTES + keyLength;
  if (value !== null) packed.set(value, valueAt);
  return valueAt + (value?.length ?? 0);
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
