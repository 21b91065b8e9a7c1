// What the control lane carries besides the handshake: pings and answers to them, and credit for what
// this side sends. Pure; owned by a session.

import type { MessageOf } from "../types/message.js";
import type { Violation } from "../violation.js";
import { ControlLimits } from "./control-limits.js";
import type { Outbox } from "./outbox.js";
import { timeOfNonce } from "./ping-time.js";
import { Pings } from "./pings.js";
import type { SessionOptions, SessionSettings } from "./session-types.js";

export class Control<A> {
  /** `time/1` was negotiated. */
  tellsTime = false;
  readonly #outbox: Outbox<A>;
  readonly #nonce: SessionOptions["nonce"];
  readonly #limits: ControlLimits;
  readonly #pings = new Pings<A>();

  constructor({ liveness }: SessionSettings, nonce: SessionOptions["nonce"], outbox: Outbox<A>) {
    this.#outbox = outbox;
    this.#nonce = nonce;
    this.#limits = new ControlLimits(liveness);
  }

  /** Smoothed; undefined until a ping was answered. */
  get roundTripMs(): number | undefined {
    return this.#pings.roundTripMs;
  }

  /** Ends in one `pinged`. */
  ping(asker: A | undefined, isReady: boolean, nowMs: number): void {
    if (!isReady || this.#pings.isFull) {
      this.#outbox.tell({ type: "pinged", asker, elapsedMs: undefined });
      return;
    }
    const nonce = this.#nonce(this.tellsTime);
    this.#pings.sent(nonce, { sentMs: nowMs, asker });
    this.#outbox.say({ kind: "Ping", nonce });
  }

  pinged(nonce: bigint, nowMs: number): Violation | undefined {
    const flood = this.#limits.ping(this.#outbox.lanes.pongsWaiting, nowMs);
    if (flood !== undefined) return flood;
    this.#outbox.say({ kind: "Pong", nonce });
    // A claim like any other: it is compared with those of others, and sets nothing.
    if (this.tellsTime) this.#outbox.tell({ type: "time", wallMs: timeOfNonce(nonce) });
    return undefined;
  }

  ponged(nonce: bigint, nowMs: number): Violation | undefined {
    const ping = this.#pings.answered(nonce, nowMs);
    if (ping === undefined) return this.#limits.pong(nowMs);
    const { asker, sentMs } = ping;
    this.#outbox.tell({ type: "pinged", asker, elapsedMs: nowMs - sentMs });
    return undefined;
  }

  /** The other side lets this one send more. */
  granted({ lane, bytes }: MessageOf<"WindowUpdate">, nowMs: number): Violation | undefined {
    const { lanes } = this.#outbox;
    return this.#limits.update(lanes.dataFramesOut, nowMs) ?? lanes.grant(lane, bytes);
  }

  /** The end: nobody waits for an answer that cannot come. */
  settleAll(): void {
    for (const { asker } of this.#pings.drain()) {
      this.#outbox.tell({ type: "pinged", asker, elapsedMs: undefined });
    }
  }
}
