// PeerBook: all that this node knows about peers, by endpoint, by peer id and by connection, and the
// questions that it answers: whom to dial, whom to admit, who is banned or trusted, and why. Pure,
// time and chance are passed in. The registry owns one. Proven heads are sync's: here are claims.

import { invariant } from "../../errors.js";
import type { NetworkConfig } from "../../config.js";
import type { BanRecord, PeerId, PeerRecord } from "../../ports.js";
import {
  formatAddress,
  hostGroup,
  isDialableByOthers,
  readAddress,
  type Endpoint,
} from "../../protocol/address.js";
import type { ChainHead, HandshakeInfo } from "../../protocol/types/node-info.js";
import { AddressBook } from "./address-book.js";
import { ConnectionTable } from "./connection-table.js";
import { KnownEndpoints, type KnownEndpoint } from "./known-endpoints.js";
import { KnownPeers } from "./known-peers.js";
import { Absences, awayText, TrustedPeers } from "./operator-wishes.js";
import { admit, type Admission, type Slot } from "./peer-manager.js";
import { originOf } from "./eviction.js";
import { meritsOf, type Entry } from "./peer-entry.js";
import { GroupStandings } from "./group-standings.js";
import { NO_DEEDS, type PeerDeeds } from "./peer-deeds.js";
import type { Moment, PeerClass, Verdict } from "./reputation-ledger.js";
import { readStoredPeer, STORED_ENDPOINTS_MAX, type FoundEndpoint } from "./stored-peers.js";

export interface PeerBookOptions {
  /** This node's own id. */
  readonly self: PeerId;
  readonly config: NetworkConfig;
  /** Of addresses that can be dialed. */
  readonly schemes: ReadonlySet<string>;
  /** By which addresses are put in their places. */
  readonly secret: string;
  /** Uniform in [0, 1). */
  readonly float: () => number;
}

/** What keeps an endpoint that somebody wants from being dialed now. */
export type WantOutcome =
  | { readonly type: "waits"; readonly target: KnownEndpoint }
  | { readonly type: "connected"; readonly peerId: PeerId }
  /** All outbound slots are taken: it is dialed when one is free. */
  | { readonly type: "full" }
  /** No more endpoints are kept. */
  | { readonly type: "unknown" };

/** Who is dialed first. Without a class: as one that is neutral. */
const RANKS: Readonly<Record<PeerClass, number>> = {
  preferred: 0,
  good: 1,
  neutral: 1,
  probation: 2,
  banned: 2,
};

export class PeerBook {
  readonly addresses: AddressBook;
  readonly endpoints: KnownEndpoints;
  readonly connections = new ConnectionTable();
  readonly peers: KnownPeers;
  readonly groups: GroupStandings;
  readonly trust: TrustedPeers;
  readonly absences: Absences;
  readonly #self: PeerId;
  readonly #config: NetworkConfig;
  /** Whose record is to be stored anew. */
  readonly #changed = new Set<PeerId>();

