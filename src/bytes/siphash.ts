// SipHash-2-4 (Aumasson and Bernstein, 2012): 64 bits of a message under a key of 128, so that nobody
// without the key can make two messages alike. In halves of 32 bits: bigints take 50 times as long.

import { invariant } from "../errors.js";

const KEY_BYTES = 16;

/** "somepseudorandomlygeneratedbytes", the constants of the paper: low and high halves. */
const C0 = [0x70736575, 0x736f6d65] as const;
const C1 = [0x6e646f6d, 0x646f7261] as const;
const C2 = [0x6e657261, 0x6c796765] as const;
const C3 = [0x79746573, 0x74656462] as const;

export class SipHash {
  /** v0 to v3 of an empty message, low half first. */
  readonly #start = new Int32Array(8);
  readonly #v = new Int32Array(8);

  constructor(key: Uint8Array) {
    invariant(key.length === KEY_BYTES, `a key of ${key.length} bytes`);
    const [k0, k1] = [halvesAt(key, 0), halvesAt(key, 8)];
    for (const half of [0, 1] as const) {
      this.#start[half] = k0[half] ^ C0[half];
      this.#start[2 + half] = k1[half] ^ C1[half];
      this.#start[4 + half] = k0[half] ^ C2[half];
      this.#start[6 + half] = k1[half] ^ C3[half];
    }
  }

  /** Writes the 8 bytes of the hash, the lowest first, as the specification has them. */
  into(target: Uint8Array, at: number, message: Uint8Array): void {
    const v = this.#v;
    v.set(this.#start);
    const { length } = message;
    const whole = length - (length % 8);
    for (let from = 0; from < whole; from += 8) {
      absorb(v, wordAt(message, from), wordAt(message, from + 4));
    }
    let low = 0;
    let high = (length & 0xff) << 24;
    for (let index = whole; index < length; index++) {
      const shift = 8 * (index - whole);
      if (shift < 32) low |= message[index]! << shift;
      else high |= message[index]! << (shift - 32);
    }
    absorb(v, low, high);
    v[4]! ^= 0xff;
    for (let round = 0; round < 4; round++) sipRound(v);
    writeWord(target, at, v[0]! ^ v[2]! ^ v[4]! ^ v[6]!);
    writeWord(target, at + 4, v[1]! ^ v[3]! ^ v[5]! ^ v[7]!);
  }
}

function halvesAt(bytes: Uint8Array, at: number): readonly [number, number] {
  return [wordAt(bytes, at), wordAt(bytes, at + 4)];
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

function writeWord(target: Uint8Array, at: number, word: number): void {
  target[at] = word;
  target[at + 1] = word >>> 8;
  target[at + 2] = word >>> 16;
  target[at + 3] = word >>> 24;
}

function absorb(v: Int32Array, low: number, high: number): void {
  v[6]! ^= low;
  v[7]! ^= high;
  sipRound(v);
  sipRound(v);
  v[0]! ^= low;
  v[1]! ^= high;
}

function sipRound(v: Int32Array): void {
  add(v, 0, 2);
  rotate(v, 2, 13);
  v[2]! ^= v[0]!;
  v[3]! ^= v[1]!;
  swap(v, 0);
  add(v, 4, 6);
  rotate(v, 6, 16);
  v[6]! ^= v[4]!;
  v[7]! ^= v[5]!;
  add(v, 0, 6);
  rotate(v, 6, 21);
  v[6]! ^= v[0]!;
  v[7]! ^= v[1]!;
  add(v, 4, 2);
  rotate(v, 2, 17);
  v[2]! ^= v[4]!;
  v[3]! ^= v[5]!;
  swap(v, 4);
}

function add(v: Int32Array, to: number, other: number): void {
  const low = (v[to]! >>> 0) + (v[other]! >>> 0);
  v[to] = low;
  v[to + 1] = v[to + 1]! + v[other + 1]! + (low > 0xffffffff ? 1 : 0);
}

/** To the left by less than 32. */
function rotate(v: Int32Array, at: number, by: number): void {
  const low = v[at]!;
  const high = v[at + 1]!;
  v[at] = (low << by) | (high >>> (32 - by));
  v[at + 1] = (high << by) | (low >>> (32 - by));
}

/** By 32. */
function swap(v: Int32Array, at: number): void {
  const low = v[at]!;
  v[at] = v[at + 1]!;
  v[at + 1] = low;
}
