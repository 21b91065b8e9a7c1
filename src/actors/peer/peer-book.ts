// PeerBook: all that this node knows about peers, by endpoint, by peer id and by connection, and the
// questions that it answers: whom to dial, whom to admit, who is banned or trusted, and why. Pure,
// time and chance are passed in. The registry owns one. Proven heads are sync's: here are claims.

import { outboundSlots, peerSlots } from "../../config/memory-plan.js";
import { invariant } from "../../errors.js";
import type { NetworkConfig } from "../../config.js";
import type { BanRecord, PeerId } from "../../ports.js";
import {
  formatAddress,
  hostGroup,
  isDialableByOthers,
  readAddress,
  type Endpoint,
} from "../../protocol/address.js";
import type { ChainHead, HandshakeInfo } from "../../protocol/types/node-info.js";
import { judgeHearsay } from "../handlers/hearsay.js";
import { AddressBook } from "./address-book.js";
import { Anchors } from "./anchors.js";
import { ConnectionTable } from "./connection-table.js";
import { KnownEndpoints, peerAt, type Ended, type KnownEndpoint } from "./known-endpoints.js";
import { KnownPeers } from "./known-peers.js";
import { Absences, awayText, TrustedPeers } from "./operator-wishes.js";
import { Outbound, type Due, type Service } from "./outbound.js";
import type { Purpose } from "./purpose.js";
import { admit, type Admission, type Slot } from "./peer-manager.js";
import { PeerRecords } from "./peer-records.js";
import { originOf } from "./eviction.js";
import { measure, meritsOf, type Entry } from "./peer-entry.js";
import { GroupStandings } from "./group-standings.js";
import { NO_DEEDS, type PeerDeeds } from "./peer-deeds.js";
import type { Moment } from "./moment.js";
import type { PeerClass, Verdict } from "./reputation-ledger.js";

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

export class PeerBook {
  readonly addresses: AddressBook;
  readonly anchors = new Anchors();
  readonly endpoints: KnownEndpoints;
  readonly connections = new ConnectionTable();
  readonly peers: KnownPeers;
  readonly groups: GroupStandings;
  readonly trust: TrustedPeers;
  readonly absences: Absences;
  readonly #self: PeerId;
  readonly #config: NetworkConfig;
  /** What outlives the process. */
  readonly records: PeerRecords;
  readonly #outbound: Outbound;

