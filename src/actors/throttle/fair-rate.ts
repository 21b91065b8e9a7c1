// FairRate: one direction of a node's line, which its connections share by turns, as in a deficit
// round robin of bytes: who wants more than its turn has let it waits for the next one. Turns go round
// by key, so that several connections of one neighbour have one share, and among those that wait by
// rank, the tip first; a small part of the line is for the others whatever the tip takes, or sends in
// advance. Pure: the time is passed in, and whoever owns it calls `turn` when `waitMs` has passed.

import { RANK, type Rank } from "../../protocol/codec/rank.js";
import { LineRate } from "./line-rate.js";

const RANKS = [RANK.tip, RANK.transactions, RANK.history] as const;
/** History goes first once after so many turns that went to transactions while it waited. */
const TURNS_BEFORE_HISTORY = 3;

/** A turn is what the line carries in so long, within a TLS record and a frame. */
const TURNS_PER_SECOND = 64;
const TURN_BYTES_MIN = 16 * 1024;
const TURN_BYTES_MAX = 64 * 1024;

export interface Rates {
  /** 0: no limit. */
  readonly bytesPerSecond: number;
  /** Of each connection by itself; 0: no limit. */
  readonly peerBytesPerSecond: number;
}

export interface ShareOptions {
  /** Nobody else's. */
  readonly name: string;
  /** Those of one key take turns with each other, and together one with everybody else. */
  readonly key: string;
  /** Its turn has come, or there is no limit any more. */
  readonly onTurn: () => void;
}

/** Those that wait by key; the order is that of turns. */
type Ring = Map<string, Set<Share>>;

export class FairRate {
  /** A limit is set, for all together or for each. */
  isLimited = false;
  readonly #onWait: () => void;
  readonly #shares = new Map<string, Share>();
  readonly #rings: readonly Ring[] = Object.values(RANK).map(() => new Map<string, Set<Share>>());
  #rates: Rates = { bytesPerSecond: 0, peerBytesPerSecond: 0 };
  #node: LineRate | undefined;
  #turnsBeforeHistory = 0;

  /** `onWait`: `waitMs` may be another one now. */
  constructor(onWait: () => void = () => undefined) {
    this.#onWait = onWait;
  }

