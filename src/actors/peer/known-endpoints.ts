// The endpoints that the peer book keeps dialing, and when each may be dialed again. Pure. None of them
// comes from what a peer says: they are the operator's, the caller's, and those where a peer was found
// before.

import { invariant } from "../../errors.js";
import type { NetworkConfig } from "../../config.js";
import type { PeerId } from "../../ports.js";
import { formatAddress, type Endpoint } from "../../protocol/address.js";
import { backoffMs } from "./backoff.js";

/** Where an endpoint was heard of: in the configuration, by `connect`, in the store. */
export type EndpointSource = "configured" | "asked" | "stored";

export interface KnownEndpoint {
  /** The text of the endpoint, by which it is known. */
  readonly address: string;
  readonly endpoint: Endpoint;
  readonly source: EndpointSource;
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
  /** Wall-clock time at which a peer was ready there last; absent: nobody ever was. */
  readyWallMs: number | undefined;
}

type Settings = NetworkConfig["dial"];

export interface Failed {
  readonly why: string;
  /** False: it does not lengthen the backoff. Default true. */
  readonly grows?: boolean;
  /** There is no peer: the backoff does not become long. */
  readonly alone: boolean;
}

export class KnownEndpoints {
  readonly #settings: Settings;
  readonly #float: () => number;
  readonly #onRemoved: (target: KnownEndpoint) => void;
  readonly #known = new Map<string, KnownEndpoint>();

  /** `float` answers uniformly in [0, 1). */
  constructor(
    settings: Settings,
    float: () => number,
    onRemoved: (target: KnownEndpoint) => void = () => undefined,
  ) {
    this.#settings = settings;
    this.#float = float;
    this.#onRemoved = onRemoved;
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

  /**
   * The endpoint, which is added if there is room: of those from the store the one that failed most
   * gives way to one that somebody asks for. Not dialed before `notBeforeMs`, monotonic.
   */
  add(endpoint: Endpoint, source: EndpointSource, notBeforeMs = 0): KnownEndpoint | undefined {
    const address = formatAddress(endpoint);
    const known = this.#known.get(address);
    if (known !== undefined) return known;
    if (this.#known.size >= this.#settings.candidatesMax && !this.#makeRoom(source)) {
      return undefined;
    }
    const added: KnownEndpoint = {
      address,
      endpoint,
      source,
      peerId: undefined,
      state: "idle",
      dial: 0,
      failures: 0,
      notBeforeMs,
      dialedWallMs: undefined,
      end: undefined,
      readyWallMs: undefined,
    };
    this.#known.set(address, added);
    return added;
  }

  remove(target: KnownEndpoint): void {
    this.#known.delete(target.address);
    this.#onRemoved(target);
  }

  /** Somebody wants it now: its past does not count, and it is the first that is due. */
  want(target: KnownEndpoint): void {
    target.failures = 0;
    target.notBeforeMs = Number.NEGATIVE_INFINITY;
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
      const rank = target.notBeforeMs === Number.NEGATIVE_INFINITY ? -1 : rankOf(target);
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
  dialing(target: KnownEndpoint, wallMs: number): number {
    target.state = "dialing";
    target.dialedWallMs = wallMs;
    return ++target.dial;
  }

  /** Any → Connected. */
  connected(target: KnownEndpoint, peerId: PeerId): void {
    target.state = "connected";
    target.peerId = peerId;
  }

  /** Any → Idle, until the backoff is over. */
  failed(target: KnownEndpoint, nowMs: number, { why, grows = true, alone }: Failed): void {
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

  #makeRoom(source: EndpointSource): boolean {
    if (source === "stored") return false;
    let worst: KnownEndpoint | undefined;
    for (const known of this.#known.values()) {
      if (known.source !== "stored" || known.state !== "idle") continue;
      if (worst === undefined || known.failures > worst.failures) worst = known;
    }
    if (worst !== undefined) this.remove(worst);
    return worst !== undefined;
  }
}
