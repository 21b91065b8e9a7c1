// The trace of a run: every delivery is folded into one hash, which two runs of one seed share and
// two seeds do not. Messages are hashed by what they say, never by which object says it: the same
// run in another process has the same hash. The world feeds it; tests and people compare it.

import type { ActorRef } from "../runtime/actor.js";

/** One message or signal that reached an actor. */
export interface Delivery {
  /** Virtual time. */
  readonly atMs: number;
  /** Begins with the name of the node: `/n3/network/registry`. */
  readonly path: string;
  readonly message: unknown;
  /** 16 hex digits. */
  readonly messageHash: string;
}

/** Objects nested deeper than this are told apart by their class alone. */
const DEPTH_MAX = 12;

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
    let i = 0;
    for (; i < whole; i += 4) {
      this.word(value[i]! | (value[i + 1]! << 8) | (value[i + 2]! << 16) | (value[i + 3]! << 24));
    }
    for (; i < value.length; i++) this.word(value[i]!);
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
    else if (value instanceof Uint8Array) this.bytes(value);
    else if (Array.isArray(value)) this.#items(ARRAY, value.length, value, depth);
    else if (isRef(value)) {
      this.word(REF);
      this.string(value.path);
    } else if (value instanceof Map) this.#items(MAP, value.size, value, depth);
    else if (value instanceof Set) this.#items(SET, value.size, value, depth);
    else if (value instanceof ArrayBuffer) this.bytes(new Uint8Array(value));
    else if (ArrayBuffer.isView(value)) {
      this.bytes(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    } else {
      this.word(INSTANCE);
      this.string(nameOf(value));
    }
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

export class Trace {
  /** Deliveries so far. */
  count = 0;
  readonly #run = new StructuralHash();
  readonly #message = new StructuralHash();

  /** Folds one delivery in. `describe` is called with it; absent, nothing is allocated. */
  add(atMs: number, path: string, message: unknown, describe?: (delivery: Delivery) => void): void {
    const hash = this.#message;
    hash.reset();
    hash.value(message);
    this.#run.number(atMs);
    this.#run.string(path);
    this.#run.absorb(hash);
    this.count++;
    describe?.({ atMs, path, message, messageHash: hash.digest() });
  }

  /** Of all deliveries so far, in order; 16 hex digits. */
  get hash(): string {
    return this.#run.digest();
  }
}

/** One line for people: time, actor, message and the hash that finds it again. */
export function formatDelivery({ atMs, path, message, messageHash }: Delivery): string {
  return `${atMs.toFixed(3).padStart(12)} ${path} ${brief(message, 0)} #${messageHash}`;
}

const LIST_MAX = 4;
const TEXT_MAX = 24;

function brief(value: unknown, depth: number): string {
  if (typeof value === "string") {
    return value.length > TEXT_MAX ? `${value.slice(0, 12)}…` : value;
  }
  if (typeof value === "number") return Number.isInteger(value) ? `${value}` : value.toFixed(3);
  if (typeof value === "function") return `${value.name || "function"}()`;
  if (typeof value !== "object" || value === null) return String(value);
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `<${value.byteLength} B>`;
  if (isRef(value)) return `@${value.path}`;
  if (Array.isArray(value)) {
    const shown = value.slice(0, LIST_MAX).map((item) => brief(item, depth + 1));
    return `[${shown.join(", ")}${value.length > LIST_MAX ? `, … ${value.length} in all` : ""}]`;
  }
  if (value instanceof Map || value instanceof Set) return `${value.size} entries`;
  if (!isPlain(value)) return nameOf(value);
  const { type, kind, ...fields } = value as Record<string, unknown>;
  const shown = Object.entries(fields).map(([key, field]) => `${key}: ${brief(field, depth + 1)}`);
  const name = [type, kind].filter((part) => typeof part === "string").join(" ");
  return `${name}{${depth < 3 ? shown.join(", ") : "…"}}`;
}

function isRef(value: object): value is ActorRef<unknown> {
  return "tell" in value && "path" in value && typeof value.path === "string";
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as unknown;
  return prototype === Object.prototype || prototype === null;
}

/** What tells this instance from others of its class, in words that do not depend on the process. */
function nameOf(value: object): string {
  const name = value.constructor.name;
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (!("remoteAddress" in value && "direction" in value)) return name;
  return `${name} ${String(value.direction)} ${String(value.remoteAddress)}`;
}

function finish(lane: number): number {
  let mixed = Math.imul(lane ^ (lane >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

function hex(word: number): string {
  return word.toString(16).padStart(8, "0");
}
