// Messages that carry byte strings: blocks, headers, transactions, hashes. They are most of the
// traffic, so they are read by cursor into item ranges (in a pool thread when large) and written in
// one pass. Items are views of the payload: what is hashed is never encoded again.

import { CBOR_ARRAY, CBOR_BYTES, CborCursor, splitArray } from "../../bytes/cbor-cursor.js";
import { writeHex } from "../../bytes/hex.js";
import { Slab } from "../../bytes/slab.js";
import type { HashHex } from "../../types/chain.js";
import { invariant } from "../../errors.js";
import type { AnyMessage } from "./any-message.js";

const HASH_BYTES = 32;
/** Of ids that are told for short. */
const SHORT_ID_BYTES = 8;

/** A payload keeps at most this much alive. */
const smallPayloads = new Slab(8_192);

/** A byte string; hashes and short ids are hex in messages, and written from it. */
type Item = Uint8Array | HashHex;

interface ItemShape {
  /** `[[item, …]]` when true, `[item]` otherwise. */
  readonly list: boolean;
  readonly countMin: number;
  readonly countMax: number;
  /** Every item has exactly this length; otherwise at least one byte. */
  readonly itemBytes?: number;
}

/** A payload of byte strings. */
export interface Items<M extends AnyMessage> {
  readonly form: "items";
  readonly shape: ItemShape;
  /** The byte strings of a message. */
  itemsIn(message: M): readonly Item[];
  /** The message, from ranges that `readItems` returned for the same payload. */
  messageOf(payload: Uint8Array, ranges: Uint32Array): M;
}

type Conversion<M extends AnyMessage> = Pick<Items<M>, "itemsIn" | "messageOf">;

/** One byte string. */
export function item<M extends AnyMessage>(conversion: Conversion<M>): Items<M> {
  return { form: "items", shape: { list: false, countMin: 1, countMax: 1 }, ...conversion };
}

/** One hash. */
export function hashItem<M extends AnyMessage>(conversion: Conversion<M>): Items<M> {
  const shape = { list: false, countMin: 1, countMax: 1, itemBytes: HASH_BYTES };
  return { form: "items", shape, ...conversion };
}

/** One byte string of just so many bytes. */
export function bytesItem<M extends AnyMessage>(
  itemBytes: number,
  conversion: Conversion<M>,
): Items<M> {
  const shape = { list: false, countMin: 1, countMax: 1, itemBytes };
  return { form: "items", shape, ...conversion };
}

/** A list of byte strings. */
export function items<M extends AnyMessage>(
  [countMin, countMax]: readonly [number, number],
  conversion: Conversion<M>,
): Items<M> {
  return { form: "items", shape: { list: true, countMin, countMax }, ...conversion };
}

/** A list of hashes, at least one. */
export function hashItems<M extends AnyMessage>(
  countMax: number,
  conversion: Conversion<M>,
): Items<M> {
  const shape = { list: true, countMin: 1, countMax, itemBytes: HASH_BYTES };
  return { form: "items", shape, ...conversion };
}

/** A list of short ids, at least one. */
export function shortIdItems<M extends AnyMessage>(
  countMax: number,
  conversion: Conversion<M>,
): Items<M> {
  const shape = { list: true, countMin: 1, countMax, itemBytes: SHORT_ID_BYTES };
  return { form: "items", shape, ...conversion };
}

/**
 * Item i is [ranges[2 * i], ranges[2 * i + 1]) of the payload; a string says what is wrong. `one`:
 * where the range of a single item is written, if it is read at once.
 */
export function readItems(
  shape: ItemShape,
  payload: Uint8Array,
  one = new Uint32Array(2),
): Uint32Array | string {
  const cursor = new CborCursor(payload);
  if (cursor.array() !== 1) return "not an array of one member";
  const ranges = shape.list ? splitArray(payload, shape.countMax, cursor.at) : readOne(cursor, one);
  if (ranges === undefined) return `not the byte strings it should hold`;
  if (ranges.length < 2 * shape.countMin) return "too few items";
  for (let i = 0; i < ranges.length; i += 2) {
    const length = ranges[i + 1]! - ranges[i]!;
    if (length === 0 || length !== (shape.itemBytes ?? length)) {
      return `item ${i / 2} has ${length} bytes`;
    }
  }
  return ranges;
}

