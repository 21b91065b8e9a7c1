// Turns for inbound handshakes, each of which takes 1 to 2 ms of the event loop, and of an attacker
// who plays back an old first message nothing. So many are begun a second; beyond it the networks
// take turns, so that one that floods waits for itself. What waits holds a place (inbound-limits.ts),
// which bounds it. Owned by a transport.

import type { Clock, Timer } from "../ports.js";

/** So many seconds' worth may begin at once after a rest. */
const BURST_SECONDS = 1 / 4;
/** When a timer was late, the loop goes round after so many. */
const AT_ONCE_MAX = 4;

type Turn = () => void;

export class HandshakeTurns {
  readonly #clock: Pick<Clock, "monotonicMs" | "setTimer">;
  readonly #perSecond: number;
  /** By network, the next one first. */
  readonly #waiting = new Map<string, Set<Turn>>();
  #tokens: number;
  #atMs: number;
  #timer: Timer | undefined;

  constructor(clock: Pick<Clock, "monotonicMs" | "setTimer">, perSecond: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.#tokens = this.#tokensMax;
    this.#atMs = clock.monotonicMs();
  }

  /** `turn` is called once, now or later, unless it leaves before. */
  wait(network: string, turn: Turn): void {
    this.#refill();
    if (this.#waiting.size === 0 && this.#tokens >= 1) {
      this.#tokens -= 1;
      turn();
      return;
    }
    const turns = this.#waiting.get(network) ?? new Set();
    this.#waiting.set(network, turns.add(turn));
    this.#schedule();
  }

  leave(network: string, turn: Turn): void {
    const turns = this.#waiting.get(network);
    turns?.delete(turn);
    if (turns?.size === 0) this.#waiting.delete(network);
    if (this.#waiting.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  get #tokensMax(): number {
    return Math.max(1, this.#perSecond * BURST_SECONDS);
  }

  #refill(): void {
    const nowMs = this.#clock.monotonicMs();
    const refilled = this.#tokens + ((nowMs - this.#atMs) * this.#perSecond) / 1_000;
    this.#tokens = Math.min(this.#tokensMax, refilled);
    this.#atMs = nowMs;
  }

  #schedule(): void {
    if (this.#waiting.size === 0) return;
    const untilMs = ((1 - this.#tokens) * 1_000) / this.#perSecond;
    this.#timer ??= this.#clock.setTimer(Math.max(1, Math.ceil(untilMs)), () => this.#serve());
  }

  #serve(): void {
    this.#timer = undefined;
    this.#refill();
    for (let i = 0; i < AT_ONCE_MAX && this.#tokens >= 1; i++) {
      const turn = this.#takeNext();
      if (turn === undefined) return;
      this.#tokens -= 1;
      turn();
    }
    this.#schedule();
  }

  /** The oldest of the network whose turn it is; the network comes last then. */
  #takeNext(): Turn | undefined {
    for (const [network, turns] of this.#waiting) {
      this.#waiting.delete(network);
      for (const turn of turns) {
        turns.delete(turn);
        if (turns.size > 0) this.#waiting.set(network, turns);
        return turn;
      }
    }
    return undefined;
  }
}
