// LineRate: what a line carries in a second, of which the tip may take more in advance and all others
// have a small part whatever the tip does. Pure: the time is passed in.

import { RANK, type Rank } from "../../protocol/codec/rank.js";
import { ByteRate } from "./byte-rate.js";

/** So far it may be overdrawn by what cannot wait: in time, and at least two of the largest blocks. */
const OVERDRAFT_SECONDS = 4;
const OVERDRAFT_BYTES_MIN = 8 * 1024 * 1024;
/** One byte in so many is for what is not of the tip, while that takes all that there is. */
const LEAST_PART = 16;

export class LineRate {
  readonly bytesPerSecond: number;
  readonly #all: ByteRate;
  /** What others than the tip may have though there is nothing left. */
  readonly #least: ByteRate;

  /** A whole number from 1 to 2^32. */
  constructor(bytesPerSecond: number, nowMs: number) {
    this.bytesPerSecond = bytesPerSecond;
    this.#all = new ByteRate(bytesPerSecond, nowMs);
    this.#least = new ByteRate(Math.ceil(bytesPerSecond / LEAST_PART), nowMs);
  }

  /** A turn of this rank may be given. */
  hasRoom(rank: Rank, nowMs: number): boolean {
    return this.#all.bytes(nowMs) > 0 || (rank > RANK.tip && this.#least.bytes(nowMs) > 0);
  }

  grant(rank: Rank, bytes: number, nowMs: number): void {
    if (rank > RANK.tip && this.#all.bytes(nowMs) <= 0) this.#least.take(bytes);
    this.#all.take(bytes);
  }

  /** So many left or came without a turn; less than 0: those of a turn are given back. */
  charge(bytes: number): void {
    if (bytes >= 0) this.#all.take(bytes);
    else this.#all.give(-bytes);
  }

  /** It is not yet overdrawn by all that it may be. */
  mayOverdraw(nowMs: number): boolean {
    const most = Math.max(OVERDRAFT_BYTES_MIN, OVERDRAFT_SECONDS * this.bytesPerSecond);
    return this.#all.bytes(nowMs) > -most;
  }

  /** How long until a turn of this rank may be given. */
  waitMs(rank: Rank, nowMs: number): number {
    const waitMs = this.#all.waitMs(nowMs);
    return rank > RANK.tip ? Math.min(waitMs, this.#least.waitMs(nowMs)) : waitMs;
  }
}
