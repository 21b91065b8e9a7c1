// What a raw inbound connection must pass before any TLS work is done for it: how many handshakes
// may be pending, and how often one remote address may connect. Bounded in memory; used by the TCP
// transport, one instance for all its listeners.

import type { NetworkConfig } from "../config.js";
import type { RefusalRule } from "../ports.js";
import { hostGroup, isLocalHost } from "../protocol/address.js";

/** The token bucket of a remote address holds one second's worth. */
export type InboundLimitsConfig = Pick<
  NetworkConfig["inbound"],
  "pendingMax" | "perAddressPerSecond" | "exemptLocal"
>;

/**
 * Buckets that are kept. An address whose bucket was dropped for a newer one starts with a full
 * bucket, which helps only someone who already has thousands of addresses.
 */
const BUCKETS_MAX = 4096;

interface Bucket {
  tokens: number;
  atMs: number;
}

export class InboundLimits {
  readonly #config: InboundLimitsConfig;
  /** In order of last use: the first is the one to drop. */
  readonly #buckets = new Map<string, Bucket>();
  #pending = 0;

  constructor(config: InboundLimitsConfig) {
    this.#config = config;
  }

  get pending(): number {
    return this.#pending;
  }

  get buckets(): number {
    return this.#buckets.size;
  }

  /** The rule that refuses this connection; if undefined, `release` must be called once. */
  admit(remoteIp: string, nowMs: number): RefusalRule | undefined {
    // The rate comes first: an address that floods is charged even while the slots are full.
    if (!this.#takeToken(remoteIp, nowMs)) return "address-rate";
    if (this.#pending >= this.#config.pendingMax) return "pending-limit";
    this.#pending += 1;
    return undefined;
  }

  /** The handshake of an admitted connection ended, well or badly. */
  release(): void {
    this.#pending -= 1;
  }

  #takeToken(remoteIp: string, nowMs: number): boolean {
    if (this.#config.exemptLocal && isLocalHost(remoteIp)) return true;
    // Whoever has one IPv6 address has its /64, so that is what is counted.
    const group = hostGroup(remoteIp, { ipv4Bits: 32, ipv6Bits: 64 });
    const { perAddressPerSecond } = this.#config;
    const bucket = this.#buckets.get(group) ?? { tokens: perAddressPerSecond, atMs: nowMs };
    const refilled = bucket.tokens + ((nowMs - bucket.atMs) * perAddressPerSecond) / 1000;
    bucket.tokens = Math.min(perAddressPerSecond, refilled);
    bucket.atMs = nowMs;
    this.#buckets.delete(group);
    this.#buckets.set(group, bucket);
    if (this.#buckets.size > BUCKETS_MAX) {
      const oldest = this.#buckets.keys().next();
      if (oldest.done === false) this.#buckets.delete(oldest.value);
    }
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }
}
