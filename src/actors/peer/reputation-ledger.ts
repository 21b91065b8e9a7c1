// The arithmetic of reputation: decay, capped gains, classes, which offences ban, and a short ledger per
// peer that explains its score. Pure; the reputation actor owns one.

import type { NetworkConfig } from "../../config.js";
import type { BanRecord, PeerId } from "../../ports.js";
import { BanList, type OperatorBan } from "./ban-list.js";
import type { Moment } from "./moment.js";
import { afterEvent, NO_DEEDS, type PeerDeeds } from "./peer-deeds.js";
import {
  EXCUSABLE,
  keptDeed,
  NEVER_BANS,
  PROVEN_OFFENCES,
  REPUTATION_DELTAS,
  type Deed,
  type ReputationEvent,
} from "./reputation-events.js";

export type PeerClass = "banned" | "probation" | "neutral" | "good" | "preferred";

export interface LedgerEntry extends Deed {
  readonly wallMs: number;
  /** After caps: what was really added. */
  readonly delta: number;
}

export interface PeerExplanation {
  readonly peerId: PeerId;
  readonly score: number;
  readonly class: PeerClass;
  /** In force. */
  readonly ban?: BanRecord;
  /** The last one, which is over and remembered: the next is longer. */
  readonly formerBan?: BanRecord;
  /** The newest last. */
  readonly entries: readonly LedgerEntry[];
}

interface Account {
  score: number;
  updatedMs: number;
  gainedInMinute: number;
  minuteStartMs: number;
  readonly entries: LedgerEntry[];
  deeds: PeerDeeds;
  /** What was told last of its class, and when. */
  toldClass: PeerClass;
  toldMs: number;
}

/** What a score amounts to, for so long as nothing happens. */
export interface Verdict {
  readonly class: PeerClass;
  readonly score: number;
  /** Then it has decayed to another class. */
  readonly lastsMs: number;
}

/** A class that stays is told again so often, since its score moved meanwhile. */
const TOLD_AGAIN_MS = 60_000;

type Settings = NetworkConfig["reputation"];

export class ReputationLedger {
  readonly #settings: Settings;
  readonly #trusted: Set<PeerId>;
  /** In order of last use, so that the oldest can be forgotten. */
  readonly #accounts = new Map<PeerId, Account>();
  readonly #bans: BanList;

  /** `bans` as they were stored, in whatever state they are, see `restore`. */
  constructor(
    settings: Settings,
    trusted: readonly PeerId[],
    bans: readonly BanRecord[],
    now: Moment,
  ) {
    this.#settings = settings;
    this.#trusted = new Set(trusted);
    this.#bans = new BanList(settings);
    this.restore(bans, now);
  }

  /**
   * Adds stored bans: what is none is left out, and none lasts longer than it could have from now on,
   * whatever the clock was when it was made.
   */
  restore(bans: readonly BanRecord[], now: Moment): void {
    this.#bans.restore(bans, now);
  }

