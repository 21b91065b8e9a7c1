// The default chain state: for each sender its last confirmed nonce. The key is the sender's
// public key, the value eight bytes, big-endian. Shared by consensus and mempool.

import { readUint64, writeUint64 } from "../bytes/compare.js";
import type { StateView, StateWrite } from "../ports.js";

export const NONCE_BYTES = 8;

/** The sender's last confirmed nonce; -1 when it has none. */
export function lastNonce(view: StateView, sender: Uint8Array): number {
  const value = view.state(sender);
  return value === undefined ? -1 : readUint64(value, 0);
}

/** The write that sets it; -1 deletes it. */
export function nonceWrite(sender: Uint8Array, nonce: number): StateWrite {
  if (nonce < 0) return { key: sender, value: undefined };
  const value = new Uint8Array(NONCE_BYTES);
  writeUint64(value, 0, nonce);
  return { key: sender, value };
}