  constructor({ self, config, schemes, secret, float }: PeerBookOptions) {
    this.#self = self;
    this.#config = config;
    this.addresses = new AddressBook({ secret, config, schemes, float });
    const { trustedPeers, trustedMax } = config;
    const onChange = (peerId: PeerId): void => void this.#changed.add(peerId);
    this.trust = new TrustedPeers(trustedPeers, trustedMax, onChange);
    this.absences = new Absences(config.control.awayPeersMax);
    this.endpoints = new KnownEndpoints(config.dial, float, (target) => this.#changes(target));
    this.groups = new GroupStandings(config);
    const { peersTrackedMax, bansKeptMax } = config.reputation;
    const slots = config.maxInbound + config.maxOutbound + trustedPeers.length + trustedMax;
    const keptMax = 2 * slots + config.dial.candidatesMax;
    const limits = { peersMax: peersTrackedMax, bansMax: bansKeptMax, keptMax };
    this.peers = new KnownPeers(limits, () => this.#kept());
  }

  get trusted(): ReadonlySet<PeerId> {
    return this.trust.all;
  }

  // ---- whom to dial --------------------------------------------------------------------------

  /** Those to dial now, as far as slots are free; the caller dials them. */
  due(nowMs: number): readonly KnownEndpoint[] {
    const { maxOutbound, dial } = this.#config;
    const dialing = this.endpoints.count("dialing");
    const count = Math.min(maxOutbound - this.endpoints.taken, dial.concurrentMax - dialing);
    return this.endpoints.due(nowMs, count, (target) => this.#rankOf(target, nowMs));
  }

  /** Somebody asks for a connection to this endpoint, whatever became of it before. */
  want(endpoint: Endpoint): WantOutcome {
    const target = this.endpoints.add(endpoint, "asked");
    if (target === undefined) return { type: "unknown" };
    const peerId = peerAt(target);
    if (peerId !== undefined) this.absences.end(peerId, Number.POSITIVE_INFINITY);
    if (peerId !== undefined && this.connections.readyOf(peerId) !== undefined) {
      return { type: "connected", peerId };
    }
    if (target.state === "idle") {
      this.endpoints.want(target);
      if (this.endpoints.taken >= this.#config.maxOutbound) return { type: "full" };
    }
    return { type: "waits", target };
  }

  // ---- whom to admit -------------------------------------------------------------------------

  admit(candidate: Slot, nowMs: number): Admission {
    const { maxInbound, maxOutbound, inbound } = this.#config;
    const awayMs = this.absences.leftMs(candidate.peerId, nowMs);
    if (awayMs > 0) return { admit: false, reason: "Banned", detail: awayText(awayMs) };
    const unwelcome = this.#unwelcome(candidate, nowMs);
    if (unwelcome !== undefined) {
      return { admit: false, reason: "TooManyConnections", detail: unwelcome };
    }
    const isOnProbation = (id: PeerId): boolean =>
      this.peers.judgementOf(id, nowMs)?.class === "probation";
    const { peerId, direction, remote } = candidate;
    return admit(
      { peerId, direction, remote, origin: originOf(remote.host) },
      {
        self: this.#self,
        trusted: this.trusted,
        isBanned: (id) => this.peers.banOf(id, nowMs) !== undefined,
        isOnProbation,
        slots: this.connections.open(),
        meritsOf: (entry) => meritsOf(entry, isOnProbation(entry.peerId)),
      },
      { maxInbound, maxOutbound, ...inbound },
    );
  }

  // ---- what happens --------------------------------------------------------------------------

  /** It was admitted, or is refused and closes. An endpoint that was dialed is known by it. */
  connected(entry: Entry): void {
    this.connections.add(entry);
    if (entry.dialed === undefined) return;
    const target = this.endpoints.add(entry.dialed, "asked");
    if (target === undefined) return;
    // What was stored of whoever was there before is theirs no longer.
    if (target.peerId !== undefined && target.peerId !== entry.peerId) {
      this.#changes(target);
      target.readyWallMs = undefined;
    }
    if (entry.state.phase === "closing") target.peerId = entry.peerId;
    else this.endpoints.connected(target, entry.peerId);
  }

  /** Handshaking → Ready; false: that is no news of this connection. */
  becameReady(entry: Entry, info: HandshakeInfo, { monotonicMs, wallMs }: Moment): boolean {
    if (!this.connections.becameReady(entry, info, monotonicMs)) return false;
    entry.head = { claimed: info.head };
    const peer = this.peers.use(entry.peerId);
    peer.group = hostGroup(entry.remote.host);
    peer.host = entry.remote.host;
    peer.told = info.listenAddresses.flatMap(dialableOf);
    peer.readyWallMs = wallMs;
    const teller = { host: entry.remote.host, self: entry.peerId };
    this.addresses.learned(peer.told, teller, wallMs);
    if (entry.dialed !== undefined) this.addresses.found(entry.dialed, entry.peerId, wallMs);
    const target = entry.dialed === undefined ? undefined : this.endpoints.get(entry.dialed);
    if (target === undefined) return true;
    target.readyWallMs = wallMs;
    this.#changes(target);
    return true;
  }

  /** What was announced before may arrive later: a claim is never lowered. */
  claimed(peerId: PeerId, head: ChainHead): Entry | undefined {
    const entry = this.connections.readyOf(peerId);
    const before = entry?.head?.claimed.totalDifficulty;
    if (entry === undefined || before === undefined) return undefined;
    if (head.totalDifficulty <= before) return undefined;
    entry.head = { claimed: head };
    return entry;
  }

  /** The endpoint of a connection that was dialed, unless another one of it is open. */
  targetOf(entry: Entry): KnownEndpoint | undefined {
    if (entry.dialed === undefined) return undefined;
    const target = this.endpoints.get(entry.dialed);
    for (const other of target === undefined ? [] : this.connections.open()) {
      if (other === entry || other.dialed === undefined) continue;
      if (formatAddress(other.dialed) === target?.address) return undefined;
    }
    return target;
  }

  // ---- what reputation decided ---------------------------------------------------------------

  banned(ban: BanRecord, now: Moment): void {
    const before = this.peers.get(ban.peerId)?.ban?.record;
    this.peers.banned(ban, now);
    const isStored = before?.count === ban.count && before.untilWallMs === ban.untilWallMs;
    if (!isStored) this.#changed.add(ban.peerId);
  }

  /** Lifted, over for long, or one of too many. True: so it ended. */
  banForgotten(peerId: PeerId): boolean {
    const was = this.peers.banForgotten(peerId);
    if (was !== undefined) this.#changed.add(peerId);
    return was === "inForce";
  }

  /** `lastsMs` from now on. */
  judged(peerId: PeerId, { class: peerClass, score, lastsMs }: Verdict, nowMs: number): void {
    const judgement = { class: peerClass, score, endsMs: nowMs + lastsMs };
    this.peers.use(peerId).judgement = judgement;
  }

  /** Its offences count for its address group too. */
  did(peerId: PeerId, deeds: PeerDeeds, nowMs: number): void {
    const peer = this.peers.use(peerId);
    const points = deeds.offencePoints - peer.deeds.offencePoints;
    peer.deeds = deeds;
    for (const entry of this.connections.all()) {
      if (entry.peerId !== peerId) continue;
      entry.deeds = deeds;
      peer.host = entry.remote.host;
    }
    if (peer.host === undefined || this.trusted.has(peerId)) return;
    this.groups.charge(peer.host, peerId, points, nowMs);
  }

  /** It is new, and of an address group with offenders. */
  isSuspect({ peerId, direction, remote }: Slot, nowMs: number): boolean {
    if (direction === "outbound" || this.trusted.has(peerId)) return false;
    const { usefulBlocks, usefulTransactions } = this.peers.get(peerId)?.deeds ?? NO_DEEDS;
    return usefulBlocks + usefulTransactions === 0 && this.groups.isSuspect(remote.host, nowMs);
  }

  // ---- what outlives the process -------------------------------------------------------------

  /**
   * Records as a store answers them, in whatever state they are. Answers the bans among them; what
   * could not be believed or is too much is to be stored anew, see `takeChanged`.
   */
  restore(records: readonly unknown[], now: Moment): readonly BanRecord[] {
    const stored = records.flatMap((record) => readStoredPeer(record) ?? []);
    const { bansKeptMax } = this.#config.reputation;
    const bans = stored.flatMap(({ ban }) => ban ?? []);
    const kept = bans.sort((a, b) => b.untilWallMs - a.untilWallMs).slice(0, bansKeptMax);
    for (const ban of kept) this.peers.banned(ban, now);
    for (const { peerId, isWhole, trusted } of stored) {
      if (trusted) this.trust.restore(peerId);
      if (!isWhole) this.#changed.add(peerId);
    }
    for (const { peerId } of bans.slice(bansKeptMax)) this.#changed.add(peerId);
    const found = stored
      .flatMap(({ peerId, endpoints }) => endpoints.map((one) => ({ ...one, peerId })))
      .sort((a, b) => b.readyWallMs - a.readyWallMs);
    for (const one of found) if (!this.#restoreEndpoint(one, now)) this.#changed.add(one.peerId);
    return kept;
  }

  /** What is to be stored of a peer; undefined: nothing. */
  recordOf(peerId: PeerId): PeerRecord | undefined {
    const ban = this.peers.get(peerId)?.ban?.record;
    const endpoints = this.#found(peerId).map(({ address, readyWallMs = 0 }) => ({
      address,
      readyWallMs,
    }));
    const trusted = this.trust.byOperator.has(peerId);
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
    this.addresses.invariants();
    this.endpoints.invariants();
    this.connections.invariants();
    this.peers.invariants();
    this.groups.invariants();
    this.trust.invariants();
    this.absences.invariants();
    const taken = { inbound: new Set<PeerId>(), outbound: new Set<PeerId>() };
    const dialed = new Set<string>();
    for (const { peerId, direction, dialed: endpoint } of this.connections.open()) {
      if (!this.trusted.has(peerId)) taken[direction].add(peerId);
      if (endpoint !== undefined) dialed.add(formatAddress(endpoint));
    }
    const { maxInbound, maxOutbound } = this.#config;
    const { inbound, outbound } = taken;
    invariant(inbound.size <= maxInbound, `${inbound.size} inbound peers of ${maxInbound}`);
    invariant(outbound.size <= maxOutbound, `${outbound.size} outbound of ${maxOutbound}`);
    for (const { address, state } of this.endpoints.all()) {
      const held = state !== "connected" || dialed.has(address);
      invariant(held, `${address} is connected without a connection`);
    }
  }

  /** Why it may not come in for what its neighbours did. With few peers anybody may. */
  #unwelcome(candidate: Slot, nowMs: number): string | undefined {
    const { peerId, direction } = candidate;
    if (direction === "outbound" || this.trusted.has(peerId)) return undefined;
    if (this.connections.readyCount <= this.#config.reputation.peersFloor) return undefined;
    if (this.connections.isOpen(peerId)) return undefined;
    return this.groups.refusal(candidate, this.connections.open(), nowMs);
  }

  /** Undefined: not now. */
  #rankOf(target: KnownEndpoint, nowMs: number): number | undefined {
    const peerId = peerAt(target);
    if (peerId === undefined) return RANKS.neutral;
    if (this.connections.readyOf(peerId) !== undefined) return undefined;
    if (this.absences.leftMs(peerId, nowMs) > 0) return undefined;
    const isBanned = this.peers.banOf(peerId, nowMs) !== undefined;
    if (isBanned && !this.trusted.has(peerId)) return undefined;
    return RANKS[this.peers.judgementOf(peerId, nowMs)?.class ?? "neutral"];
  }

  #changes({ peerId, readyWallMs }: KnownEndpoint): void {
    if (peerId !== undefined && readyWallMs !== undefined) this.#changed.add(peerId);
  }