/** How many items a payload says that it has, from its first bytes: true once it was read. */
export function itemsAhead({ list, countMax }: ItemShape, payload: Uint8Array): number {
  const count = list ? new CborCursor(payload, 1).array() : 1;
  return count > 0 && count <= countMax ? count : 1;
}

function readOne(cursor: CborCursor, range: Uint32Array): Uint32Array | undefined {
  const start = cursor.byteString();
  if (start < 0 || !cursor.done) return undefined;
  range[0] = start;
  range[1] = cursor.at;
  return range;
}

export function itemAt(payload: Uint8Array, ranges: Uint32Array, index: number): Uint8Array {
  const start = ranges[2 * index]!;
  const length = ranges[2 * index + 1]! - start;
  return new Uint8Array(payload.buffer, payload.byteOffset + start, length);
}

export function itemsOf(payload: Uint8Array, ranges: Uint32Array): Uint8Array[] {
  const items: Uint8Array[] = [];
  for (let i = 0; i < ranges.length / 2; i++) items.push(itemAt(payload, ranges, i));
  return items;
}

export function hashesOf(payload: Uint8Array, ranges: Uint32Array): HashHex[] {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
  const ids: HashHex[] = [];
  for (let i = 0; i < ranges.length; i += 2) {
    ids.push(bytes.toString("hex", ranges[i], ranges[i + 1]));
  }
  return ids;
}

/** As many of the first items as a payload of so many bytes holds, but one at least. */
export function itemsWithin(items: readonly Uint8Array[], bytesMax: number): readonly Uint8Array[] {
  let bytes = 1;
  for (const [index, { length }] of items.entries()) {
    bytes += headBytes(length) + length;
    const isWithin = headBytes(index + 1) + bytes <= bytesMax;
    if (index > 0 && !isWithin) return items.slice(0, index);
  }
  return items;
}

/** The payload of a message of this kind. */
export function encodeItems(
  kind: string,
  shape: ItemShape,
  items: readonly Item[],
): Uint8Array<ArrayBuffer> {
  if (items.length < shape.countMin || items.length > shape.countMax) {
    invariant(false, `${kind} with ${items.length} items`);
  }
  let bytes = 1 + (shape.list ? headBytes(items.length) : 0);
  for (const item of items) {
    const length = bytesOf(item);
    if (length === 0 || length !== (shape.itemBytes ?? length)) {
      invariant(false, `${kind} with an item of ${length} bytes`);
    }
    bytes += headBytes(length) + length;
  }
  const payload = smallPayloads.take(bytes);
  let at = writeHead(payload, 0, CBOR_ARRAY, 1);
  if (shape.list) at = writeHead(payload, at, CBOR_ARRAY, items.length);
  for (const item of items) {
    const length = bytesOf(item);
    at = writeHead(payload, at, CBOR_BYTES, length);
    if (typeof item === "string") writeHex(payload, at, item);
    else payload.set(item, at);
    at += length;
  }
  return payload;
}

function bytesOf(item: Item): number {
  return typeof item === "string" ? item.length >> 1 : item.length;
}

/** Lengths stay below 2^32: a payload has at most 4 MiB. */
function headBytes(length: number): number {
  if (length < 24) return 1;
  if (length < 2 ** 8) return 2;
  return length < 2 ** 16 ? 3 : 5;
}

function writeHead(target: Uint8Array, at: number, major: number, length: number): number {
  const end = at + headBytes(length);
  const size = end - at - 1;
  target[at] = (major << 5) | (size === 0 ? length : 24 + Math.log2(size));
  for (let i = end - 1, rest = length; i > at && size > 0; i--, rest >>>= 8) target[i] = rest;
  return end;
}
