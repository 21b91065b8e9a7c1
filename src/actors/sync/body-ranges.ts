// BodyRanges: the blocks of a proven chain in ranges, from the first that is not connected yet: who
// is asked for which, what may come at most, and who lets everybody wait. Pure.

import { invariant } from "../../errors.js";
import type { NetworkConfig } from "../../config.js";
import type { CheckedBlock, HashHex } from "../../types/chain.js";
import type { PeerId } from "../../ports.js";
import type { HeaderChain } from "./header-chain.js";
import { ANSWER_BYTES_MAX, type OpenAsks } from "./open-asks.js";
import { Range, type Ask } from "./range.js";
import { Servers } from "./servers.js";

export type RangeSettings = NetworkConfig["sync"];

/** A peer that could serve, as the service sees it now. */
export interface ServingPeer {
  readonly peerId: PeerId;
  readonly claimedHeight: bigint;
  /** 0-1 by its performance; 1 more for whose headers are at hand, and for whom this node dialed. */
  readonly score: number;
}

export interface RangeRequest {
  readonly request: number;
  readonly peerId: PeerId;
  readonly fromHeight: number;
  readonly count: number;
  readonly lastHash: HashHex;
}

/** How many answers may be under way. */
export interface AsksMost {
  readonly inAll: number;
  readonly ofPeer: number;
}

const NO_LIMIT: AsksMost = { inAll: Number.POSITIVE_INFINITY, ofPeer: Number.POSITIVE_INFINITY };

export interface BodyRangesParts {
  readonly chain: HeaderChain;
  /** Whose headers these are. */
  readonly offerer: PeerId;
  readonly settings: RangeSettings;
  readonly asks: OpenAsks;
  readonly nowMs: number;
}

/** Smoothing of the mean block size. */
const GAIN = 1 / 8;
const BLOCK_BYTES_GUESS = 16 * 1024;
/** The first range is asked of so many peers at once, and there is always room for their answers. */
const FRONT_ASKS_MAX = 2;
/**
 * Whoever offers a chain and fails so often on one range of it withholds it: others had their turn
 * in between, and a session must not be held by a promise.
 */
const WITHHELD_MAX = 2;

export class BodyRanges {
  readonly #chain: HeaderChain;
  readonly #offerer: PeerId;
  readonly #settings: RangeSettings;
  readonly #asks: OpenAsks;
  readonly #servers: Servers;
  /** Those that are not connected yet, ascending without a gap. */
  readonly #ranges: Range[] = [];
  /** Of blocks in hand, whether they are being checked, wait or are being connected. */
  #heldBytes = 0;
  #meanBlockBytes = BLOCK_BYTES_GUESS;
  /** Who lets the first range wait for so long gets company. */
  #stallMs: number;
  #waitedMs = 0;
  #lookedMs: number;

  constructor({ chain, offerer, settings, asks, nowMs }: BodyRangesParts) {
    this.#chain = chain;
    this.#offerer = offerer;
    this.#settings = settings;
    this.#asks = asks;
    this.#servers = new Servers(offerer, settings);
    this.#stallMs = settings.stallMinMs;
    this.#lookedMs = nowMs;
  }

  get front(): Range | undefined {
    return this.#ranges[0];
  }

