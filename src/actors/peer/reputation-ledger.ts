// The arithmetic of reputation: decay, capped gains, classes, bans that double, and a
// short ledger per peer that explains its score. Pure; the reputation actor owns one.

import type { NetworkConfig } from "../../config.js";
import type { BanRecord, PeerId } from "../../ports.js";
import { afterEvent, NO_DEEDS, type PeerDeeds } from "./peer-deeds.js";
import {
  EXCUSABLE,
  NEVER_BANS,
  PROVEN_OFFENCES,
  REPUTATION_DELTAS,
  type Deed,
  type ReputationEvent,
} from "./reputation-events.js";

/** For people, and for the peer itself. */
export function banText(ban: Pick<BanRecord, "reason" | "rule" | "detail">): string {
  const { reason, rule = "", detail = "" } = ban;
  return [reason, rule, detail].filter((part) => part !== "").join(": ");
}

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
  readonly ban?: BanRecord;
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

export interface Moment {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

interface Ban {
  readonly record: BanRecord;
  /** Monotonic time: the wall clock may be set while it lasts. */
  readonly endsMs: number;
}

/** Two clocks that differ by less go as clocks do; by more, one of them was set. */
const CLOCK_SET_MS = 1_000;
const PEER_ID = /^[0-9a-f]{64}$/;

export class ReputationLedger {
  readonly #settings: Settings;
  readonly #trusted: ReadonlySet<PeerId>;
  /** In order of last use, so that the oldest can be forgotten. */
  readonly #accounts = new Map<PeerId, Account>();
  /** In force, or ended and remembered: the next one of that peer is longer. */
  readonly #bans = new Map<PeerId, Ban>();
  /** No longer among the bans, and still in the store. */
  readonly #forgotten = new Set<PeerId>();
  readonly #banTimesMs: number[] = [];

  /**
   * `bans` as they were stored, in whatever state they are: what is none is left out, and none lasts
   * longer than it could have from now on, whatever the clock was when it was made.
   */
  constructor(
    settings: Settings,
    trusted: readonly PeerId[],
    bans: readonly BanRecord[],
    now: Moment,
  ) {
    this.#settings = settings;
    this.#trusted = new Set(trusted);
    this.restore(bans, now);
  }

