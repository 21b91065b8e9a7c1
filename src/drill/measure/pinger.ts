// Pings a peer at a steady rate, whether or not the last one is back. Latency counts from when a
// ping was due, so that a loop which could not even send it shows.

import { percentiles } from "./percentiles.js";

export interface PingLatency {
  /** Pings that were answered. */
  readonly answered: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Pings that were due and never answered. */
  readonly lost: number;
}

/** Answers when the ping is back; a network of ours, or a peer's. */
export interface Pinged {
  pingPeer(peerId: string): Promise<unknown>;
}

const PERIOD_MS = 10;

export class Pinger {
  readonly #latenciesMs: number[] = [];
  readonly #open = new Set<Promise<void>>();
  #timer: NodeJS.Timeout;
  #dueMs = performance.now() + PERIOD_MS;
  #lost = 0;

  constructor(network: Pinged, peerId: string) {
    const pingDue = (): void => {
      for (; this.#dueMs <= performance.now(); this.#dueMs += PERIOD_MS) {
        const sent = this.#ping(network, peerId, this.#dueMs);
        this.#open.add(sent);
        void sent.then(() => this.#open.delete(sent));
      }
      // An interval would drift away from when pings are due.
      this.#timer = setTimeout(pingDue, Math.ceil(this.#dueMs - performance.now()));
    };
    this.#timer = setTimeout(pingDue, PERIOD_MS);
  }

  async #ping(network: Pinged, peerId: string, dueMs: number): Promise<void> {
    const answer = await network.pingPeer(peerId).catch(() => undefined);
    if (answer === undefined) this.#lost++;
    else this.#latenciesMs.push(performance.now() - dueMs);
  }

  async stop(): Promise<PingLatency> {
    clearTimeout(this.#timer);
    await Promise.all(this.#open);
    const [p50Ms, p99Ms, maxMs] = percentiles(this.#latenciesMs, [0.5, 0.99, 1]);
    const answered = this.#latenciesMs.length;
    return { answered, p50Ms: p50Ms!, p99Ms: p99Ms!, maxMs: maxMs!, lost: this.#lost };
  }
}