  /**
   * Books one event. Answers the ban that it brought, if any. With `readyPeers` at or below the
   * floor, excusable failures never ban.
   */
  record(peerId: PeerId, deed: Deed, now: Moment, readyPeers: number): BanRecord | undefined {
    const kept = keptDeed(deed);
    const { event, rule, detail } = kept;
    const account = this.#account(peerId, now.monotonicMs);
    const delta = this.#charge(peerId, account, event, now.monotonicMs);
    account.deeds = afterEvent(account.deeds, event, now.monotonicMs);
    // A gain of which the caps left nothing explains nothing, and would push out what does.
    const isNews = delta !== 0 || REPUTATION_DELTAS[event] < 0;
    if (isNews) account.entries.push({ wallMs: now.wallMs, delta, ...kept });
    if (account.entries.length > this.#settings.ledgerEntriesMax) account.entries.shift();
    const { banScore, peersFloor } = this.#settings;
    if (account.score > banScore || this.#trusted.has(peerId)) return undefined;
    // A peer that was spared before is not banned for what it does well, nor for a failed dial.
    if (REPUTATION_DELTAS[event] >= 0 || NEVER_BANS.has(event)) return undefined;
    if (
      EXCUSABLE.has(event) &&
      (readyPeers <= peersFloor || !this.#bans.mayGrow(now.monotonicMs))
    ) {
      return undefined;
    }
    if (this.banOf(peerId, now) !== undefined) return undefined;
    const why = rule === undefined ? { detail } : { rule, detail };
    return this.#bans.add(peerId, { reason: event, ...why }, now);
  }

  /**
   * A ban by the operator, in place of whatever ban there is: no floor holds it back, and it lasts as
   * said. Undefined: so many of theirs are in force that there is no room for another one.
   */
  banByOperator(peerId: PeerId, ban: OperatorBan, now: Moment): BanRecord | undefined {
    return this.#bans.addByOperator(peerId, ban, now);
  }

  /** A ban that it has is lifted, and its score starts anew; answers whether there was a ban. */
  trust(peerId: PeerId): boolean {
    this.#trusted.add(peerId);
    return this.unban(peerId);
  }

  distrust(peerId: PeerId): void {
    this.#trusted.delete(peerId);
  }

  /** The ban in force, if any. */
  banOf(peerId: PeerId, now: Moment): BanRecord | undefined {
    return this.#bans.of(peerId, now);
  }

  /** Lifts a ban and resets the score; false when there was none. */
  unban(peerId: PeerId): boolean {
    this.#accounts.delete(peerId);
    return this.#bans.forget(peerId);
  }

  /** All records, of bans in force and of past ones that make the next ban longer. */
  bans(now: Moment): readonly BanRecord[] {
    return this.#bans.all(now);
  }

  inForce(now: Moment): readonly BanRecord[] {
    return this.#bans.inForce(now);
  }

  /** Until the next ban is to be forgotten; undefined: there is none. */
  untilNextMs(nowMs: number): number | undefined {
    return this.#bans.untilNextMs(nowMs);
  }

  /** Whose bans are to be deleted from the store: past for long, of too many, or lifted. */
  takeForgotten(nowMs: number): readonly PeerId[] {
    return this.#bans.takeForgotten(nowMs);
  }

  deedsOf(peerId: PeerId): PeerDeeds {
    return this.#accounts.get(peerId)?.deeds ?? NO_DEEDS;
  }

  score(peerId: PeerId, monotonicMs: number): number {
    const account = this.#accounts.get(peerId);
    return account === undefined ? 0 : this.#decayed(account, monotonicMs);
  }

  /** The class of a peer that was just recorded, when that is news. */
  takeVerdict(peerId: PeerId, nowMs: number): Verdict | undefined {
    const account = this.#accounts.get(peerId);
    if (account === undefined) return undefined;
    const score = this.#decayed(account, nowMs);
    const verdict = this.#verdictOf(score);
    const isKnown = verdict.class === account.toldClass;
    const isShort = verdict.lastsMs < Number.POSITIVE_INFINITY;
    if (isKnown && !(isShort && nowMs - account.toldMs >= TOLD_AGAIN_MS)) return undefined;
    account.toldClass = verdict.class;
    account.toldMs = nowMs;
    return verdict;
  }

  explain(peerId: PeerId, now: Moment): PeerExplanation {
    const score = this.score(peerId, now.monotonicMs);
    const ban = this.banOf(peerId, now);
    return {
      peerId,
      score,
      class: ban === undefined ? this.#classOf(score) : "banned",
      ...(ban === undefined ? this.#formerBan(peerId, now) : { ban }),
      entries: [...(this.#accounts.get(peerId)?.entries ?? [])],
    };
  }

  invariants(): void {
    const { peersTrackedMax, scoreMax } = this.#settings;
    if (this.#accounts.size > peersTrackedMax) throw new Error("too many accounts");
    this.#bans.invariants();
    for (const { score } of this.#accounts.values()) {
      if (!(Math.abs(score) <= scoreMax)) throw new Error(`score ${score} is out of range`);
    }
  }

  #formerBan(peerId: PeerId, now: Moment): { readonly formerBan?: BanRecord } {
    const formerBan = this.#bans.remembered(peerId, now);
    return formerBan === undefined ? {} : { formerBan };
  }

  #classOf(score: number): PeerClass {
    const { banScore, probationScore, preferredScore } = this.#settings;
    if (score <= banScore) return "banned";
    if (score <= probationScore) return "probation";
    if (score < 0) return "neutral";
    return score < preferredScore ? "good" : "preferred";
  }

  #verdictOf(score: number): Verdict {
    const { banScore, probationScore, preferredScore, halfLifeMs } = this.#settings;
    const peerClass = this.#classOf(score);
    const until = { banned: banScore, probation: probationScore, preferred: preferredScore };
    const bound = until[peerClass as keyof typeof until] as number | undefined;
    const lastsMs =
      bound === undefined ? Number.POSITIVE_INFINITY : halfLifeMs * Math.log2(score / bound);
    return { class: peerClass, score, lastsMs };
  }

  #charge(peerId: PeerId, account: Account, event: ReputationEvent, nowMs: number): number {
    const { gainPerMinuteMax, scoreMax } = this.#settings;
    let delta: number = REPUTATION_DELTAS[event];
    if (delta > 0) {
      if (nowMs - account.minuteStartMs >= 60_000) {
        account.minuteStartMs = nowMs;
        account.gainedInMinute = 0;
      }
      delta = Math.min(delta, gainPerMinuteMax - account.gainedInMinute);
      account.gainedInMinute += delta;
    } else if (this.#trusted.has(peerId)) {
      delta /= 10;
    }
    const from = PROVEN_OFFENCES.has(event) ? Math.min(account.score, 0) : account.score;
    let score = clamp(from + delta, scoreMax);
    if (NEVER_BANS.has(event)) score = Math.max(score, Math.min(account.score, this.#least(event)));
    delta = score - account.score;
    account.score = score;
    return delta;
  }

  /** Where an event stops that bans nobody: unless the peer was lower already. */
  #least(event: ReputationEvent): number {
    const { banScore, probationScore } = this.#settings;
    // On probation, and short of a ban by half of what lies between. Else 1 above probation.
    return event === "BadNeighbours" ? (banScore + probationScore) / 2 : probationScore + 1;
  }

  #account(peerId: PeerId, nowMs: number): Account {
    let account = this.#accounts.get(peerId);
    if (account === undefined) {
      account = {
        score: 0,
        updatedMs: nowMs,
        gainedInMinute: 0,
        minuteStartMs: nowMs,
        entries: [],
        deeds: NO_DEEDS,
        toldClass: "good",
        toldMs: nowMs,
      };
      const oldest = this.#accounts.keys().next();
      if (this.#accounts.size >= this.#settings.peersTrackedMax && !oldest.done) {
        this.#accounts.delete(oldest.value);
      }
    } else {
      this.#accounts.delete(peerId);
      account.score = this.#decayed(account, nowMs);
      account.updatedMs = nowMs;
    }
    this.#accounts.set(peerId, account);
    return account;
  }

  #decayed(account: Account, nowMs: number): number {
    return account.score * 0.5 ** ((nowMs - account.updatedMs) / this.#settings.halfLifeMs);
  }
}

function clamp(value: number, magnitudeMax: number): number {
  return Math.max(-magnitudeMax, Math.min(magnitudeMax, value));
}
