// Remembers the ids of transactions whose signatures verified, in memory shared by all threads, so
// that a transaction checked when it was gossiped is not checked again inside its block.
// 4-way set-associative; filled and read by executors; may be left out without changing a verdict.

import { invariant } from "../errors.js";

export interface SignatureCache {
  /** `id` is 32 bytes: the sha256 of the whole encoded transaction, signature included. */
  has(id: Uint8Array): boolean;
  add(id: Uint8Array): void;
}

const WAYS = 4;
const ID_WORDS = 8;
const ID_BYTES = ID_WORDS * 4;
const SALT_WORDS = 4;
export const SIGNATURE_CACHE_SALT_BYTES = SALT_WORDS * 4;

/**
 * Makes the memory of a cache: salt, then one replacement hand a set, then the entries.
 * `entries` is rounded down to a power of two, at least one set. `salt` is 16 random bytes of this
 * process: without it a peer could grind ids that fall into one set and push honest ones out.
 */
export function allocateSignatureCache(entries: number, salt: Uint8Array): SharedArrayBuffer {
  invariant(salt.length === SIGNATURE_CACHE_SALT_BYTES, "the salt of the signature cache");
  const sets = 2 ** Math.max(0, Math.floor(Math.log2(Math.max(1, entries / WAYS))));
  const memory = new SharedArrayBuffer(4 * (SALT_WORDS + sets + sets * WAYS * ID_WORDS));
  new Uint8Array(memory).set(salt);
  return memory;
}

/**
 * Opens the cache that lies in `memory`, in any thread. Accesses are plain, not atomic: a race can
 * leave an entry, or show a reader one, that is made of words of two ids. It matches only a
 * transaction whose sha256 is that mixture, as hard to make as any other preimage; otherwise it is
 * a miss, which costs one verification. A lost step of a hand costs nothing.
 */
export function openSignatureCache(memory: SharedArrayBuffer): SignatureCache {
  const words = new Int32Array(memory);
  const sets = (words.length - SALT_WORDS) / (1 + WAYS * ID_WORDS);
  const entriesAt = SALT_WORDS + sets;
  const salt0 = words[0]!;
  const salt1 = words[1]! | 1;
  const salt2 = words[2]!;
  const salt3 = words[3]! | 1;
  // The id of the call in progress; calls never nest.
  const idWords = new Int32Array(ID_WORDS);
  const idBytes = new Uint8Array(idWords.buffer);

  const load = (id: Uint8Array): number => {
    invariant(id.length === ID_BYTES, "a transaction id is 32 bytes");
    idBytes.set(id);
    let mix = Math.imul(idWords[0]! ^ salt0, salt1);
    mix = Math.imul(mix ^ (mix >>> 15) ^ idWords[1]! ^ salt2, salt3);
    mix = Math.imul(mix ^ (mix >>> 13), 0x85ebca6b);
    return (mix ^ (mix >>> 16)) & (sets - 1);
  };
  const entryAt = (set: number, way: number): number => entriesAt + (set * WAYS + way) * ID_WORDS;
  const holds = (set: number): boolean => {
    // An empty entry is all zeros; so zeros are never reported, whatever was added.
    if (idWords.every((word) => word === 0)) return false;
    for (let way = 0; way < WAYS; way++) {
      const entry = entryAt(set, way);
      let word = 0;
      while (word < ID_WORDS && words[entry + word] === idWords[word]) word++;
      if (word === ID_WORDS) return true;
    }
    return false;
  };

  return {
    has: (id) => holds(load(id)),
    add(id) {
      const set = load(id);
      if (holds(set)) return;
      // The hand goes round the ways: the oldest of the set is replaced, the newest three stay.
      const way = words[SALT_WORDS + set]! & (WAYS - 1);
      words[SALT_WORDS + set] = way + 1;
      words.set(idWords, entryAt(set, way));
    },
  };
}