  constructor({ self, config, schemes, secret, float }: PeerBookOptions) {
    this.#self = self;
    this.#config = config;
    this.addresses = new AddressBook({ secret, config, schemes, float });
    const { trustedPeers, trustedMax } = config;
    this.trust = new TrustedPeers(trustedPeers, trustedMax, (id) => this.records.changed(id));
    this.absences = new Absences(config.control.awayPeersMax);
    this.endpoints = new KnownEndpoints(config.dial, float);
    const { endpoints, addresses } = this;
    this.#outbound = new Outbound({
      config,
      endpoints,
      addresses,
      float,
      classOf: (peerId, nowMs) => this.#classOf(peerId, nowMs),
      anchors: this.anchors,
      serviceOf: (peerId) => this.#serviceOf(peerId),
      isHere: (peerId, host) => this.connections.readyOf(peerId)?.remote.host === host,
      isReserved: (target) => this.isReserved(target),
    });
    this.groups = new GroupStandings(config);
    const { peersTrackedMax, bansKeptMax } = config.reputation;
    const slots = peerSlots(config);
    const keptMax = 2 * slots + config.dial.candidatesMax;
    const limits = { peersMax: peersTrackedMax, bansMax: bansKeptMax, keptMax };
    this.peers = new KnownPeers(limits, () => this.#kept());
    this.records = new PeerRecords({ config, addresses, peers: this.peers, trust: this.trust });
  }

  get trusted(): ReadonlySet<PeerId> {
    return this.trust.all;
  }

  // ---- whom to dial --------------------------------------------------------------------------

  /** Those to dial now, as far as slots are free; the caller dials them. */
  due(now: Moment, alone = false): readonly Due[] {
    return this.#outbound.due(now, alone);
  }

  /** This is the head of the chain now: where it does not move for long one more peer is tried. */
  headIs(hash: string, nowMs: number): void {
    this.#outbound.headIs(hash, nowMs);
  }

  /** Whom this node dialed and has no more need of: somebody else has come. */
  surplus(nowMs: number): KnownEndpoint | undefined {
    return this.#outbound.surplus(nowMs);
  }

  /** Until `due` may answer something else, though nothing else happened; undefined: it never will. */
  untilDueMs(nowMs: number): number | undefined {
    const nextMs = this.endpoints.next()?.notBeforeMs ?? Number.POSITIVE_INFINITY;
    // Not before the shortest backoff: one can be due while no slot is free.
    const waitMs = Math.max(nextMs - nowMs, this.#config.dial.backoffMinMs);
    const untilMs = Math.min(waitMs, Math.max(0, this.#outbound.wakeMs - nowMs));
    return Number.isFinite(untilMs) ? untilMs : undefined;
  }

  /** Our own address, as the key there proves: never again. */
  isOurs(target: KnownEndpoint): void {
    this.endpoints.remove(target);
    this.addresses.ours(target.endpoint);
  }

  /** Idle → Dialing. Answers the number of this dial. */
  dialing({ target, purpose }: Due, wallMs: number): number {
    this.addresses.dialing(target.endpoint, wallMs);
    return this.endpoints.dialing(target, wallMs, purpose);
  }

  /** Dialing | Connected → Idle. What nobody asked for is an address among others again. */
  ended(target: KnownEndpoint, nowMs: number, how: Ended): void {
    const { grows = true, wasStable = false, wasReady = false, alone } = how;
    if (!wasReady) this.anchors.failed(target.endpoint);
    const isMissed = wasStable ? false : grows || undefined;
    const isFailure = isMissed === true && alone ? undefined : isMissed;
    this.addresses.ended(target.endpoint, nowMs, isFailure, isMissed);
    if (target.source === "book") this.endpoints.remove(target);
    else this.endpoints.failed(target, nowMs, how);
  }

  /** The slot of this endpoint is beside the others, and it is dialed for ever. */
  isReserved(target: KnownEndpoint): boolean {
    const peerId = peerAt(target);
    return target.source === "static" || (peerId !== undefined && this.trusted.has(peerId));
  }

  /** An address that nobody asked for leads to a peer that is connected: that one is kept. */
  isKnownBySecondAddress(peerId: PeerId, dialed: Endpoint | undefined): boolean {
    const target = dialed === undefined ? undefined : this.endpoints.get(dialed);
    return target?.source === "book" && this.connections.isOpen(peerId);
  }

  /** What a connection that was dialed is for. */
  purposeOf(dialed: Endpoint | undefined): Purpose {
    return (dialed === undefined ? undefined : this.endpoints.get(dialed)?.purpose) ?? "full";
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
    this.endpoints.want(target);
    const { maxOutbound } = this.#config;
    const isFull = !this.isReserved(target) && this.#outbound.taken("full") >= maxOutbound;
    if (target.state === "idle" && isFull) return { type: "full" };
    return { type: "waits", target };
  }

  // ---- whom to admit -------------------------------------------------------------------------

  admit(candidate: Slot, nowMs: number): Admission {
    const { maxInbound, inbound } = this.#config;
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
        meritsOf: (entry) => meritsOf(entry, isOnProbation(entry.peerId), nowMs),
      },
      { maxInbound, maxOutbound: outboundSlots(this.#config), ...inbound },
    );
  }

  // ---- what happens --------------------------------------------------------------------------

  /** It was admitted, or is refused and closes. An endpoint that was dialed is known by it. */
  connected(entry: Entry): void {
    this.connections.add(entry);
    if (entry.dialed === undefined) return;
    // What was stored of whoever was there before is theirs no longer.
    this.records.found.isNot(entry.dialed, entry.peerId);
    const target = this.endpoints.add(entry.dialed, "asked");
    if (target === undefined) return;
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
    this.addresses.learned(this.#believed(peer.told, teller.host), teller, wallMs);
    if (entry.dialed === undefined) return true;
    this.#foundAt(entry.dialed, entry.peerId, wallMs);
    const target = this.endpoints.get(entry.dialed);
    if (target?.source !== "book") return true;
    this.anchors.ready(
      entry.dialed,
      target.purpose,
      (address) => this.endpoints.byAddress(address)?.state === "connected",
    );
    return true;
  }

  /** A feeler shook hands: that was all that it was for. */
  tested({ dialed, peerId }: Entry, { wallMs }: Moment): void {
    if (dialed !== undefined) this.#foundAt(dialed, peerId, wallMs);
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
    if (!isStored) this.records.changed(ban.peerId);
  }

  /** Lifted, over for long, or one of too many. True: so it ended. */
  banForgotten(peerId: PeerId): boolean {
    const was = this.peers.banForgotten(peerId);
    if (was !== undefined) this.records.changed(peerId);
    return was === "inForce";
  }

  /** What its address group did is forgotten. Answers whether that kept it out. */
  pardonGroup(peerId: PeerId, nowMs: number): boolean {
    const host = this.peers.get(peerId)?.host;
    return host !== undefined && this.groups.pardon(host, nowMs);
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
      measure(entry);
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

  invariants(): void {
    this.addresses.invariants();
    this.anchors.invariants();
    this.endpoints.invariants();
    this.records.invariants();
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
    const { maxInbound } = this.#config;
    const maxOutbound = outboundSlots(this.#config);
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

  #serviceOf(peerId: PeerId): Service | undefined {
    const entry = this.connections.readyOf(peerId);
    if (entry?.state.phase !== "ready") return undefined;
    return { readySinceMs: entry.state.sinceMs, usefulBlockMs: entry.deeds.usefulBlockMs };
  }

  /** What is thought of whom to dial; undefined: not now. */
  #classOf(peerId: PeerId, nowMs: number): PeerClass | undefined {
    if (peerId === this.#self || this.connections.isOpen(peerId)) return undefined;
    if (this.absences.leftMs(peerId, nowMs) > 0) return undefined;
    const isBanned = this.peers.banOf(peerId, nowMs) !== undefined;
    if (isBanned && !this.trusted.has(peerId)) return undefined;
    return this.peers.judgementOf(peerId, nowMs)?.class ?? "neutral";
  }

  /** Of where it says that it can be dialed: its own host, and of others what anybody may tell of. */
  #believed(told: readonly Endpoint[], host: string): readonly Endpoint[] {
    const elsewhere = told.filter((endpoint) => endpoint.host !== host);
    const { taken } = judgeHearsay(elsewhere, this.#config.exchange.localAddresses);
    return [...told.filter((endpoint) => endpoint.host === host), ...taken];
  }

  #foundAt(endpoint: Endpoint, peerId: PeerId, wallMs: number): void {
    this.addresses.found(endpoint, peerId, wallMs);
    this.records.found.found(endpoint, peerId, wallMs);
  }

  #kept(): ReadonlySet<PeerId> {
    const kept = new Set<PeerId>();
    for (const { peerId } of this.connections.open()) kept.add(peerId);
    for (const { peerId } of this.endpoints.all()) if (peerId !== undefined) kept.add(peerId);
    return kept;
  }
}

function dialableOf(text: string): readonly Endpoint[] {
  const reading = readAddress(text);
  return reading.ok && isDialableByOthers(reading.address) ? [reading.address] : [];
}
