// What the control lane carries besides the handshake: pings and answers to them, and credit for what
// this side sends. Pure; owned by a session.

import type { MessageOf } from "../types/message.js";
import { TIME_CAPABILITY } from "../handshake.js";
import { LIMITS_CAPABILITY } from "../kinds/base.js";
import type { Violation } from "../violation.js";
import type { Arrivals } from "./arrivals.js";
import type { Asking } from "./asking.js";
import { ControlLimits } from "./control-limits.js";
import type { Inbound } from "./inbound.js";
import type { Outbox } from "./outbox.js";
import type { Outflow } from "./outflow.js";
import { timeOfNonce } from "./ping-time.js";
import { Pings } from "./pings.js";
import { toldQuotas, type QuotaSettings } from "./quotas.js";
import type { SessionOptions, SessionSettings } from "./session-types.js";

/** The parts of a session that it tells of what came. */
export interface ControlParts<A> {
  readonly outbox: Outbox<A>;
  readonly outflow: Outflow<A>;
  readonly asking: Asking<A>;
  readonly arrivals: Arrivals<A>;
  readonly inbound: Inbound<A>;
}

type ControlMessage = MessageOf<"Ping" | "Pong" | "WindowUpdate" | "Limits">;

export class Control<A> {
  /** `time/1` was negotiated. */
  #tellsTime = false;
  /** `limits/1` was. */
  #tellsLimits = false;
  readonly #parts: ControlParts<A>;
  readonly #outbox: Outbox<A>;
  readonly #nonce: SessionOptions["nonce"];
  readonly #limits: ControlLimits;
  readonly #pings = new Pings<A>();

  constructor(
    { liveness }: SessionSettings,
    nonce: SessionOptions["nonce"],
    parts: ControlParts<A>,
  ) {
    this.#parts = parts;
    this.#outbox = parts.outbox;
    this.#nonce = nonce;
    this.#limits = new ControlLimits(liveness);
  }

  /** Both sides have shaken hands; `isMute`: the other side hears nothing. */
  ready(capabilities: ReadonlySet<string>, settings: QuotaSettings, isMute = false): void {
    this.#tellsTime = capabilities.has(TIME_CAPABILITY);
    this.#tellsLimits = capabilities.has(LIMITS_CAPABILITY) && !isMute;
    this.limit(settings);
  }

  /** From now on this side takes what these say; the other one is told, if it can be. */
  limit(settings: QuotaSettings): void {
    if (!this.#tellsLimits) return;
    this.#parts.inbound.limit(settings);
    this.#outbox.say({ kind: "Limits", quotas: toldQuotas(settings) });
  }

  heard(message: ControlMessage, nowMs: number): Violation | undefined {
    switch (message.kind) {
      case "Ping":
        return this.#pinged(message.nonce, nowMs);
      case "Pong":
        return this.#ponged(message.nonce, nowMs);
      case "WindowUpdate":
        return this.#granted(message, nowMs);
      case "Limits":
        this.#parts.outflow.keepTo(message.quotas, nowMs);
        this.#parts.asking.keepToAll(message.quotas);
        return this.#limits.limits(nowMs);
    }
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
    const nonce = this.#nonce(this.#tellsTime);
    this.#pings.sent(nonce, { sentMs: nowMs, asker });
    this.#outbox.say({ kind: "Ping", nonce });
  }

  #pinged(nonce: bigint, nowMs: number): Violation | undefined {
    const flood = this.#limits.ping(this.#outbox.lanes.pongsWaiting, nowMs);
    if (flood !== undefined) return flood;
    this.#outbox.say({ kind: "Pong", nonce });
    // A claim like any other: it is compared with those of others, and sets nothing.
    if (this.#tellsTime) this.#outbox.tell({ type: "time", wallMs: timeOfNonce(nonce) });
    return undefined;
  }

  #ponged(nonce: bigint, nowMs: number): Violation | undefined {
    const ping = this.#pings.answered(nonce, nowMs);
    if (ping === undefined) return this.#limits.pong(nowMs);
    const { asker, sentMs } = ping;
    this.#outbox.tell({ type: "pinged", asker, elapsedMs: nowMs - sentMs });
    this.#parts.arrivals.setRoundTrip(this.#pings.roundTripMs);
    return undefined;
  }

  /** The other side lets this one send more. */
  #granted({ lane, bytes }: MessageOf<"WindowUpdate">, nowMs: number): Violation | undefined {
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
