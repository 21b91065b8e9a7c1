// Chance: the system's (node:crypto) for nodes, a seeded generator for simulations, and nothing in
// between. Neither is imported by actors, which get theirs as `env.random`.

import { createHash, randomFillSync } from "node:crypto";
import type { Random } from "../ports.js";

/** Entropy is fetched for this many numbers at a time: a system call for each would dominate. */
const BATCH_WORDS = 1024;

/** Cryptographically secure. */
export function createSystemRandom(): Random {
  const words = new Uint32Array(BATCH_WORDS);
  let next = BATCH_WORDS;
  const uint32 = (): number => {
    if (next === BATCH_WORDS) {
      randomFillSync(words);
      next = 0;
    }
    const word = words[next] as number;
    words[next++] = 0;
    return word;
  };
  return {
    uint32,
    float: () => toFloat(uint32(), uint32()),
    bytes: (count) => randomFillSync(new Uint8Array(count)),
  };
}

export interface SeededRandom extends Random {
  /** An independent generator; the same label gives the same one, whatever was drawn before. */
  fork(label: string): SeededRandom;
}

/**
 * Reproducible and not secret: sfc32 (Chris Doty-Humphrey, PractRand), its 128 bits of state taken
 * from the SHA-256 of the seed.
 */
export function seededRandom(seed: number | string): SeededRandom {
  const digest = createHash("sha256").update(`${seed}`).digest();
  let a = digest.readInt32LE(0);
  let b = digest.readInt32LE(4);
  let c = digest.readInt32LE(8);
  let counter = digest.readInt32LE(12);
  const uint32 = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  return {
    uint32,
    float: () => toFloat(uint32(), uint32()),
    bytes: (count) => Uint8Array.from({ length: count }, () => uint32() & 0xff),
    fork: (label) => seededRandom(`${seed}/${label}`),
  };
}

/** 53 random bits: every double in [0, 1) that is a multiple of 2^-53, equally likely. */
function toFloat(high: number, low: number): number {
  return ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53;
}
