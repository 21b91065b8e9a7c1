// When to ping a peer, and when it is gone: a silent one, and one that takes nothing. What this
// node slept through counts for nobody's silence. Pure; owned by a session.

import { FairTimer, READ_FIRST_MS } from "../fair-wait.js";
import type { NetworkConfig } from "../../config.js";

export interface KeepAliveVerdict {
  /** `silent`: no byte and no answer to a ping; `blocked`: it took no byte. Both are the end. */
  readonly act: "wait" | "ping" | "silent" | "blocked";
  /** Look again after so long. */
  readonly delayMs: number;
}

export class KeepAlive {
  readonly #settings: Pick<NetworkConfig["liveness"], "pingIntervalMs" | "deadAfterMs">;
  readonly #timer = new FairTimer();
  #heardMs: number;
  /** When the peer last took bytes, as far as is known. */
  #tookMs: number;
  /** A ping went out since the last byte came. */
  #pinged = false;

  constructor(settings: NetworkConfig["liveness"], nowMs: number) {
    this.#settings = settings;
    this.#heardMs = nowMs;
    this.#tookMs = nowMs;
  }

  /** Bytes came. */
  heard(nowMs: number): void {
    this.#heardMs = nowMs;
    this.#pinged = false;
  }

  /** The socket drained. */
  took(nowMs: number): void {
    this.#tookMs = nowMs;
  }

  /** The delay of the first look. */
  begin(nowMs: number): number {
    this.heard(nowMs);
    this.took(nowMs);
    return this.#timer.next(nowMs, this.#settings.pingIntervalMs, this.#settings.deadAfterMs);
  }

  /** The timer has fired. `blocked`: the socket takes nothing now. */
  look(nowMs: number, blocked: boolean): KeepAliveVerdict {
    const { pingIntervalMs, deadAfterMs } = this.#settings;
    const look = this.#timer.look(nowMs);
    if (look === "stalled") this.heard(nowMs);
    if (look === "stalled" || !blocked) this.took(nowMs);
    const silent = this.#pinged && nowMs - this.#heardMs >= deadAfterMs;
    const unread = nowMs - this.#tookMs >= deadAfterMs;
    if (silent || unread) {
      if (look !== "unread") return { act: silent ? "silent" : "blocked", delayMs: 0 };
      return { act: "wait", delayMs: this.#timer.next(nowMs, READ_FIRST_MS) };
    }
    const due = !this.#pinged && nowMs - this.#heardMs >= pingIntervalMs;
    if (due) this.#pinged = true;
    const nextMs = this.#heardMs + (this.#pinged ? deadAfterMs : pingIntervalMs) - nowMs;
    const delayMs = this.#timer.next(nowMs, nextMs, deadAfterMs);
    return { act: due ? "ping" : "wait", delayMs };
  }
}
