// How news comes from each peer: how long after the first who told it, and how much of it twice.
// Counted for what proved valid, so that whoever invents news is not the first to have it. Pure; owned
// by the broadcaster.

import { GOSSIP_TIMES_BYTES } from "../../config/memory-plan.js";
import { invariant } from "../../errors.js";
import type { HashHex } from "../../types/chain.js";
import type { PeerId } from "../../ports.js";

export type NewsKind = "block" | "transaction";

/** Averages are undefined until measured. */
export interface GossipFigures {
  /** How long after the first this peer told of blocks, and of transactions; moving averages. */
  readonly blockDelayMs: number | undefined;
  readonly transactionDelayMs: number | undefined;
  /** Ids that it told twice, or after it was told them: some of it is how gossip is. */
  readonly duplicates: number;
}

interface News {
  readonly firstBy: PeerId;
  readonly firstMs: number;
  /** Until it is proven: who told it, and how much later. */
  readonly waiting: { readonly peerId: PeerId; readonly delayMs: number }[];
  isProven: boolean;
}

interface Figures {
  /** Of the minute that began then: what it told twice, and what it was told. */
  minuteMs: number;
  repeated: number;
  sent: number;
  readonly delaysMs: Record<NewsKind, number | undefined>;
  duplicates: number;
  /** News that it told first, measured and not proven. */
  readonly unproven: Record<NewsKind, number>;
}

export const NO_GOSSIP: GossipFigures = Object.freeze({
  blockDelayMs: undefined,
  transactionDelayMs: undefined,
  duplicates: 0,
});

/** RFC 6298's gain. */
const GAIN = 1 / 8;
/** Whoever tells it later is not measured by it: by then this node told it to most. */
const MEASURED_MS = 10_000;
/** News that is measured at once: at a higher rate a part of it. */
const NEWS_MAX = 128;
/** Of one peer, as long as it is not proven: nobody takes the places of all by inventing news. */
const UNPROVEN_MAX = 4;
/** Those who tell it first; with ever new peers there may be any number. */
const TELLERS_MAX = 48;
const NEWS_BYTES = 256;
const TELLER_BYTES = 64;
const MINUTE_MS = 60_000;

