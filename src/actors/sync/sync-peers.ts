// SyncPeers: what sync knows of the peers that are ready, and what it still knows of those that were:
// coming back under the same key makes no failure new. Pure.

import { LRUCache } from "lru-cache";
import type { NetworkConfig } from "../../config.js";
import type { ActorRef } from "../../runtime/actor.js";
import type { Direction, PeerId } from "../../ports.js";
import type { ChainHead } from "../../protocol/types/node-info.js";
import type { PeerHandlerMessage } from "../peer/peer-handler-messages.js";

export interface SyncPeer {
  readonly peerId: PeerId;
  readonly handler: ActorRef<PeerHandlerMessage>;
  /** Of the connection: whom this node dialed it chose itself. */
  readonly direction: Direction;
  /** A claim: it orders whom to ask, nothing else. */
  head: ChainHead;
  claimedMs: number;
  score: number;
  /** When it was last asked for headers, or became ready. */
  askedMs: number;
  /** What it claimed when it was last asked for headers: later claims are not on trial. */
  askedDifficulty: bigint;
  /** Claims up to this were put to the proof and failed. */
  refutedDifficulty: bigint;
  /** Left alone until then. */
  notBeforeMs: number;
  /** Syncs and exchanges that failed for it, since the last one that did not. */
  failures: number;
  /** Headers of it were checked, on this connection: it serves a chain that we can judge. */
  heard: boolean;
}

type Remembered = Pick<SyncPeer, "failures" | "notBeforeMs" | "refutedDifficulty">;

/** A peer that failed is left alone for a doubling time, at most 64 retries long. */
const COOLDOWN_DOUBLINGS_MAX = 6;

export class SyncPeers {
  readonly #settings: Pick<NetworkConfig["sync"], "refutedPeersMax" | "retryMs" | "stallMinMs">;
  readonly #ready = new Map<PeerId, SyncPeer>();
  /** Of peers that failed, whether or not they are here. */
  readonly #remembered: LRUCache<PeerId, Remembered>;

  constructor(settings: NetworkConfig["sync"]) {
    this.#settings = settings;
    this.#remembered = new LRUCache({ max: settings.refutedPeersMax });
  }

  get size(): number {
    return this.#ready.size;
  }

  get(peerId: PeerId): SyncPeer | undefined {
    return this.#ready.get(peerId);
  }

  all(): readonly SyncPeer[] {
    return [...this.#ready.values()];
  }

  /** Some peer's headers were checked. */
  get heardAny(): boolean {
    return this.all().some(({ heard }) => heard);
  }

  join(
    {
      peerId,
      handler,
      direction,
      head,
    }: Pick<SyncPeer, "peerId" | "handler" | "direction" | "head">,
    nowMs: number,
  ): void {
    const known = this.#remembered.get(peerId);
    this.#ready.set(peerId, {
      // Field by field: a spread gives each of them a shape of its own, 700 bytes.
      peerId,
      handler,
      direction,
      head,
      claimedMs: Number.NEGATIVE_INFINITY,
      score: 0.5,
      askedMs: nowMs,
      askedDifficulty: 0n,
      refutedDifficulty: known?.refutedDifficulty ?? 0n,
      notBeforeMs: known?.notBeforeMs ?? 0,
      failures: known?.failures ?? 0,
      heard: false,
    });
  }

  leave(peerId: PeerId): void {
    this.#ready.delete(peerId);
  }

  /** Peers whose claim beats our work and was not refuted, whether or not they rest now. */
  claimants(ourDifficulty: bigint): readonly SyncPeer[] {
    return this.all().filter(
      ({ head, refutedDifficulty }) =>
        head.totalDifficulty > ourDifficulty && head.totalDifficulty > refutedDifficulty,
    );
  }

  /** The claim did not hold, or the peer did not deliver: others first, for a while. */
  coolDown(peerId: PeerId, nowMs: number): void {
    this.#change(peerId, (peer) => {
      peer.failures = Math.min(peer.failures + 1, COOLDOWN_DOUBLINGS_MAX);
      peer.notBeforeMs = nowMs + this.#settings.retryMs * 2 ** peer.failures;
    });
  }

  /** What it claimed when it was asked did not hold. */
  refute(peerId: PeerId): void {
    this.#change(peerId, (peer) => (peer.refutedDifficulty = peer.askedDifficulty));
  }

  /** Its chain was synced. */
  succeeded(peerId: PeerId): void {
    this.#change(peerId, (peer) => (peer.failures = 0));
  }

  /** How long it may keep a place that others wait for: whoever was given up too soon gets longer. */
  patienceMs(peerId: PeerId): number {
    return this.#settings.stallMinMs * 2 ** (this.#ready.get(peerId)?.failures ?? 0);
  }

  #change(peerId: PeerId, change: (peer: SyncPeer) => void): void {
    const peer = this.#ready.get(peerId);
    if (peer === undefined) return;
    change(peer);
    const { failures, notBeforeMs, refutedDifficulty } = peer;
    if (failures === 0 && refutedDifficulty === 0n) this.#remembered.delete(peerId);
    else this.#remembered.set(peerId, { failures, notBeforeMs, refutedDifficulty });
  }
}
