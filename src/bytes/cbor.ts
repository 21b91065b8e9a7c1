// The project's strict CBOR (RFC 8949): arrays, byte strings, text strings and unsigned integers
// below 2^64, each in its one shortest form with definite lengths, and nothing else. So every
// value has exactly one encoding. An iterative scan guards cbor-x, which must not see tags, maps
// or announced sizes of strangers. Used by chain/, protocol/ and whoever meets bytes of the wire.

import { isUtf8 } from "node:buffer";
import { Decoder, Encoder } from "cbor-x";
import { CBOR_ARRAY, CBOR_BYTES, CBOR_TEXT, CBOR_UINT, CborCursor } from "./cbor-cursor.js";

/** Integers below 2^53 are read as numbers, those above as bigints; both are written. */
export type CborValue = number | bigint | string | Uint8Array | readonly CborValue[];

export interface CborLimits {
  /** How deep arrays may nest; 0 allows a bare integer or string only. */
  readonly depthMax: number;
  /** How many items there may be in all, arrays included. */
  readonly itemsMax: number;
}

export type CborChecked<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly detail: string };

const options = { useRecords: false, tagUint8Array: false } as const;
const encoder = new Encoder(options);
const decoder = new Decoder(options);

const UINT64_MAX = 2n ** 64n - 1n;
const REFUSED_TYPES = ["", "a negative integer", "", "", "", "a map", "a tag", "a simple or float"];

/** Encodes into a buffer of its own. Throws a RangeError for values outside the subset. */
export function encodeCbor(value: CborValue): Uint8Array<ArrayBuffer> {
  // cbor-x hands out views of one shared buffer: copying makes the result safe to keep and move.
  return new Uint8Array(encoder.encode(toEncodable(value)));
}

// cbor-x writes numbers from 2^32 upward as floats and bigints always in nine bytes.
function toEncodable(value: CborValue): unknown {
  if (typeof value === "string") {
    if (/\p{Cs}/u.test(value)) throw new RangeError("not CBOR of the subset: a lone surrogate");
    return value;
  }
  if (value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(toEncodable);
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) {
    return value < 2 ** 32 ? value + 0 : BigInt(value); // + 0 turns -0 into 0
  }
  if (typeof value === "bigint" && value >= 0n && value <= UINT64_MAX) {
    return value < 2n ** 32n ? Number(value) : value;
  }
  throw new RangeError(`not CBOR of the subset: ${typeof value} ${String(value)}`);
}

/** Checks structure and limits without building a value. The value is the number of items. */
export function scanCbor(bytes: Uint8Array, limits: CborLimits): CborChecked<number> {
  const cursor = new CborCursor(bytes);
  const outer: number[] = []; // items still due in each enclosing array
  let due = 1; // items still due in the array being read
  let announced = 1;
  let seen = 0;
  for (;;) {
    while (due === 0) {
      const next = outer.pop();
      if (next === undefined) return finish(cursor, announced);
      due = next;
    }
    due--;
    seen++;
    const major = (bytes[cursor.at] ?? 0) >> 5;
    if (REFUSED_TYPES[major] !== "") return refuse(REFUSED_TYPES[major]!, cursor.at);
    if (major !== CBOR_ARRAY) {
      const fault = skipLeaf(cursor, major);
      if (fault !== undefined) return fault;
      continue;
    }
    const at = cursor.at;
    const count = cursor.array();
    if (count < 0) return refuse("a malformed array head", at);
    if (outer.length >= limits.depthMax) return refuse("arrays nested too deep", at);
    announced += count;
    if (announced > limits.itemsMax) return refuse("too many items", at);
    if (announced - seen > cursor.end - cursor.at) return refuse("more items than bytes", at);
    outer.push(due);
    due = count;
  }
}

function finish(cursor: CborCursor, items: number): CborChecked<number> {
  return cursor.done ? { ok: true, value: items } : refuse("trailing bytes", cursor.at);
}

function skipLeaf(cursor: CborCursor, major: number): CborChecked<never> | undefined {
  const at = cursor.at;
  if (major === CBOR_UINT) {
    return cursor.skipUint64() ? undefined : refuse("a malformed integer", at);
  }
  if (major === CBOR_BYTES) {
    return cursor.byteString() >= 0 ? undefined : refuse("a malformed byte string", at);
  }
  const length = cursor.head(CBOR_TEXT);
  if (length < 0 || length > cursor.end - cursor.at) return refuse("a malformed text", at);
  cursor.at += length;
  // Text that is not UTF-8 would read as replacement characters and no longer be the same bytes.
  return isUtf8(cursor.bytes.subarray(cursor.at - length, cursor.at))
    ? undefined
    : refuse("text that is not UTF-8", at);
}

function refuse(what: string, at: number): CborChecked<never> {
  return { ok: false, detail: `${what} at byte ${at}` };
}

/** Scans, then decodes. Byte strings are views into `bytes` and keep it alive. */
export function decodeCbor(bytes: Uint8Array, limits: CborLimits): CborChecked<CborValue> {
  const scanned = scanCbor(bytes, limits);
  if (!scanned.ok) return scanned;
  // A view, because cbor-x hangs a DataView on the object that it is given.
  return { ok: true, value: normalise(decoder.decode(bytes.subarray())) };
}

// cbor-x reads every eight-byte integer as a bigint. Depth is bounded by the scan.
function normalise(value: unknown): CborValue {
  if (typeof value === "bigint") {
    return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
  }
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) value[i] = normalise(value[i]);
  }
  return value as CborValue;
}