export class GossipTimes {
  /** In order of time. */
  readonly #news: Record<NewsKind, Map<HashHex, News>> = {
    block: new Map(),
    transaction: new Map(),
  };
  readonly #peers = new Map<PeerId, Figures>();
  readonly #changed = new Set<PeerId>();
  readonly #repeatsMax: number;
  /** Who told news that is not proven, all together. */
  #tellers = 0;

  /** `repeatsMax`: what a peer may tell twice in a minute, beside what it is told itself. */
  constructor(repeatsMax: number) {
    this.#repeatsMax = repeatsMax;
  }

  /** What all of it takes, about. */
  get bytes(): number {
    const { block, transaction } = this.#news;
    return (block.size + transaction.size) * NEWS_BYTES + this.#tellers * TELLER_BYTES;
  }

  joined(peerId: PeerId, nowMs: number): void {
    this.#peers.set(peerId, {
      minuteMs: nowMs,
      repeated: 0,
      sent: 0,
      delaysMs: { block: undefined, transaction: undefined },
      duplicates: 0,
      unproven: { block: 0, transaction: 0 },
    });
  }

  gone(peerId: PeerId): void {
    this.#peers.delete(peerId);
    this.#changed.delete(peerId);
  }

  /** A peer told what nobody had told it before. `isFirst`: nor anybody else us. */
  told(kind: NewsKind, hash: HashHex, peerId: PeerId, isFirst: () => boolean, nowMs: number): void {
    const news = this.#news[kind].get(hash);
    if (news === undefined) {
      if (this.#hasRoom(kind, peerId, nowMs) && isFirst()) this.#begin(kind, hash, peerId, nowMs);
      return;
    }
    const delayMs = nowMs - news.firstMs;
    if (delayMs > MEASURED_MS) return;
    if (news.isProven) this.#measure(kind, peerId, delayMs);
    else if (news.waiting.length < TELLERS_MAX) {
      news.waiting.push({ peerId, delayMs });
      this.#tellers++;
    }
  }

  /** So many ids were told to a peer: it may tell them at the same time. */
  sent(peerId: PeerId, count: number): void {
    const peer = this.#peers.get(peerId);
    if (peer !== undefined) peer.sent += count;
  }

  /** It told what it had told, or was told, before. True: more often than gossip does. */
  repeated(peerId: PeerId, nowMs: number): boolean {
    const peer = this.#peers.get(peerId);
    if (peer === undefined) return false;
    if (nowMs - peer.minuteMs >= MINUTE_MS) {
      peer.minuteMs = nowMs;
      peer.repeated = 0;
      peer.sent = 0;
    }
    peer.duplicates++;
    peer.repeated++;
    this.#changed.add(peerId);
    if (peer.repeated <= this.#repeatsMax + peer.sent) return false;
    peer.repeated = 0;
    return true;
  }

  /** It is valid. */
  proven(kind: NewsKind, hash: HashHex): void {
    const news = this.#news[kind].get(hash);
    if (news === undefined || news.isProven) return;
    news.isProven = true;
    for (const { peerId, delayMs } of news.waiting) this.#measure(kind, peerId, delayMs);
    this.#release(kind, news);
  }

  /** Of whom something changed since it was asked last. */
  takeChanged(): readonly (readonly [PeerId, GossipFigures])[] {
    const changed = [...this.#changed].map((peerId) => [peerId, this.of(peerId)] as const);
    this.#changed.clear();
    return changed;
  }

  of(peerId: PeerId): GossipFigures {
    const peer = this.#peers.get(peerId);
    if (peer === undefined) return NO_GOSSIP;
    const { block, transaction } = peer.delaysMs;
    return { blockDelayMs: block, transactionDelayMs: transaction, duplicates: peer.duplicates };
  }

  invariants(): void {
    invariant(this.bytes <= GOSSIP_TIMES_BYTES, `${this.bytes} bytes of news`);
    let tellers = 0;
    for (const kind of ["block", "transaction"] as const) {
      const { size } = this.#news[kind];
      invariant(size <= NEWS_MAX, `${size} items of news are measured`);
      for (const { waiting } of this.#news[kind].values()) {
        invariant(waiting.length <= TELLERS_MAX, `${waiting.length} wait for one`);
        tellers += waiting.length;
      }
    }
    invariant(tellers === this.#tellers, "who told is counted");
  }

  #hasRoom(kind: NewsKind, peerId: PeerId, nowMs: number): boolean {
    const all = this.#news[kind];
    for (const [hash, news] of all) {
      if (nowMs - news.firstMs <= MEASURED_MS) break;
      all.delete(hash);
      if (!news.isProven) this.#release(kind, news);
    }
    const peer = this.#peers.get(peerId);
    return peer !== undefined && peer.unproven[kind] < UNPROVEN_MAX && all.size < NEWS_MAX;
  }

  #begin(kind: NewsKind, hash: HashHex, peerId: PeerId, nowMs: number): void {
    const waiting = [{ peerId, delayMs: 0 }];
    this.#news[kind].set(hash, { firstBy: peerId, firstMs: nowMs, waiting, isProven: false });
    this.#peers.get(peerId)!.unproven[kind]++;
    this.#tellers++;
  }

  /** It is proven, or not waited for any more. */
  #release(kind: NewsKind, { firstBy, waiting }: News): void {
    this.#tellers -= waiting.length;
    waiting.length = 0;
    const peer = this.#peers.get(firstBy);
    // It may have left meanwhile and come back, owing nothing.
    if (peer !== undefined && peer.unproven[kind] > 0) peer.unproven[kind]--;
  }

  #measure(kind: NewsKind, peerId: PeerId, delayMs: number): void {
    const peer = this.#peers.get(peerId);
    if (peer === undefined) return;
    const usual = peer.delaysMs[kind];
    peer.delaysMs[kind] = usual === undefined ? delayMs : usual + GAIN * (delayMs - usual);
    this.#changed.add(peerId);
  }
}