  /** Where it was ready, the latest first. */
  #found(peerId: PeerId): readonly KnownEndpoint[] {
    return [...this.endpoints.all()]
      .filter((target) => target.peerId === peerId && target.readyWallMs !== undefined)
      .sort((a, b) => (b.readyWallMs ?? 0) - (a.readyWallMs ?? 0))
      .slice(0, STORED_ENDPOINTS_MAX);
  }

  /** Dialed after those that the operator named, which are due at once. */
  #restoreEndpoint(
    { endpoint, readyWallMs, peerId }: FoundEndpoint & { readonly peerId: PeerId },
    { monotonicMs, wallMs }: Moment,
  ): boolean {
    const { rememberedMs, backoffMinMs } = this.#config.dial;
    if (readyWallMs > wallMs || wallMs - readyWallMs > rememberedMs) return false;
    const target = this.endpoints.add(endpoint, "stored", monotonicMs + backoffMinMs);
    if (target === undefined || target.peerId !== undefined) return false;
    target.peerId = peerId;
    target.readyWallMs = readyWallMs;
    return true;
  }

  #kept(): ReadonlySet<PeerId> {
    const kept = new Set<PeerId>();
    for (const { peerId } of this.connections.open()) kept.add(peerId);
    for (const { peerId } of this.endpoints.all()) if (peerId !== undefined) kept.add(peerId);
    return kept;
  }
}

/** Who was found there, or is to be. */
export function peerAt({ peerId, endpoint }: KnownEndpoint): PeerId | undefined {
  return peerId ?? endpoint.peerId;
}

function dialableOf(text: string): readonly Endpoint[] {
  const reading = readAddress(text);
  return reading.ok && isDialableByOthers(reading.address) ? [reading.address] : [];
}
