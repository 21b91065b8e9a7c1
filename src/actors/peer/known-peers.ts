// What the peer book remembers of each peer id, connected or not. Pure. Of too many the one that was
// here longest ago goes, from the address group that has most: new keys of one network push out each
// other, and nobody who is connected or banned.

import { invariant } from "../../errors.js";
import type { BanRecord, PeerId } from "../../ports.js";
import type { Endpoint } from "../../protocol/address.js";
import type { Moment, PeerClass } from "./reputation-ledger.js";

export interface KnownPeer {
  readonly peerId: PeerId;
  /** The address group of its last connection; absent: it was never ready. */
  group: string | undefined;
  /** Where it says that it can be dialed, as it said last. */
  told: readonly Endpoint[];
  /** Wall-clock time at which it became ready last. */
  readyWallMs: number | undefined;
  /** In force, or remembered because the next one is longer. */
  ban: Ban | undefined;
  judgement: Judgement | undefined;
}

interface Ban {
  readonly record: BanRecord;
  /** Monotonic time: the wall clock may be set while it lasts. */
  readonly endsMs: number;
}

/** Of a ban that was told to be over. */
const OVER = Number.NEGATIVE_INFINITY;

/** What its reputation makes of it, until its score has decayed to another class. */
export interface Judgement {
  readonly class: PeerClass;
  readonly score: number;
  /** Monotonic time. */
  readonly endsMs: number;
}

export interface PeerLimits {
  /** Beyond it only those stay that are kept or banned. */
  readonly peersMax: number;
  readonly bansMax: number;
  readonly keptMax: number;
}

export class KnownPeers {
  readonly #limits: PeerLimits;
  /** Those that stay whatever happens: connected, or known by an endpoint. */
  readonly #kept: () => ReadonlySet<PeerId>;
  /** In order of last use. */
  readonly #peers = new Map<PeerId, KnownPeer>();

  constructor(limits: PeerLimits, kept: () => ReadonlySet<PeerId>) {
    this.#limits = limits;
    this.#kept = kept;
  }

  get(peerId: PeerId): KnownPeer | undefined {
    return this.#peers.get(peerId);
  }

  all(): IterableIterator<KnownPeer> {
    return this.#peers.values();
  }

  /** The record of a peer, the latest used. */
  use(peerId: PeerId): KnownPeer {
    const peer = this.#peers.get(peerId) ?? {
      peerId,
      group: undefined,
      told: [],
      readyWallMs: undefined,
      ban: undefined,
      judgement: undefined,
    };
    this.#peers.delete(peerId);
    this.#peers.set(peerId, peer);
    if (this.#peers.size > this.#limits.peersMax) this.#forgetOne(peer);
    return peer;
  }

  banned(record: BanRecord, now: Moment): void {
    const endsMs = now.monotonicMs + record.untilWallMs - now.wallMs;
    this.use(record.peerId).ban = { record, endsMs };
  }

  unbanned(peerId: PeerId): boolean {
    const peer = this.#peers.get(peerId);
    if (peer?.ban === undefined || peer.ban.endsMs === OVER) return false;
    peer.ban = { ...peer.ban, endsMs: OVER };
    return true;
  }

  banForgotten(peerId: PeerId): boolean {
    const peer = this.#peers.get(peerId);
    if (peer?.ban === undefined) return false;
    peer.ban = undefined;
    return true;
  }

  /** The ban in force, if any. */
  banOf(peerId: PeerId, nowMs: number): BanRecord | undefined {
    const ban = this.#peers.get(peerId)?.ban;
    return ban !== undefined && ban.endsMs > nowMs ? ban.record : undefined;
  }

  judgementOf(peerId: PeerId, nowMs: number): Judgement | undefined {
    const judgement = this.#peers.get(peerId)?.judgement;
    return judgement !== undefined && judgement.endsMs > nowMs ? judgement : undefined;
  }

  invariants(): void {
    const { peersMax, bansMax, keptMax } = this.#limits;
    let bans = 0;
    for (const { ban } of this.#peers.values()) if (ban !== undefined) bans++;
    invariant(bans <= bansMax, `${bans} bans of ${bansMax}`);
    const most = peersMax + bansMax + keptMax;
    invariant(this.#peers.size <= most, `${this.#peers.size} peers of ${most}`);
  }

  #forgetOne(newest: KnownPeer): void {
    const sizes = new Map<string, number>();
    const oldest = new Map<string, KnownPeer>();
    let largest: KnownPeer | undefined;
    let most = 0;
    const kept = this.#kept();
    for (const peer of this.#peers.values()) {
      if (peer === newest || peer.ban !== undefined || kept.has(peer.peerId)) continue;
      const group = peer.group ?? "";
      const size = (sizes.get(group) ?? 0) + 1;
      sizes.set(group, size);
      if (!oldest.has(group)) oldest.set(group, peer);
      if (size > most) {
        most = size;
        largest = oldest.get(group);
      }
    }
    if (largest !== undefined) this.#peers.delete(largest.peerId);
  }
}