  /** Bodies are under way, being checked or about to be connected. */
  get busy(): boolean {
    const wanted = this.#ranges.findIndex(({ state }) => state.name === "wanted");
    // Checked bodies behind a wanted range go nowhere by themselves.
    return this.#ranges.some(
      ({ state: { name } }, index) =>
        name !== "wanted" && (name !== "checked" || wanted === -1 || index < wanted),
    );
  }

  /** What is in hand and the most that may come of what is wanted. */
  get bytesInFlight(): number {
    return this.#heldBytes + this.#asks.bytes;
  }

  // ---- requests -------------------------------------------------------------------------------

  /**
   * Cuts new ranges and assigns wanted ones; the caller sends the requests. A range is asked of whoever
   * is best for its first block, as far as that one claims to have it. `most`: answers that
   * may be under way, where this node takes fewer bytes than it could.
   */
  assign(peers: readonly ServingPeer[], nowMs: number, most: AsksMost = NO_LIMIT): RangeRequest[] {
    const requests: RangeRequest[] = [];
    for (;;) {
      const wanted = this.#ranges.find(({ state }) => state.name === "wanted");
      if (this.#asks.count >= most.inAll && wanted !== this.front) return requests;
      if (!this.#fits(wanted === this.front)) return requests;
      const range = wanted ?? this.#cut();
      const free = peers.filter(({ peerId }) => this.#asks.countOf(peerId) < most.ofPeer);
      const peer = range && this.#choose(range, free, nowMs);
      if (range === undefined || peer === undefined) return requests;
      requests.push(this.#ask(range, peer, nowMs));
    }
  }

  /**
   * Looked at now and then: when the first range keeps everybody waiting, another peer is asked for
   * it too, and whichever answer comes first is taken.
   */
  hedge(peers: readonly ServingPeer[], nowMs: number): RangeRequest | undefined {
    const { front } = this;
    this.#wait(nowMs);
    const asks = front?.asks ?? [];
    const newest = asks.at(-1);
    if (front === undefined || newest === undefined || asks.length >= FRONT_ASKS_MAX) {
      return undefined;
    }
    if (nowMs - newest.sinceMs < this.#stallMs || !this.#fits(true)) return undefined;
    const others = peers.filter(({ peerId }) => asks.every((ask) => ask.peerId !== peerId));
    const peer = this.#choose(front, others, nowMs);
    if (peer === undefined) return undefined;
    this.#servers.slow(newest.peerId);
    // Once may be that peer's fault; when the next one is no faster it is rather our own line's.
    if (front.hedges++ > 0) this.#stallMore();
    return this.#ask(front, peer, nowMs);
  }

  /** This node was not awake: nobody let it wait meanwhile. */
  renew(nowMs: number): void {
    this.#lookedMs = nowMs;
    for (const range of this.#ranges) if (range.state.name === "requested") range.renew(nowMs);
  }

  /** How long the first range is waited for, whoever is asked, less what connected blocks earned. */
  get waitedMs(): number {
    return this.#waitedMs;
  }

  /** The range of a request, unless somebody else brought it or it was given up. */
  rangeOf(request: number): Range | undefined {
    return this.#ranges.find(({ asks }) => asks.some((ask) => ask.request === request));
  }

  /** How many blocks a request that is still waited for may bring. */
  countOf(request: number): number | undefined {
    const asks = this.rangeOf(request)?.asks;
    return asks?.find((ask) => ask.request === request)?.count;
  }

  // ---- ends of requests -----------------------------------------------------------------------

  /**
   * A request that its peer did not fulfil. True: that was the one who offered the chain, and once
   * too often on this range.
   */
  failed(request: number, peerId: PeerId, nowMs: number): boolean {
    this.#servers.failed(peerId, nowMs);
    return this.#undelivered(request, peerId);
  }

  /** Its peer is on another chain at the end of what was asked for. */
  elsewhere(request: number, peerId: PeerId): void {
    const range = this.rangeOf(request);
    const ask = range?.asks.find((one) => one.request === request);
    if (range === undefined || ask === undefined) return;
    this.#servers.elsewhere(peerId, range.fromHeight + ask.count - 1);
    this.#undelivered(request, peerId);
  }

  /** It said that its chain is another one. */
  isElsewhere(peerId: PeerId): boolean {
    return this.#servers.elsewhereFrom(peerId) !== undefined;
  }

  /** A peer went away, and its answers with it. */
  peerGone(peerId: PeerId): void {
    this.#asks.settleAll(peerId);
    for (const range of this.#ranges) {
      for (const ask of range.asks) if (ask.peerId === peerId) range.unask(ask.request);
    }
  }

  /**
   * Requested → Checking, for the blocks that came, which `addTasks` cuts into so many tasks; a rest
   * becomes a wanted range of its own. What is beyond the range is not taken: it was cut since.
   */
  received(
    { request, peerId }: Pick<Ask, "request" | "peerId">,
    answer: readonly Uint8Array[],
    addTasks: (range: Range, blocks: readonly Uint8Array[]) => number,
  ): void {
    const range = this.rangeOf(request);
    invariant(range !== undefined, "received what nobody waits for");
    const hedged = range.asks.length > 1;
    const taken = this.#split(range, Math.min(answer.length, range.count));
    const blocks = answer.slice(0, taken.count);
    for (const ask of range.asks) this.#asks.forsake(ask.request);
    const bytes = blocks.reduce((sum, { length }) => sum + length, 0);
    this.#heldBytes += bytes;
    this.#meanBlockBytes += GAIN * (bytes / blocks.length - this.#meanBlockBytes);
    // Who was asked first brought it after all: others were asked too soon.
    if (hedged && range.asks[0]?.request === request) this.#stallMore();
    else this.#stallMs = Math.max(this.#settings.stallMinMs, this.#stallMs * 0.85);
    this.#servers.delivered(peerId);
    taken.received(peerId, bytes, addTasks(taken, blocks));
  }

  /** Checking → Wanted: they are not the promised blocks. */
  spoiled(range: Range, nowMs: number): void {
    const { bytes, server } = range;
    range.spoiled();
    this.#heldBytes -= bytes;
    if (server !== undefined) this.#servers.failed(server, nowMs);
  }

  // ---- blocks ---------------------------------------------------------------------------------

  /** Checked → Connecting, in order; the caller hands them to consensus in this order. */
  nextToConnect(): readonly CheckedBlock[] | undefined {
    for (const range of this.#ranges) {
      if (range.state.name === "connecting") continue;
      return range.state.name === "checked" ? range.handOut() : undefined;
    }
    return undefined;
  }

  /** The first range is connected and durable. */
  connected(): Range {
    const range = this.#ranges.shift();
    invariant(range !== undefined, "connected what was not handed out");
    const { bytes } = range.connected();
    this.#heldBytes -= bytes;
    const { blocksPerSecondMin, bodyBytesPerSecondMin } = this.#settings;
    const earned = Math.max(range.count / blocksPerSecondMin, bytes / bodyBytesPerSecondMin);
    this.#waitedMs = Math.max(0, this.#waitedMs - 1_000 * earned);
    return range;
  }

  /** Who sent the block of this hash, while its range is held. */
  serverOf(hash: HashHex): PeerId | undefined {
    return this.#ranges.find((range) => range.has(hash))?.server;
  }

  invariants(): void {
    let height = this.#chain.base.summary.height + 1;
    let heldBytes = 0;
    for (const range of this.#ranges) {
      invariant(range.fromHeight === height, "ranges have a gap");
      height += range.count;
      heldBytes += range.bytes;
      const open = range.asks.every(({ request }) => this.#asks.isWanted(request));
      invariant(open, `a range from ${range.fromHeight} waits for an answer that nobody owes`);
    }
    invariant(height - 1 <= this.#chain.tip.summary.height, "a range beyond the headers");
    invariant(heldBytes === this.#heldBytes, "blocks in hand are counted wrongly");
    const { bytesInFlight } = this;
    invariant(bytesInFlight <= this.#settings.bytesInFlightMax, `${bytesInFlight} bytes in flight`);
  }

  // ---- inside ---------------------------------------------------------------------------------

  /** Whether one more answer fits, whatever it has; the first range never waits for later ones. */
  #fits(isFront: boolean): boolean {
    const kept = isFront ? 0 : FRONT_ASKS_MAX * ANSWER_BYTES_MAX;
    return this.bytesInFlight + ANSWER_BYTES_MAX + kept <= this.#settings.bytesInFlightMax;
  }

  #cut(): Range | undefined {
    const { rangeBytesTarget, rangeBlocksMax } = this.#settings;
    const from = (this.#ranges.at(-1)?.lastHeight ?? this.#chain.base.summary.height) + 1;
    const left = this.#chain.usableHeight - from + 1;
    if (left <= 0) return undefined;
    const fits = Math.max(1, Math.floor(rangeBytesTarget / this.#meanBlockBytes));
    const range = new Range(from, Math.min(left, fits, rangeBlocksMax));
    this.#ranges.push(range);
    return range;
  }

  /** The leading `count` blocks of a wanted or requested range, as it is; the rest is wanted. */
  #split(range: Range, count: number): Range {
    if (count === range.count) return range;
    const taken = new Range(range.fromHeight, count);
    taken.withheld = range.withheld;
    taken.hedges = range.hedges;
    for (const ask of range.asks) taken.ask(ask);
    const rest = new Range(range.fromHeight + count, range.count - count);
    this.#ranges.splice(this.#ranges.indexOf(range), 1, taken, rest);
    return taken;
  }

  #ask(whole: Range, peer: ServingPeer, nowMs: number): RangeRequest {
    const { peerId } = peer;
    const lastHeight = Math.min(whole.lastHeight, this.#reachOf(peer, whole));
    const range = this.#split(whole, lastHeight - whole.fromHeight + 1);
    const request = this.#asks.open(peerId);
    const { fromHeight, count } = range;
    range.ask({ request, peerId, count, sinceMs: nowMs });
    return { request, peerId, fromHeight, count, lastHash: this.#chain.hashAt(lastHeight) };
  }

  /** Whoever failed less; then the better score, less what it owes already. */
  #choose(range: Range, peers: readonly ServingPeer[], nowMs: number): ServingPeer | undefined {
    let best: ServingPeer | undefined;
    for (const peer of peers) {
      if (this.#reachOf(peer, range) < range.fromHeight) continue;
      if (!this.#servers.mayAsk(peer.peerId, this.#asks.countOf(peer.peerId), nowMs)) continue;
      if (best === undefined || this.#ranksBefore(peer, best)) best = peer;
    }
    return best;
  }

  /**
   * The last height of a range that a peer may have. Where its chain parts from this one is found by
   * halves, and only when everybody waits for what is below.
   */
  #reachOf({ peerId, claimedHeight }: ServingPeer, range: Range): number {
    const claimed = Number(claimedHeight);
    const elsewhere = this.#servers.elsewhereFrom(peerId);
    if (elsewhere === undefined) return claimed;
    if (range !== this.front) return -1;
    return Math.min(claimed, Math.floor((range.fromHeight + elsewhere - 1) / 2));
  }

  #ranksBefore(peer: ServingPeer, other: ServingPeer): boolean {
    const failures = ({ peerId }: ServingPeer): number => this.#servers.failuresOf(peerId);
    // Whoever brought some of it has it, and gives it.
    const served = ({ peerId }: ServingPeer): number => (this.#servers.hasServed(peerId) ? 1 : 0);
    const rank = (one: ServingPeer): number =>
      one.score + served(one) - this.#asks.countOf(one.peerId);
    const fewer = failures(other) - failures(peer);
    return fewer === 0 ? rank(peer) > rank(other) : fewer > 0;
  }

  #undelivered(request: number, peerId: PeerId): boolean {
    const range = this.rangeOf(request);
    if (range === undefined) return false;
    range.unask(request);
    if (peerId === this.#offerer) range.withheld++;
    return range.withheld >= WITHHELD_MAX;
  }

  #stallMore(): void {
    this.#stallMs = Math.min(this.#settings.stallMaxMs, this.#stallMs * 2);
  }

  #wait(nowMs: number): void {
    const name = this.front?.state.name;
    // Checks and commits are this node's own.
    if (name === "wanted" || name === "requested") this.#waitedMs += nowMs - this.#lookedMs;
    this.#lookedMs = nowMs;
  }
}
