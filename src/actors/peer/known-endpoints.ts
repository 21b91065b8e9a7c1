// The endpoints that are dialed or connected, and those that are dialed again whatever becomes of them:
// the operator's and the caller's. Others come from the address book, and go when they ended. Pure.

import { invariant } from "../../errors.js";
import type { NetworkConfig } from "../../config.js";
import type { PeerId } from "../../ports.js";
import { formatAddress, type Endpoint } from "../../protocol/address.js";
import { backoffMs } from "./backoff.js";
import type { Purpose } from "./purpose.js";

/** Whose an endpoint is: of `staticPeers`, `seedPeers`, `connect`, or drawn from the address book. */
export type EndpointSource = "static" | "configured" | "asked" | "book";

export interface KnownEndpoint {
  /** The text of the endpoint, by which it is known. */
  readonly address: string;
  readonly endpoint: Endpoint;
  source: EndpointSource;
  /** Of its last dial. */
  purpose: Purpose;
  /** Who answered there, once somebody did. */
  peerId: PeerId | undefined;
  state: "idle" | "dialing" | "connected";
  /** The number of its last dial. */
  dial: number;
  failures: number;
  /** Monotonic time before which it is left alone. */
  notBeforeMs: number;
  /** Wall-clock time of the last dial. */
  dialedWallMs: number | undefined;
  /** Why the last dial, or the connection that it brought, ended. */
  end: string | undefined;
}

/** Of whoever somebody wants now: no time is earlier. */
const WANTED = Number.NEGATIVE_INFINITY;

type Settings = NetworkConfig["dial"];

export interface Ended {
  readonly why: string;
  /** False: it does not lengthen the backoff. Default true. */
  readonly grows?: boolean;
  /** A peer had shaken hands. Default false. */
  readonly wasReady?: boolean;
  /** A connection that was good for long: the backoff starts anew. */
  readonly wasStable?: boolean;
  /** There is no peer: the backoff does not become long. */
  readonly alone: boolean;
}

export class KnownEndpoints {
  readonly #settings: Settings;
  readonly #float: () => number;
  readonly #known = new Map<string, KnownEndpoint>();

  /** `float` answers uniformly in [0, 1). */
  constructor(settings: Settings, float: () => number) {
    this.#settings = settings;
    this.#float = float;
  }

  get(endpoint: Endpoint): KnownEndpoint | undefined {
    return this.#known.get(formatAddress(endpoint));
  }

  byAddress(address: string): KnownEndpoint | undefined {
    return this.#known.get(address);
  }

  all(): IterableIterator<KnownEndpoint> {
    return this.#known.values();
  }

  /** The endpoint, which is added if there is room. Not dialed before `notBeforeMs`, monotonic. */
  add(endpoint: Endpoint, source: EndpointSource, notBeforeMs = 0): KnownEndpoint | undefined {
    const address = formatAddress(endpoint);
    const known = this.#known.get(address);
    if (known !== undefined) return known;
    if (this.#known.size >= this.#settings.candidatesMax) return undefined;
    const added: KnownEndpoint = {
      address,
      endpoint,
      source,
      purpose: "full",
      peerId: undefined,
      state: "idle",
      dial: 0,
      failures: 0,
      notBeforeMs,
      dialedWallMs: undefined,
      end: undefined,
    };
    this.#known.set(address, added);
    return added;
  }

  remove(target: KnownEndpoint): void {
    this.#known.delete(target.address);
  }

  /** Somebody wants it now: its past does not count, and it is the first that is due. */
  want(target: KnownEndpoint): void {
    if (target.source === "book") target.source = "asked";
    // Whoever waits wants more than to see that somebody is there.
    if (target.purpose === "feeler") target.purpose = "full";
    if (target.state !== "idle") return;
    target.failures = 0;
    target.notBeforeMs = WANTED;
  }

  isWanted({ notBeforeMs }: KnownEndpoint): boolean {
    return notBeforeMs === WANTED;
  }

  count(state: KnownEndpoint["state"]): number {
    let count = 0;
    for (const known of this.#known.values()) if (known.state === state) count++;
    return count;
  }

  /** Dialing and connected ones. */
  get taken(): number {
    return this.#known.size - this.count("idle");
  }

  /**
   * At most `count` that may be dialed now: by rank, the lowest first, and of one rank those that wait
   * longest, so that many dead ones cannot keep out the others. Without a rank: not at all.
   */
  due(
    nowMs: number,
    count: number,
    rankOf: (target: KnownEndpoint) => number | undefined,
  ): readonly KnownEndpoint[] {
    if (count <= 0) return [];
    const due: { readonly target: KnownEndpoint; readonly rank: number }[] = [];
    for (const target of this.#known.values()) {
      if (target.state !== "idle" || target.notBeforeMs > nowMs) continue;
      const rank = rankOf(target);
      if (rank !== undefined) due.push({ target, rank });
    }
    due.sort((a, b) => a.rank - b.rank || a.target.notBeforeMs - b.target.notBeforeMs);
    return due.slice(0, count).map(({ target }) => target);
  }

  /** The idle one that becomes due next; undefined: none is waiting. */
  next(): KnownEndpoint | undefined {
    let next: KnownEndpoint | undefined;
    for (const known of this.#known.values()) {
      if (known.state !== "idle") continue;
      if (next === undefined || known.notBeforeMs < next.notBeforeMs) next = known;
    }
    return next;
  }

  /** Idle → Dialing. Answers the number of this dial. */
  dialing(target: KnownEndpoint, wallMs: number, purpose: Purpose = "full"): number {
    target.state = "dialing";
    target.purpose = purpose;
    target.dialedWallMs = wallMs;
    return ++target.dial;
  }

  /** Any → Connected. */
  connected(target: KnownEndpoint, peerId: PeerId): void {
    target.state = "connected";
    target.peerId = peerId;
  }

  /** Any → Idle, until the backoff is over. */
  failed(
    target: KnownEndpoint,
    nowMs: number,
    { why, grows = true, wasStable = false, alone }: Ended,
  ): void {
    if (wasStable) target.failures = 0;
    if (grows) target.failures++;
    target.state = "idle";
    target.end = why;
    target.notBeforeMs = nowMs + this.#pauseMs(target, alone);
  }

  /** The last peer has gone: nobody is left alone for long. */
  hurry(nowMs: number): void {
    for (const known of this.#known.values()) {
      if (known.state !== "idle") continue;
      known.notBeforeMs = Math.min(known.notBeforeMs, nowMs + this.#pauseMs(known, true));
    }
  }

  invariants(): void {
    const { candidatesMax } = this.#settings;
    invariant(this.#known.size <= candidatesMax, `${this.#known.size} endpoints`);
  }

  #pauseMs({ failures }: KnownEndpoint, alone: boolean): number {
    return backoffMs(this.#settings, { failures, chance: this.#float(), alone });
  }
}

/** Who was found there, or is to be. */
export function peerAt({ peerId, endpoint }: KnownEndpoint): PeerId | undefined {
  return peerId ?? endpoint.peerId;
}
