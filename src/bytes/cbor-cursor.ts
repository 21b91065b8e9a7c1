// Reads the project's strict CBOR (see cbor.ts) item by item without building values: for shapes
// that are known beforehand and read often (blocks, headers, transactions, lists of byte strings).
// A method that meets anything but what it is asked for returns -1 and leaves `at` undefined.

export const CBOR_UINT = 0;
export const CBOR_BYTES = 2;
export const CBOR_TEXT = 3;
export const CBOR_ARRAY = 4;

/** Below these values an argument of 1, 2, 4 or 8 bytes is not in its shortest form. */
const SHORTEST = [24, 2 ** 8, 2 ** 16, 2 ** 32] as const;

export class CborCursor {
  readonly bytes: Uint8Array;
  readonly end: number;
  /** The offset of the next item. */
  at: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  get done(): boolean {
    return this.at === this.end;
  }

  /** The argument of an item's head when it has this major type, is shortest and below 2^53. */
  head(major: number): number {
    const value = this.#argument(major);
    return value <= Number.MAX_SAFE_INTEGER ? value : -1;
  }

  /** An unsigned integer below 2^53. */
  uint(): number {
    return this.head(CBOR_UINT);
  }

  /** Passes over an unsigned integer below 2^64; false when there is none. */
  skipUint64(): boolean {
    return this.#argument(CBOR_UINT) >= 0;
  }

  /** An unsigned integer below 2^64. */
  uint64(): bigint {
    const value = this.#argument(CBOR_UINT);
    if (value <= Number.MAX_SAFE_INTEGER) return BigInt(value);
    const { bytes, at } = this;
    let exact = 0n;
    for (let i = at - 8; i < at; i++) exact = (exact << 8n) | BigInt(bytes[i]!);
    return exact;
  }

  /** The number of an array's items. */
  array(): number {
    return this.head(CBOR_ARRAY);
  }

  /** Passes over a byte string; its content is [returned offset, at). */
  byteString(): number {
    const length = this.head(CBOR_BYTES);
    if (length < 0 || length > this.end - this.at) return -1;
    const start = this.at;
    this.at += length;
    return start;
  }

  /** A byte string of exactly this length. */
  fixedBytes(length: number): number {
    const start = this.byteString();
    return this.at - start === length ? start : -1;
  }

  /** At or above 2^53 the result is rounded, but never below 2^53. */
  #argument(major: number): number {
    const { bytes, at, end } = this;
    if (at >= end) return -1;
    const initial = bytes[at]!;
    if (initial >> 5 !== major) return -1;
    const info = initial & 31;
    if (info < 24) {
      this.at = at + 1;
      return info;
    }
    if (info > 27) return -1;
    const next = at + 1 + (1 << (info - 24));
    if (next > end) return -1;
    let value = 0;
    for (let i = at + 1; i < next; i++) value = value * 256 + bytes[i]!;
    if (value < SHORTEST[info - 24]!) return -1;
    this.at = next;
    return value;
  }
}

/**
 * Splits an array of byte strings at its top level: item i's content is
 * [ranges[2 * i], ranges[2 * i + 1]), offsets into `bytes`. Undefined when the array announces more
 * than `itemsMax` items, holds anything but byte strings or does not fill [start, end) exactly.
 */
export function splitArray(
  bytes: Uint8Array,
  itemsMax: number,
  start = 0,
  end = bytes.length,
): Uint32Array<ArrayBuffer> | undefined {
  const cursor = new CborCursor(bytes, start, end);
  const count = cursor.array();
  if (count < 0 || count > itemsMax || count > end - cursor.at) return undefined;
  const ranges = new Uint32Array(count * 2);
  for (let i = 0; i < count; i++) {
    const itemStart = cursor.byteString();
    if (itemStart < 0) return undefined;
    ranges[2 * i] = itemStart;
    ranges[2 * i + 1] = cursor.at;
  }
  return cursor.done ? ranges : undefined;
}
