// Bans: those that reputation speaks, each twice as long as the one before, and the operator's, which last
// as said. Bounded; times are monotonic, for the wall clock may be set while a ban lasts. Pure; a part of
// the reputation ledger.

import type { NetworkConfig } from "../../config.js";
import type { BanRecord, PeerId } from "../../ports.js";
import type { Moment } from "./moment.js";

interface Ban {
  readonly record: BanRecord;
  /** Monotonic time. */
  readonly endsMs: number;
}

export interface OperatorBan {
  readonly lastsMs: number;
  /** Why, in their words. */
  readonly detail: string;
}

/** Two clocks that differ by less go as clocks do; by more, one of them was set. */
const CLOCK_SET_MS = 1_000;
const PEER_ID = /^[0-9a-f]{64}$/;

export class BanList {
  readonly #settings: NetworkConfig["reputation"];
  /** In force, or ended and remembered: the next one of that peer is longer. */
  readonly #bans = new Map<PeerId, Ban>();
  /** No longer among the bans, and still in the store. */
  readonly #forgotten = new Set<PeerId>();
  readonly #spokenMs: number[] = [];

  constructor(settings: NetworkConfig["reputation"]) {
    this.#settings = settings;
  }

  /** Stored ones, in whatever state they are. */
  restore(bans: readonly BanRecord[], now: Moment): void {
    for (const record of bans.filter(isBan).sort((a, b) => a.untilWallMs - b.untilWallMs)) {
      const lastsMs = Math.min(record.untilWallMs - now.wallMs, this.#longestMs(record));
      const untilWallMs = now.wallMs + lastsMs;
      this.#keep({ record: { ...record, untilWallMs }, endsMs: now.monotonicMs + lastsMs });
    }
    this.#forgetPast(now.monotonicMs);
  }

  /** By reputation. */
  add(peerId: PeerId, why: Pick<BanRecord, "reason" | "rule" | "detail">, now: Moment): BanRecord {
    const count = this.#countOf(peerId) + 1;
    const lengthMs = this.#lengthMs(count);
    const record = { peerId, untilWallMs: now.wallMs + lengthMs, ...why, count };
    this.#keep({ record, endsMs: now.monotonicMs + lengthMs });
    this.#spokenMs.push(now.monotonicMs);
    if (this.#spokenMs.length > this.#settings.bansPerWindowMax) this.#spokenMs.shift();
    return record;
  }

  /** Undefined: half of the places are theirs already. */
  addByOperator(
    peerId: PeerId,
    { lastsMs, detail }: OperatorBan,
    now: Moment,
  ): BanRecord | undefined {
    let others = 0;
    for (const { record, endsMs } of this.#bans.values()) {
      if (isByOperator(record) && record.peerId !== peerId && endsMs > now.monotonicMs) others++;
    }
    if (others >= Math.ceil(this.#settings.bansKeptMax / 2)) return undefined;
    const count = this.#countOf(peerId) + 1;
    const untilWallMs = now.wallMs + lastsMs;
    const why = { reason: "Operator", detail, by: "operator" } as const;
    const record = { peerId, untilWallMs, ...why, count };
    this.#keep({ record, endsMs: now.monotonicMs + lastsMs });
    return record;
  }

  /** In force. */
  of(peerId: PeerId, now: Moment): BanRecord | undefined {
    const ban = this.#bans.get(peerId);
    return ban !== undefined && ban.endsMs > now.monotonicMs ? shown(ban, now) : undefined;
  }

  /** In force, or over and remembered. */
  remembered(peerId: PeerId, now: Moment): BanRecord | undefined {
    const ban = this.#bans.get(peerId);
    return ban === undefined ? undefined : shown(ban, now);
  }

  all(now: Moment): readonly BanRecord[] {
    return [...this.#bans.values()].map((ban) => shown(ban, now));
  }

  inForce(now: Moment): readonly BanRecord[] {
    const inForce = [...this.#bans.values()].filter(({ endsMs }) => endsMs > now.monotonicMs);
    return inForce.map((ban) => shown(ban, now));
  }

  /** False: there was none. */
  forget(peerId: PeerId): boolean {
    const known = this.#bans.delete(peerId);
    if (known) this.#forgotten.add(peerId);
    return known;
  }

  /** Until the next one is to be forgotten. */
  untilNextMs(nowMs: number): number | undefined {
    const { banRememberedMs } = this.#settings;
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { endsMs } of this.#bans.values()) {
      nextMs = Math.min(nextMs, endsMs + banRememberedMs);
    }
    return nextMs === Number.POSITIVE_INFINITY ? undefined : Math.max(0, nextMs - nowMs);
  }

  takeForgotten(nowMs: number): readonly PeerId[] {
    this.#forgetPast(nowMs);
    const forgotten = [...this.#forgotten];
    this.#forgotten.clear();
    return forgotten;
  }

  /** False: reputation spoke so many of late that the fault is more likely ours. */
  mayGrow(nowMs: number): boolean {
    const { bansPerWindowMax, bansWindowMs } = this.#settings;
    const recent = this.#spokenMs.filter((time) => nowMs - time < bansWindowMs).length;
    return recent < bansPerWindowMax;
  }

  invariants(): void {
    if (this.#bans.size > this.#settings.bansKeptMax) throw new Error("too many bans");
  }

  /** How often it was banned, as far as that is remembered. */
  #countOf(peerId: PeerId): number {
    return this.#bans.get(peerId)?.record.count ?? 0;
  }

  #lengthMs(count: number): number {
    const { banMs, banMaxMs } = this.#settings;
    return Math.min(banMaxMs, banMs * 2 ** (count - 1));
  }

  /** From now on, whatever a store says. */
  #longestMs(record: BanRecord): number {
    if (isByOperator(record)) return this.#settings.operatorBanMaxMs;
    return this.#lengthMs(record.count);
  }

  /** Of too many the one that ends first goes, the operator's last. */
  #keep(ban: Ban): void {
    const { peerId } = ban.record;
    this.#bans.delete(peerId);
    this.#forgotten.delete(peerId);
    if (this.#bans.size >= this.#settings.bansKeptMax) {
      let soonest: Ban | undefined;
      for (const other of this.#bans.values()) {
        if (soonest === undefined || givesWayBefore(other, soonest)) soonest = other;
      }
      if (soonest !== undefined) this.forget(soonest.record.peerId);
    }
    this.#bans.set(peerId, ban);
  }

  #forgetPast(nowMs: number): void {
    for (const [peerId, { endsMs }] of this.#bans) {
      if (endsMs + this.#settings.banRememberedMs <= nowMs) this.forget(peerId);
    }
  }
}

/** For people, and for the peer itself. */
export function banText(ban: Pick<BanRecord, "reason" | "rule" | "detail">): string {
  const { reason, rule = "", detail = "" } = ban;
  return [reason, rule, detail].filter((part) => part !== "").join(": ");
}

/** A caller's store, or one that was written by hand, may answer anything. */
export function isBan(record: BanRecord): boolean {
  if (typeof record !== "object" || (record as BanRecord | null) === null) return false;
  const { peerId, untilWallMs, reason, rule = "", detail = "", count, by = "operator" } = record;
  const isCounted = Number.isSafeInteger(count) && count >= 1;
  const isSaid = [reason, rule, detail].every(isText);
  const isTimed = Number.isFinite(untilWallMs) && isCounted;
  return PEER_ID.test(peerId) && isTimed && isSaid && by === "operator";
}

export function isByOperator({ by }: Pick<BanRecord, "by">): boolean {
  return by === "operator";
}

function givesWayBefore(one: Ban, other: Ban): boolean {
  const isByOne = isByOperator(one.record);
  return isByOne === isByOperator(other.record) ? one.endsMs < other.endsMs : !isByOne;
}

function isText(value: unknown): boolean {
  return typeof value === "string";
}

/** A wall clock that was set back meanwhile does not make a ban look longer than it is. */
function shown({ record, endsMs }: Ban, now: Moment): BanRecord {
  const untilWallMs = Math.ceil(now.wallMs + endsMs - now.monotonicMs);
  return untilWallMs < record.untilWallMs - CLOCK_SET_MS ? { ...record, untilWallMs } : record;
}
