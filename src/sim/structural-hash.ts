// A hash of values by what they say, never by which object says it: the same run in another process
// has the same hash. The trace folds messages into it; the fast signatures are its digests.

import { formatAddress, type Endpoint } from "../protocol/address.js";
import type { ActorRef } from "../runtime/actor.js";

/** Objects nested deeper than this are told apart by their class alone. */
const DEPTH_MAX = 12;

/** Byte arrays longer than this are hashed by samples: their first and last bytes and some between. */
const WHOLE_BYTES_MAX = 1_024;
const SAMPLE_BYTES = 256;
const SAMPLE_STEP = 61;

const TAG = { undefined: 1, null: 2, true: 3, false: 4, integer: 5, number: 6, bigint: 7 } as const;
const STRING = 8;
const BYTES = 9;
const ARRAY = 10;
const OBJECT = 11;
const MAP = 12;
const SET = 13;
const REF = 14;
const FUNCTION = 15;
const INSTANCE = 16;

const double = new Float64Array(1);
const doubleWords = new Uint32Array(double.buffer);

/**
 * A 64-bit hash of values by content, in two lanes of 32 bits as in MurmurHash3. It tells runs
 * apart; it does not resist anybody who wants a collision.
 */
export class StructuralHash {
  #high = 0x9e3779b9;
  #low = 0x7f4a7c15;

  reset(): void {
    this.#high = 0x9e3779b9;
    this.#low = 0x7f4a7c15;
  }

  /** 16 hex digits. */
  digest(): string {
    return hex(finish(this.#high ^ this.#low)) + hex(finish(this.#low));
  }

  /** Fills `target` with the digest, again and again. */
  write(target: Uint8Array): void {
    const words = [finish(this.#high ^ this.#low), finish(this.#low)];
    for (let i = 0; i < target.length; i++) {
      target[i] = words[(i >> 2) & 1]! >>> (8 * (i & 3));
    }
  }

  word(value: number): void {
    const high = Math.imul(this.#high ^ value, 0xcc9e2d51);
    this.#high = (high << 15) | (high >>> 17);
    const low = Math.imul(this.#low ^ value, 0x85ebca6b);
    this.#low = (((low << 13) | (low >>> 19)) + this.#high) | 0;
  }

  absorb(other: StructuralHash): void {
    this.word(other.#high);
    this.word(other.#low);
  }

  number(value: number): void {
    if ((value | 0) === value) {
      this.word(TAG.integer);
      this.word(value);
      return;
    }
    double[0] = value;
    this.word(TAG.number);
    this.word(doubleWords[0]!);
    this.word(doubleWords[1]!);
  }

  string(value: string): void {
    let high = STRING;
    let low = value.length;
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i);
      high = Math.imul(high ^ code, 0x01000193);
      low = Math.imul(low + code, 0x5bd1e995) ^ (low >>> 15);
    }
    this.word(high);
    this.word(low);
  }

  bytes(value: Uint8Array): void {
    this.word(BYTES);
    this.word(value.length);
    const whole = value.length & ~3;
    let high = this.#high;
    let low = this.#low;
    // `word`, inlined: most of what a run hashes is bytes, the same block at each of its stations.
    for (let i = 0; i < whole; i += 4) {
      const word = value[i]! | (value[i + 1]! << 8) | (value[i + 2]! << 16) | (value[i + 3]! << 24);
      high = Math.imul(high ^ word, 0xcc9e2d51);
      high = (high << 15) | (high >>> 17);
      low = Math.imul(low ^ word, 0x85ebca6b);
      low = (((low << 13) | (low >>> 19)) + high) | 0;
    }
    this.#high = high;
    this.#low = low;
    for (let i = whole; i < value.length; i++) this.word(value[i]!);
  }

  value(value: unknown, depth = 0): void {
    switch (typeof value) {
      case "string":
        this.string(value);
        return;
      case "number":
        this.number(value);
        return;
      case "boolean":
        this.word(value ? TAG.true : TAG.false);
        return;
      case "undefined":
        this.word(TAG.undefined);
        return;
      case "bigint":
        this.word(TAG.bigint);
        this.string(value.toString(36));
        return;
      case "function":
        this.word(FUNCTION);
        this.string(value.name);
        return;
      case "symbol":
        this.string(value.description ?? "");
        return;
      case "object":
        if (value === null) this.word(TAG.null);
        else this.#object(value, depth);
    }
  }

  #object(value: object, depth: number): void {
    // The most frequent first: this is the hot path of a simulation.
    if (isPlain(value)) this.#fields(value, depth);
    else if (value instanceof Uint8Array) this.#payload(value);
    else if (Array.isArray(value)) this.#items(ARRAY, value.length, value, depth);
    else if (isRef(value)) {
      this.word(REF);
      this.string(value.path);
    } else if (value instanceof Map) this.#items(MAP, value.size, value, depth);
    else if (value instanceof Set) this.#items(SET, value.size, value, depth);
    else if (value instanceof ArrayBuffer) this.#payload(new Uint8Array(value));
    else if (ArrayBuffer.isView(value)) {
      this.#payload(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    } else {
      this.word(INSTANCE);
      this.string(nameOf(value));
    }
  }

  /** Of a long one its length and samples: a block passes some twenty stations in each node. */
  #payload(value: Uint8Array): void {
    if (value.length <= WHOLE_BYTES_MAX) {
      this.bytes(value);
      return;
    }
    this.word(value.length);
    this.bytes(value.subarray(0, SAMPLE_BYTES));
    for (let i = SAMPLE_BYTES; i < value.length; i += SAMPLE_STEP) this.word(value[i]!);
    this.bytes(value.subarray(-SAMPLE_BYTES));
  }

  #items(tag: number, count: number, items: Iterable<unknown>, depth: number): void {
    this.word(tag);
    this.word(count);
    if (depth < DEPTH_MAX) for (const item of items) this.value(item, depth + 1);
  }

  #fields(value: object, depth: number): void {
    this.word(OBJECT);
    if (depth >= DEPTH_MAX) return;
    for (const key in value) {
      this.string(key);
      this.value((value as Record<string, unknown>)[key], depth + 1);
    }
  }
}

export function isRef(value: object): value is ActorRef<unknown> {
  return "tell" in value && "path" in value && typeof value.path === "string";
}

export function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as unknown;
  return prototype === Object.prototype || prototype === null;
}

/** What tells this instance from others of its class, in words that do not depend on the process. */
export function nameOf(value: object): string {
  const name = value.constructor.name;
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (!("remote" in value && "direction" in value)) return name;
  return `${name} ${String(value.direction)} ${formatAddress(value.remote as Endpoint)}`;
}

function finish(lane: number): number {
  let mixed = Math.imul(lane ^ (lane >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

function hex(word: number): string {
  return word.toString(16).padStart(8, "0");
}
