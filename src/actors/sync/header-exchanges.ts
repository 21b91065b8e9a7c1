// HeaderExchanges: whose headers are asked for and checked, several peers at once, until one of them
// has proven a heavier chain than ours. Those that this node dialed and those that dialed it have
// places of their own: whoever comes under ever new keys takes none of the others'. Pure, the time is
// passed in; what it decides the sync service carries out.

import { invariant } from "../../errors.js";
import type { NetworkConfig } from "../../config.js";
import type { Direction, PeerId } from "../../ports.js";
import type { HeaderSummary } from "../../types/chain.js";
import type { HeaderChain } from "./header-chain.js";
import type { SyncPeer } from "./sync-peers.js";

export type ExchangeStep =
  | {
      readonly name: "asked";
      readonly tag: number;
      readonly askedMs: number;
      readonly countMax: number;
      /** The height of our head then: what the locator was made of. */
      readonly headHeight: number;
      /** Before a chain begins: up to here the peer's chain is known to be ours. */
      readonly commonHeight: number;
    }
  | { readonly name: "checking"; readonly headers: readonly Uint8Array[] }
  /** Nothing is under way: it may be asked on, or has no more, or no room. */
  | { readonly name: "resting" };

export interface HeaderExchange {
  readonly id: number;
  readonly peerId: PeerId;
  readonly direction: Direction;
  /** Failures of its peer when it began. */
  readonly failures: number;
  /** `claim`: to prove a heavier chain. `hear`: to have seen some headers of somebody. */
  readonly purpose: "claim" | "hear";
  step: ExchangeStep;
  /** Headers to ask for next, at most. */
  countMax: number;
  /** Set from the first headers that are not ours. */
  chain: HeaderChain | undefined;
  /** How long it was waited for, less what its headers earned. */
  waitedMs: number;
  /** Since when its chain is proven to be heavier than ours. */
  provenMs: number | undefined;
}

type Asked = Extract<ExchangeStep, { name: "asked" }>;

export type ExchangeLimits = Pick<NetworkConfig["sync"], "headerPeersMax" | "headersFirst">;

/** A chain that is proven waits so long for the proofs of others that were asked as well. */
const CHOICE_MS = 500;

export class HeaderExchanges {
  readonly #open = new Map<PeerId, HeaderExchange>();
  readonly #placesMax: number;
  readonly #headersFirst: number;
  #next = 1;
  /** Asked by turns: the best promise, then who has waited longest. */
  #turn = 0;

  constructor({ headerPeersMax, headersFirst }: ExchangeLimits) {
    this.#placesMax = headerPeersMax;
    this.#headersFirst = headersFirst;
  }