  /** Adds stored bans, in whatever state they are, as the constructor takes them. */
  restore(bans: readonly BanRecord[], now: Moment): void {
    for (const record of bans.filter(isBan).sort((a, b) => a.untilWallMs - b.untilWallMs)) {
      const lastsMs = Math.min(record.untilWallMs - now.wallMs, this.#lengthMs(record.count));
      const untilWallMs = now.wallMs + lastsMs;
      this.#keep({ record: { ...record, untilWallMs }, endsMs: now.monotonicMs + lastsMs });
    }
    this.#forgetPast(now.monotonicMs);
  }

  /**
   * Books one event. Answers the ban that it brought, if any. With `readyPeers` at or below the
   * floor, excusable failures never ban.
   */
  record(
    peerId: PeerId,
    { event, rule, detail }: Deed,
    now: Moment,
    readyPeers: number,
  ): BanRecord | undefined {
    const why = rule === undefined ? { detail } : { rule, detail };
    const account = this.#account(peerId, now.monotonicMs);
    const delta = this.#charge(peerId, account, event, now.monotonicMs);
    account.deeds = afterEvent(account.deeds, event, now.monotonicMs);
    account.entries.push({ wallMs: now.wallMs, event, delta, ...why });
    if (account.entries.length > this.#settings.ledgerEntriesMax) account.entries.shift();
    const { banScore, peersFloor } = this.#settings;
    if (account.score > banScore || this.#trusted.has(peerId)) return undefined;
    // A peer that was spared before is not banned for what it does well, nor for a failed dial.
    if (REPUTATION_DELTAS[event] >= 0 || NEVER_BANS.has(event)) return undefined;
    if (EXCUSABLE.has(event) && (readyPeers <= peersFloor || !this.#mayBan(now.monotonicMs))) {
      return undefined;
    }
    if (this.banOf(peerId, now) !== undefined) return undefined;
    return this.#ban(peerId, { reason: event, ...why }, now);
  }

  /** The ban in force, if any. */
  banOf(peerId: PeerId, now: Moment): BanRecord | undefined {
    const ban = this.#bans.get(peerId);
    return ban !== undefined && ban.endsMs > now.monotonicMs ? shown(ban, now) : undefined;
  }

  /** Lifts a ban and resets the score; false when there was none. */
  unban(peerId: PeerId): boolean {
    this.#accounts.delete(peerId);
    return this.#forget(peerId);
  }

  /** All records, of bans in force and of past ones that make the next ban longer. */
  bans(now: Moment): readonly BanRecord[] {
    return [...this.#bans.values()].map((ban) => shown(ban, now));
  }

  inForce(now: Moment): readonly BanRecord[] {
    const inForce = [...this.#bans.values()].filter(({ endsMs }) => endsMs > now.monotonicMs);
    return inForce.map((ban) => shown(ban, now));
  }

  /** Until the next ban is to be forgotten; undefined: there is none. */
  untilNextMs(nowMs: number): number | undefined {
    const { banRememberedMs } = this.#settings;
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { endsMs } of this.#bans.values()) {
      nextMs = Math.min(nextMs, endsMs + banRememberedMs);
    }
    return nextMs === Number.POSITIVE_INFINITY ? undefined : Math.max(0, nextMs - nowMs);
  }

  /** Whose bans are to be deleted from the store: past for long, of too many, or lifted. */
  takeForgotten(nowMs: number): readonly PeerId[] {
    this.#forgetPast(nowMs);
    const forgotten = [...this.#forgotten];
    this.#forgotten.clear();
    return forgotten;
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
      ...(ban === undefined ? {} : { ban }),
      entries: [...(this.#accounts.get(peerId)?.entries ?? [])],
    };
  }

  invariants(): void {
    const { peersTrackedMax, bansKeptMax, scoreMax } = this.#settings;
    if (this.#accounts.size > peersTrackedMax) throw new Error("too many accounts");
    if (this.#bans.size > bansKeptMax) throw new Error("too many bans");
    for (const { score } of this.#accounts.values()) {
      if (!(Math.abs(score) <= scoreMax)) throw new Error(`score ${score} is out of range`);
    }
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

  #ban(peerId: PeerId, why: Pick<BanRecord, "reason" | "rule" | "detail">, now: Moment): BanRecord {
    const count = (this.#bans.get(peerId)?.record.count ?? 0) + 1;
    const lengthMs = this.#lengthMs(count);
    const record = { peerId, untilWallMs: now.wallMs + lengthMs, ...why, count };
    this.#keep({ record, endsMs: now.monotonicMs + lengthMs });
    this.#banTimesMs.push(now.monotonicMs);
    if (this.#banTimesMs.length > this.#settings.bansPerWindowMax) this.#banTimesMs.shift();
    return record;
  }

  #lengthMs(count: number): number {
    const { banMs, banMaxMs } = this.#settings;
    return Math.min(banMaxMs, banMs * 2 ** (count - 1));
  }

  /** Of too many the one that ends first goes. */
  #keep(ban: Ban): void {
    const { peerId } = ban.record;
    this.#bans.delete(peerId);
    this.#forgotten.delete(peerId);
    if (this.#bans.size >= this.#settings.bansKeptMax) {
      let soonest: Ban | undefined;
      for (const other of this.#bans.values()) {
        if (soonest === undefined || other.endsMs < soonest.endsMs) soonest = other;
      }
      if (soonest !== undefined) this.#forget(soonest.record.peerId);
    }
    this.#bans.set(peerId, ban);
  }

  #forget(peerId: PeerId): boolean {
    const known = this.#bans.delete(peerId);
    if (known) this.#forgotten.add(peerId);
    return known;
  }

  #forgetPast(nowMs: number): void {
    for (const [peerId, { endsMs }] of this.#bans) {
      if (endsMs + this.#settings.banRememberedMs <= nowMs) this.#forget(peerId);
    }
  }

  #mayBan(nowMs: number): boolean {
    const { bansPerWindowMax, bansWindowMs } = this.#settings;
    const recent = this.#banTimesMs.filter((time) => nowMs - time < bansWindowMs).length;
    return recent < bansPerWindowMax;
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

/** A caller's store, or one that was written by hand, may answer anything. */
export function isBan(record: BanRecord): boolean {
  if (typeof record !== "object" || (record as BanRecord | null) === null) return false;
  const { peerId, untilWallMs, reason, rule = "", detail = "", count } = record;
  const isCounted = Number.isSafeInteger(count) && count >= 1;
  const isSaid = [reason, rule, detail].every(isText);
  return PEER_ID.test(peerId) && Number.isFinite(untilWallMs) && isCounted && isSaid;
}

function isText(value: unknown): boolean {
  return typeof value === "string";
}

/** A wall clock that was set back meanwhile does not make a ban look longer than it is. */
function shown({ record, endsMs }: Ban, now: Moment): BanRecord {
  const untilWallMs = Math.ceil(now.wallMs + endsMs - now.monotonicMs);
  return untilWallMs < record.untilWallMs - CLOCK_SET_MS ? { ...record, untilWallMs } : record;
}

function clamp(value: number, magnitudeMax: number): number {
  return Math.max(-magnitudeMax, Math.min(magnitudeMax, value));
}
