// What of the peer book outlives the process: of each peer its ban, whether the operator trusts it, and
// where it was found. A part of the peer book. Pure.

import type { NetworkConfig } from "../../config.js";
import type { BanRecord, PeerId, PeerRecord } from "../../ports.js";
import type { AddressBook } from "./address-book.js";
import { FoundEndpoints } from "./found-endpoints.js";
import type { KnownPeers } from "./known-peers.js";
import type { TrustedPeers } from "./operator-wishes.js";
import type { Moment } from "./moment.js";
import { readStoredPeer, type FoundEndpoint, type StoredPeer } from "./stored-peers.js";

export interface PeerRecordsOptions {
  readonly config: Pick<NetworkConfig, "dial" | "reputation">;
  readonly peers: KnownPeers;
  readonly trust: TrustedPeers;
  readonly addresses: AddressBook;
}

export class PeerRecords {
  readonly found: FoundEndpoints;
  readonly #options: PeerRecordsOptions;
  /** Whose record is to be stored anew. */
  readonly #changed = new Set<PeerId>();

  constructor(options: PeerRecordsOptions) {
    this.#options = options;
    this.found = new FoundEndpoints(options.config.dial.candidatesMax, (id) => this.changed(id));
  }

  changed(peerId: PeerId): void {
    this.#changed.add(peerId);
  }

  /**
   * Records as a store answers them, in whatever state they are. Answers the bans among them; what
   * could not be believed or is too much is to be stored anew, see `takeChanged`.
   */
  restore(records: readonly unknown[], now: Moment): readonly BanRecord[] {
    const { config, peers, trust } = this.#options;
    const stored = records.flatMap((record) => readStoredPeer(record) ?? []);
    const { bansKeptMax } = config.reputation;
    const bans = stored.flatMap(({ ban }) => ban ?? []);
    const kept = bans.sort((a, b) => b.untilWallMs - a.untilWallMs).slice(0, bansKeptMax);
    for (const ban of kept) peers.banned(ban, now);
    for (const { peerId, isWhole, trusted } of stored) {
      if (trusted) trust.restore(peerId);
      if (!isWhole) this.changed(peerId);
    }
    for (const { peerId } of bans.slice(bansKeptMax)) this.changed(peerId);
    this.#restoreFound(stored, now.wallMs);
    return kept;
  }

  /** What is to be stored of a peer; undefined: nothing. */
  recordOf(peerId: PeerId): PeerRecord | undefined {
    const { peers, trust } = this.#options;
    const ban = peers.get(peerId)?.ban?.record;
    const endpoints = this.found.of(peerId).map(({ address, readyWallMs }) => ({
      address,
      readyWallMs,
    }));
    const trusted = trust.byOperator.has(peerId);
    if (ban === undefined && endpoints.length === 0 && !trusted) return undefined;
    const { peerId: _, ...kept } = ban ?? { peerId };
    return {
      peerId,
      ...(ban === undefined ? {} : { ban: kept as Omit<BanRecord, "peerId"> }),
      ...(endpoints.length === 0 ? {} : { endpoints }),
      ...(trusted ? { trusted } : {}),
    };
  }

  /** Whose records are not stored as they are now. */
  takeChanged(): readonly PeerId[] {
    if (this.#changed.size === 0) return [];
    const changed = [...this.#changed];
    this.#changed.clear();
    return changed;
  }

  invariants(): void {
    this.found.invariants();
  }

  /** They are addresses like those that peers tell of, but that somebody was found there. */
  #restoreFound(stored: readonly StoredPeer[], wallMs: number): void {
    const { candidatesMax, rememberedMs } = this.#options.config.dial;
    const found = stored
      .flatMap(({ peerId, endpoints }) => endpoints.map((one) => ({ ...one, peerId })))
      .sort((a, b) => b.readyWallMs - a.readyWallMs);
    const isKept = ({ readyWallMs }: FoundEndpoint): boolean =>
      readyWallMs <= wallMs && wallMs - readyWallMs <= rememberedMs;
    const latest = new Set(found.filter(isKept).slice(0, candidatesMax));
    for (const one of found.reverse()) {
      const { endpoint, peerId, readyWallMs } = one;
      if (!latest.has(one)) this.changed(peerId);
      else {
        this.found.restore(endpoint, peerId, readyWallMs);
        this.#options.addresses.found(endpoint, peerId, readyWallMs);
      }
    }
  }
}