  all(): readonly HeaderExchange[] {
    return [...this.#open.values()];
  }

  byId(id: number): HeaderExchange | undefined {
    return this.all().find((exchange) => exchange.id === id);
  }

  /** The exchange that this request is of, unless it was given up. */
  byTag(tag: number): HeaderExchange | undefined {
    return this.all().find(({ step }) => step.name === "asked" && step.tag === tag);
  }

  of(peerId: PeerId): HeaderExchange | undefined {
    return this.#open.get(peerId);
  }

  /** How many chains may share the window of headers. */
  get share(): number {
    return 2 * this.#placesMax;
  }

  /** Of these peers the next to ask, where its direction has a place; the caller begins with it. */
  choose(peers: readonly SyncPeer[]): SyncPeer | undefined {
    for (const direction of ["outbound", "inbound"] as const) {
      if (this.#taken(direction) >= this.#placesMax) continue;
      const waiting = this.#waiting(peers, direction);
      if (waiting.length === 0) continue;
      const ranksBefore = this.#turn++ % 2 === 0 ? promisesMore : waitsLonger;
      return waiting.reduce((best, peer) => (ranksBefore(peer, best) ? peer : best));
    }
    return undefined;
  }

  begin(peer: SyncPeer, purpose: HeaderExchange["purpose"]): HeaderExchange {
    const { peerId, direction, failures } = peer;
    invariant(!this.#open.has(peerId), "one exchange with a peer at a time");
    const exchange: HeaderExchange = {
      id: this.#next++,
      peerId,
      direction,
      failures,
      purpose,
      step: { name: "resting" },
      countMax: purpose === "hear" ? 1 : this.#headersFirst,
      chain: undefined,
      waitedMs: 0,
      provenMs: undefined,
    };
    this.#open.set(peerId, exchange);
    return exchange;
  }

  end(peerId: PeerId): void {
    this.#open.delete(peerId);
  }

  /** All others end; this one is asked for all that there is, and its patience begins anew. */
  chosen(exchange: HeaderExchange, nowMs: number): void {
    this.#open.clear();
    this.#open.set(exchange.peerId, exchange);
    exchange.countMax = Number.POSITIVE_INFINITY;
    exchange.waitedMs = 0;
    this.renew(nowMs);
  }

  clear(): void {
    this.#open.clear();
  }

  /** This node was not awake: nobody let it wait meanwhile. */
  renew(nowMs: number): void {
    for (const exchange of this.#open.values()) {
      if (exchange.step.name === "asked") exchange.step = { ...exchange.step, askedMs: nowMs };
    }
  }

  /** Who keeps a place longer than it may while one of `peers` waits for it. */
  late(
    peers: readonly SyncPeer[],
    patienceMs: (peerId: PeerId) => number,
    nowMs: number,
  ): readonly HeaderExchange[] {
    return this.all().filter((exchange) => {
      const { direction, peerId } = exchange;
      const full = this.#taken(direction) >= this.#placesMax;
      if (!full || this.#waiting(peers, direction).length === 0) return false;
      return waitedFor(exchange, nowMs) >= patienceMs(peerId);
    });
  }

  /**
   * The chain to sync, once there is one and nobody is worth waiting for any more: of the peers with
   * the fewest failures the one with the heaviest proof. Or how long to wait.
   */
  decide(
    prefers: (candidate: HeaderSummary, current: HeaderSummary) => boolean,
    nowMs: number,
  ): HeaderExchange | { readonly waitMs: number } | undefined {
    const proven = this.all().filter(({ provenMs }) => provenMs !== undefined);
    if (proven.length === 0) return undefined;
    const best = proven.reduce((a, b) => {
      if (a.failures !== b.failures) return a.failures < b.failures ? a : b;
      return prefers(b.chain!.best, a.chain!.best) ? b : a;
    });
    const waitMs = Math.min(...proven.map(({ provenMs }) => provenMs!)) + CHOICE_MS - nowMs;
    const awaited = this.all().some(
      ({ direction, failures, provenMs, purpose, step }) =>
        purpose === "claim" &&
        provenMs === undefined &&
        step.name !== "resting" &&
        failures <= best.failures &&
        (direction === "outbound" || best.direction === "inbound"),
    );
    return awaited && waitMs > 0 ? { waitMs } : best;
  }

  /** Whose proof is waited for, in plain words. */
  waitingFor(nowMs: number): string | undefined {
    const asked = this.all().filter(({ purpose, step }) => {
      return purpose === "claim" && step.name === "asked";
    });
    const [first] = asked;
    if (first === undefined) return undefined;
    const seconds = (Math.max(...asked.map((one) => waitedFor(one, nowMs))) / 1_000).toFixed(1);
    const from = asked.length === 1 ? first.peerId.slice(0, 8) : `${asked.length} peers`;
    return `headers from ${from} for ${seconds} s`;
  }

  invariants(): void {
    for (const direction of ["outbound", "inbound"] as const) {
      const taken = this.#taken(direction);
      invariant(taken <= this.#placesMax, `${taken} ${direction} exchanges of headers`);
    }
    for (const { chain } of this.#open.values()) chain?.invariants();
  }

  #taken(direction: Direction): number {
    return this.all().filter((exchange) => exchange.direction === direction).length;
  }

  #waiting(peers: readonly SyncPeer[], direction: Direction): readonly SyncPeer[] {
    return peers.filter((peer) => peer.direction === direction && !this.#open.has(peer.peerId));
  }
}

/** How long a peer was waited for, the present request included. */
export function waitedFor({ step, waitedMs }: HeaderExchange, nowMs: number): number {
  return step.name === "asked" ? waitedMs + nowMs - step.askedMs : waitedMs;
}

/** Asked → Resting. Headers pay for the time that they took, `earnedMs`. */
export function answered(exchange: HeaderExchange, earnedMs: number, nowMs: number): Asked {
  const { step } = exchange;
  invariant(step.name === "asked", "an answer to a request");
  exchange.waitedMs = Math.max(0, waitedFor(exchange, nowMs) - earnedMs);
  exchange.step = { name: "resting" };
  return step;
}

/** Whoever failed less, then who claims more: promises cost nothing. */
function promisesMore(peer: SyncPeer, other: SyncPeer): boolean {
  if (peer.failures !== other.failures) return peer.failures < other.failures;
  const [mine, theirs] = [peer.head.totalDifficulty, other.head.totalDifficulty];
  return mine === theirs ? peer.score > other.score : mine > theirs;
}

function waitsLonger(peer: SyncPeer, other: SyncPeer): boolean {
  return peer.askedMs < other.askedMs;
}
