// Proof of work: when a hash is good enough, how difficult the next block is, and the search for a
// nonce. The difficulty rule is that of Ethereum's EIP-2 with our interval in place of its 10 s.

import { toLatin1 } from "../bytes/compare.js";
import { fromHex } from "../bytes/hex.js";
import { sha256Latin1 } from "../bytes/sha256.js";
import { invariant } from "../errors.js";
import { encodeHeader, readHeader } from "./header.js";
import type { ChainParams } from "./params.js";
import type { HashHex, HeaderSummary } from "../types/chain.js";

const UINT64_MAX = 2n ** 64n - 1n;
/** From here on a nonce is nine bytes of CBOR, so a search can write it in place. */
export const NONCE_MIN = 2n ** 32n;

const HASH_MAX = 2n ** 256n - 1n;
const STEP_DIVISOR = 2048n;
const STEPS_DOWN_MAX = 99;

/** Valid when the hash as a big-endian integer times the difficulty is below 2^256. */
export function meetsDifficulty(hash: HashHex, difficulty: bigint): boolean {
  return difficulty > 0n && BigInt(`0x${hash}`) <= HASH_MAX / difficulty;
}

/**
 * The difficulty of the child of `parent` at `timestampMs`: up one step of 1/2048 (at least 1)
 * when the child comes soon, down one for each unit that it is late, at most 99. A unit is ln 2 of
 * the target interval, because exponential block times then balance at the target.
 */
export function nextDifficulty(
  parent: Pick<HeaderSummary, "difficulty" | "timestampMs">,
  timestampMs: number,
  params: Pick<ChainParams, "minDifficulty" | "targetIntervalMs">,
): bigint {
  const unitMs = Math.max(1, Math.floor(params.targetIntervalMs * Math.LN2));
  const late = Math.floor((timestampMs - parent.timestampMs) / unitMs);
  const steps = BigInt(Math.max(1 - late, -STEPS_DOWN_MAX));
  const step = parent.difficulty / STEP_DIVISOR || 1n;
  const next = parent.difficulty + step * steps;
  return next > params.minDifficulty ? next : params.minDifficulty;
}

/**
 * Tries `attempts` nonces, the first being 2^32 + `nonceStart`; returns the sealed header or
 * undefined when none fits. Throws when `header` is not the encoding of a header.
 */
export function sealHeader(
  header: Uint8Array,
  nonceStart: bigint,
  attempts: number,
): Uint8Array<ArrayBuffer> | undefined {
  const read = readHeader(header);
  invariant(read.ok, "only a well-formed header can be sealed");
  invariant(read.value.difficulty > 0n, "a difficulty of 0 cannot be met");
  const first = NONCE_MIN + nonceStart;
  if (first > UINT64_MAX) return undefined;
  const sealed = encodeHeader({ ...read.value, nonce: first });
  const view = new DataView(sealed.buffer);
  const at = read.value.nonceStart + 1;
  const target = HASH_MAX / read.value.difficulty;
  const limit = toLatin1(fromHex(target.toString(16).padStart(64, "0")));
  let high = view.getUint32(at);
  let low = view.getUint32(at + 4);
  for (let i = 0; i < attempts; i++) {
    if (sha256Latin1(sealed) <= limit) return sealed;
    low = (low + 1) >>> 0;
    if (low === 0) {
      high = (high + 1) >>> 0;
      if (high === 0) return undefined;
      view.setUint32(at, high);
    }
    view.setUint32(at + 4, low);
  }
  return undefined;
}
