// Short ids of `relay/1`: 8 bytes, SipHash-2-4 of an id under the key of whoever
// is told them. Who knows the key can make two ids alike with 2^32 tries and one like another's with
// 2^64, so nobody hides another's transaction behind one of its own.

import { toHex, writeHex } from "../bytes/hex.js";
import { SipHash } from "../bytes/siphash.js";
import type { HashHex, ShortId } from "../types/chain.js";

const HASH_BYTES = 32;
const SHORT_BYTES = 8;

export class ShortIds {
  readonly #hash: SipHash;
  readonly #id = new Uint8Array(HASH_BYTES);
  readonly #short = new Uint8Array(SHORT_BYTES);

  /** 16 bytes. */
  constructor(key: Uint8Array) {
    this.#hash = new SipHash(key);
  }

  of(id: HashHex): ShortId {
    writeHex(this.#id, 0, id);
    this.#hash.into(this.#short, 0, this.#id);
    return toHex(this.#short);
  }
}
