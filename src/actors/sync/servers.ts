// Servers: what a session learns of the peers that it asks for bodies. Claims cost nothing, so a
// peer is asked for one range at a time until it delivers; who fails is asked last and less. Pure.

import { LRUCache } from "lru-cache";
import type { NetworkConfig } from "../../config.js";
import type { PeerId } from "../../ports.js";

export type ServerLimits = Pick<
  NetworkConfig["sync"],
  "rangesPerPeerMax" | "refutedPeersMax" | "retryMs"
>;

interface Server {
  /** Ranges that it may owe at once. */
  allowance: number;
  /** Not delivered since it last delivered. */
  failures: number;
  /** Left alone until then. */
  notBeforeMs: number;
  /** It said that its chain is another one at this height, or below; for as long as this session lasts. */
  elsewhereFrom: number | undefined;
  /** It brought something. */
  served: boolean;
}

/** It is left alone for a doubling time, at most so often doubled. */
const DOUBLINGS_MAX = 5;

export class Servers {
  readonly #limits: ServerLimits;
  /** Those that were asked; a session may outlast any number of identities. */
  readonly #servers: LRUCache<PeerId, Server>;

  /** `offerer`: whose chain it is, and so known to have it. */
  constructor(offerer: PeerId, limits: ServerLimits) {
    this.#limits = limits;
    this.#servers = new LRUCache({ max: limits.refutedPeersMax });
    this.#of(offerer).allowance = limits.rangesPerPeerMax;
  }

  failuresOf(peerId: PeerId): number {
    return this.#servers.get(peerId)?.failures ?? 0;
  }

  hasServed(peerId: PeerId): boolean {
    return this.#servers.get(peerId)?.served ?? false;
  }

  /** Whether it may be asked for one more range than `asked`. */
  mayAsk(peerId: PeerId, asked: number, nowMs: number): boolean {
    const server = this.#servers.get(peerId);
    if (server === undefined) return asked === 0;
    return server.notBeforeMs <= nowMs && asked < server.allowance;
  }

  delivered(peerId: PeerId): void {
    const server = this.#of(peerId);
    server.allowance = Math.min(this.#limits.rangesPerPeerMax, server.allowance * 2);
    server.failures = 0;
    server.notBeforeMs = 0;
    server.served = true;
  }

  /** It refused, was silent, or sent something else. */
  failed(peerId: PeerId, nowMs: number): void {
    const server = this.#of(peerId);
    server.allowance = 1;
    // What it owed at once is one failure.
    if (nowMs < server.notBeforeMs) return;
    server.notBeforeMs = nowMs + this.#limits.retryMs * 2 ** server.failures;
    server.failures = Math.min(server.failures + 1, DOUBLINGS_MAX);
  }

  /** It lets others wait, and may still deliver. */
  slow(peerId: PeerId): void {
    const server = this.#of(peerId);
    server.allowance = 1;
    server.failures = Math.max(1, server.failures);
  }

  elsewhere(peerId: PeerId, height: number): void {
    const server = this.#of(peerId);
    server.elsewhereFrom = Math.min(height, server.elsewhereFrom ?? height);
  }

  /** From here on at the latest it is on another chain, as it says. */
  elsewhereFrom(peerId: PeerId): number | undefined {
    return this.#servers.get(peerId)?.elsewhereFrom;
  }

  #of(peerId: PeerId): Server {
    const known = this.#servers.get(peerId);
    if (known !== undefined) return known;
    const server: Server = {
      allowance: 1,
      failures: 0,
      notBeforeMs: 0,
      elsewhereFrom: undefined,
      served: false,
    };
    this.#servers.set(peerId, server);
    return server;
  }
}
