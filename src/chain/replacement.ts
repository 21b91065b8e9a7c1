// When a transaction may take the place of another of its sender and nonce. Pure.

import type { Entry } from "./sender-queue.js";

/** Beyond this another doubling changes nothing: prices end at 2^64. */
const DOUBLINGS_MAX = 64;

/**
 * It has to offer `percent` more gas price, and twice as much again each time that nonce is replaced;
 * and for its bytes no less in all than the other one, and one unit more for each byte of its own. So
 * who replaces pays for what peers carry anew (rules 3 and 4 of BIP 125), and soon more than anybody
 * would: from 1 to the highest price there are 14 steps, where a bump of a tenth alone makes 446.
 */
export function outbids(entry: Entry, replaced: Entry, percent: number): boolean {
  const doublings = Math.min(replaced.replacements, DOUBLINGS_MAX);
  const bump = BigInt(percent) << BigInt(doublings);
  const isDearer = entry.gasPrice * 100n >= replaced.gasPrice * (100n + bump);
  const due = paid(replaced) + BigInt(entry.bytes.length);
  return entry.gasPrice > replaced.gasPrice && isDearer && paid(entry) >= due;
}

/** No unit of gas is believed but those that its bytes take. */
function paid({ gasPrice, bytes }: Entry): bigint {
  return gasPrice * BigInt(bytes.length);
}