  setRates(rates: Rates, nowMs: number): void {
    const before = this.#rates;
    this.#rates = rates;
    this.isLimited = rates.bytesPerSecond > 0 || rates.peerBytesPerSecond > 0;
    if (rates.bytesPerSecond !== before.bytesPerSecond) {
      this.#node = rateOf(rates.bytesPerSecond, nowMs);
    }
    if (rates.peerBytesPerSecond !== before.peerBytesPerSecond) {
      for (const share of this.#shares.values()) {
        share.own = rateOf(rates.peerBytesPerSecond, nowMs);
      }
    }
    // By the new rates they may go, or wait for another time.
    if (this.isLimited) this.turn(nowMs);
    else for (const share of this.#shares.values()) this.#letGo(share, nowMs);
    this.#onWait();
  }

  share(options: ShareOptions, nowMs: number): Share {
    const share = new Share(this, options, rateOf(this.#rates.peerBytesPerSecond, nowMs));
    this.#shares.set(options.name, share);
    return share;
  }

  /** This one waits for its turn. */
  isHeld(name: string): boolean {
    return this.isLimited && (this.#shares.get(name)?.isHeld ?? false);
  }

  /** Connections that wait for their turn. */
  get heldCount(): number {
    let count = 0;
    for (const share of this.#shares.values()) if (share.isHeld) count++;
    return count;
  }

  /** How long until a turn is due; Infinity: nobody waits. */
  waitMs(nowMs: number): number {
    let waitMs = Number.POSITIVE_INFINITY;
    for (const [rank, ring] of this.#rings.entries()) {
      const lineMs = ring.size === 0 ? 0 : (this.#node?.waitMs(rank as Rank, nowMs) ?? 0);
      for (const shares of ring.values()) {
        for (const { own } of shares) {
          waitMs = Math.min(waitMs, Math.max(lineMs, own?.waitMs(rank as Rank, nowMs) ?? 0));
        }
      }
    }
    return waitMs;
  }

  /** Gives their turns to those whose time has come. */
  turn(nowMs: number): void {
    for (;;) {
      const next = this.#next(nowMs);
      if (next === undefined) return;
      const [rank, share] = next;
      this.#leave(rank, share);
      this.#grant(rank, share, nowMs);
      if (share.allowance(rank) > 0) share.hasTurn(nowMs);
      else this.#enter(rank, share);
    }
  }

  /** For a share: it may go on at once, unless others wait for their turn or there is nothing left. */
  ask(rank: Rank, share: Share, nowMs: number): void {
    if (this.#rings[rank]!.get(share.key)?.has(share) === true) return;
    this.turn(nowMs);
    while (share.allowance(rank) <= 0 && this.#hasRoom(rank, share, nowMs)) {
      this.#grant(rank, share, nowMs);
    }
    if (share.allowance(rank) > 0) return;
    this.#enter(rank, share);
    share.holds(nowMs);
    this.#onWait();
  }

  /** For a share: the rate is not yet overdrawn by all that it may be. */
  mayOverdraw(share: Share, nowMs: number): boolean {
    if (this.#node?.mayOverdraw(nowMs) === false) return false;
    return share.own === undefined || share.own.mayOverdraw(nowMs);
  }

  /** For a share: so many left or came without a turn; less than 0: those of a turn are given back. */
  charge(share: Share, bytes: number): void {
    this.#node?.charge(bytes);
    share.own?.charge(bytes);
  }

  /** For a share: its connection has ended. */
  end(share: Share): void {
    const waited = share.isHeld;
    for (const rank of RANKS) this.#leave(rank, share);
    this.#shares.delete(share.name);
    if (waited) this.#onWait();
  }

  /** Whose turn is next, if the rates have any. */
  #next(nowMs: number): [Rank, Share] | undefined {
    const historyFirst = this.#turnsBeforeHistory >= TURNS_BEFORE_HISTORY;
    for (const rank of historyFirst ? HISTORY_FIRST : RANKS) {
      // Of many that wait none is asked while there is nothing for any of them.
      if (this.#node?.hasRoom(rank, nowMs) === false) continue;
      for (const shares of this.#rings[rank]!.values()) {
        for (const share of shares) if (this.#hasRoom(rank, share, nowMs)) return [rank, share];
      }
    }
    return undefined;
  }

  #hasRoom(rank: Rank, { own }: Share, nowMs: number): boolean {
    if (this.#node?.hasRoom(rank, nowMs) === false) return false;
    return own === undefined || own.hasRoom(rank, nowMs);
  }

  #grant(rank: Rank, share: Share, nowMs: number): void {
    const bytes = Math.min(turnBytes(this.#node), turnBytes(share.own));
    this.#node?.grant(rank, bytes, nowMs);
    share.own?.grant(rank, bytes, nowMs);
    share.granted(rank, bytes);
    if (rank === RANK.history) this.#turnsBeforeHistory = 0;
    else if (rank === RANK.transactions && this.#rings[RANK.history]!.size > 0) {
      this.#turnsBeforeHistory++;
    }
  }

  /** At the end of its key's shares, and a key that was not there at the end of the keys. */
  #enter(rank: Rank, share: Share): void {
    const ring = this.#rings[rank]!;
    const shares = ring.get(share.key) ?? new Set();
    ring.set(share.key, shares.add(share));
    share.waits++;
  }

  /** Those of its key that still wait are next after everybody else. */
  #leave(rank: Rank, share: Share): void {
    const ring = this.#rings[rank]!;
    const shares = ring.get(share.key);
    if (shares === undefined || !shares.delete(share)) return;
    share.waits--;
    ring.delete(share.key);
    if (shares.size > 0) ring.set(share.key, shares);
  }

  #letGo(share: Share, nowMs: number): void {
    for (const rank of RANKS) this.#leave(rank, share);
    if (share.isHeld) share.hasTurn(nowMs);
  }
}

const NO_TURNS: readonly number[] = Object.freeze(Object.values(RANK).map(() => 0));

/** What one connection has of a rate. */
export class Share {
  readonly name: string;
  readonly key: string;
  /** Its own limit, if there is one. */
  own: LineRate | undefined;
  /** Ranks in which it waits for a turn. */
  waits = 0;
  readonly #rate: FairRate;
  readonly #onTurn: () => void;
  /** By rank: what its turns have let it, less what it took; below 0 it took more. */
  #allowances = NO_TURNS;
  #heldSinceMs: number | undefined;
  #heldMs = 0;

  constructor(rate: FairRate, { name, key, onTurn }: ShareOptions, own: LineRate | undefined) {
    this.#rate = rate;
    this.name = name;
    this.key = key;
    this.own = own;
    this.#onTurn = onTurn;
  }

  get isLimited(): boolean {
    return this.#rate.isLimited;
  }

  /** It waits for its turn. */
  get isHeld(): boolean {
    return this.#heldSinceMs !== undefined;
  }

  allowance(rank: Rank): number {
    return this.#allowances[rank]!;
  }

  /** How many bytes may go now; 0: it waits, and `onTurn` follows. */
  ask(rank: Rank, nowMs: number): number {
    if (this.allowance(rank) <= 0) this.#rate.ask(rank, this, nowMs);
    return Math.max(0, this.allowance(rank));
  }

  /** So many of its turn went. */
  spent(rank: Rank, bytes: number): void {
    this.#allow(rank, this.allowance(rank) - bytes);
  }

  /** Nothing of this rank is left to send: the rest of its turn is for others. */
  rest(rank: Rank): void {
    const left = this.allowance(rank);
    if (left <= 0) return;
    this.#allow(rank, 0);
    this.#rate.charge(this, -left);
  }

  /** What cannot wait may go now, and is repaid by what can. */
  mayOverdraw(nowMs: number): boolean {
    return this.#rate.mayOverdraw(this, nowMs);
  }

  /** So many went without a turn. */
  overdrew(bytes: number): void {
    this.#rate.charge(this, bytes);
  }

  /** How long it waited for its turns since this was last asked. */
  takeHeldMs(nowMs: number): number {
    if (this.#heldSinceMs !== undefined) {
      this.#heldMs += nowMs - this.#heldSinceMs;
      this.#heldSinceMs = nowMs;
    }
    const heldMs = this.#heldMs;
    this.#heldMs = 0;
    return heldMs;
  }

  /** Its connection has ended. */
  release(): void {
    for (const rank of RANKS) this.rest(rank);
    this.#rate.end(this);
    this.#heldSinceMs = undefined;
  }

  // ---- for its rate ---------------------------------------------------------------------------

  holds(nowMs: number): void {
    this.#heldSinceMs ??= nowMs;
  }

  granted(rank: Rank, bytes: number): void {
    this.#allow(rank, this.allowance(rank) + bytes);
  }

  #allow(rank: Rank, bytes: number): void {
    // A list of its own for the first turn: without limits there is none.
    if (this.#allowances === NO_TURNS) this.#allowances = [...NO_TURNS];
    (this.#allowances as number[])[rank] = bytes;
  }

  hasTurn(nowMs: number): void {
    if (this.waits === 0) {
      if (this.#heldSinceMs !== undefined) this.#heldMs += nowMs - this.#heldSinceMs;
      this.#heldSinceMs = undefined;
    }
    this.#onTurn();
  }
}

const HISTORY_FIRST = [RANK.tip, RANK.history, RANK.transactions] as const;

function rateOf(bytesPerSecond: number, nowMs: number): LineRate | undefined {
  return bytesPerSecond > 0 ? new LineRate(bytesPerSecond, nowMs) : undefined;
}

function turnBytes(rate: LineRate | undefined): number {
  if (rate === undefined) return TURN_BYTES_MAX;
  const bytes = Math.floor(rate.bytesPerSecond / TURNS_PER_SECOND);
  return Math.max(TURN_BYTES_MIN, Math.min(bytes, TURN_BYTES_MAX));
}
