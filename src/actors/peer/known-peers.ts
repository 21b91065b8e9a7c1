// What the peer book remembers of each peer id, connected or not. Pure. Of too many the one that was
// here longest ago goes, from the address group that has most: new keys of one network push out each
// other, and nobody who is connected or banned.

import { invariant } from "../../errors.js";
import type { BanRecord, PeerId } from "../../ports.js";
import type { Endpoint } from "../../protocol/address.js";
import { NO_DEEDS, type PeerDeeds } from "./peer-deeds.js";
import type { Moment } from "./moment.js";
import type { PeerClass } from "./reputation-ledger.js";

export interface KnownPeer {
  readonly peerId: PeerId;
  /** The address group of its last connection; absent: it was never ready. */
  group: string | undefined;
  /** The host of its last connection; absent as above. */
  host: string | undefined;
  /** Where it says that it can be dialed, as it said last. */
  told: readonly Endpoint[];
  /** Wall-clock time at which it became ready last. */
  readyWallMs: number | undefined;
  /** In force, or remembered because the next one is longer. */
  ban: Ban | undefined;
  judgement: Judgement | undefined;
  /** What it brought and broke, as reputation counts. */
  deeds: PeerDeeds;
}

interface Ban {
  readonly record: BanRecord;
  /** Monotonic time: the wall clock may be set while it lasts. */
  readonly endsMs: number;
}

/** Of a ban that is known to be over. */
const OVER = Number.NEGATIVE_INFINITY;
const NEVER = Number.POSITIVE_INFINITY;

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
  /** Monotonic time: no ban that is not known to be over ends before it. */
  #nextEndMs = NEVER;

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
      host: undefined,
      told: [],
      readyWallMs: undefined,
      ban: undefined,
      judgement: undefined,
      deeds: NO_DEEDS,
    };
    this.#peers.delete(peerId);
    this.#peers.set(peerId, peer);
    if (this.#peers.size > this.#limits.peersMax) this.#forgetOne(peer);
    return peer;
  }

  banned(record: BanRecord, now: Moment): void {
    const endsMs = now.monotonicMs + record.untilWallMs - now.wallMs;
    this.use(record.peerId).ban = { record, endsMs };
    this.#nextEndMs = Math.min(this.#nextEndMs, endsMs);
  }

  /** Whose bans ended by now: each once. They are remembered. */
  takeUnbanned(nowMs: number): readonly PeerId[] {
    if (nowMs < this.#nextEndMs) return [];
    const ended: PeerId[] = [];
    this.#nextEndMs = NEVER;
    for (const peer of this.#peers.values()) {
      const { peerId, ban } = peer;
      if (ban === undefined || ban.endsMs === OVER) continue;
      if (ban.endsMs > nowMs) {
        this.#nextEndMs = Math.min(this.#nextEndMs, ban.endsMs);
        continue;
      }
      peer.ban = { ...ban, endsMs: OVER };
      ended.push(peerId);
    }
    return ended;
  }

  /** Until `takeUnbanned` is to be called again; undefined: no ban is to end. */
  untilUnbannedMs(nowMs: number): number | undefined {
    return this.#nextEndMs === NEVER ? undefined : Math.max(0, this.#nextEndMs - nowMs);
  }

  /** What was forgotten; of a ban that was not known to be over, that is its end. */
  banForgotten(peerId: PeerId): "inForce" | "over" | undefined {
    const peer = this.#peers.get(peerId);
    if (peer?.ban === undefined) return undefined;
    const { endsMs } = peer.ban;
    peer.ban = undefined;
    return endsMs === OVER ? "over" : "inForce";
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
