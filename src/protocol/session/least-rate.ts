// What has begun must end: a frame or a message of which nothing more comes would hold its memory
// and its lane for good. Begun ones are looked at now and then, and must have come at a least rate.
// Time in which the peer lacked credit is not counted. Pure; owned by a session.

import type { FrameDecoder } from "../codec/frame.js";
import type { ReceiveLanes, UnfinishedMessage } from "../codec/receive-lanes.js";
import { LateMap } from "../late-map.js";
import { LANES, type Lane } from "../types/message.js";

/**
 * A sender waits for no more credit than this rather than cut a tiny fragment: with so much of it,
 * that nothing comes is its own doing.
 */
const CREDIT_BYTES = 131_072;

interface Begun {
  readonly number: number;
  /** Later by what the peer waited for credit. */
  sinceMs: number;
}

export interface LeastRateSettings {
  /** Allowed on top of what the bytes take. */
  readonly patienceMs: number;
  readonly bytesPerMsMin: number;
}

export class LeastRate {
  readonly #settings: LeastRateSettings;
  readonly #messages = new LateMap<Lane, Begun>();
  #frame: Begun | undefined;
  #lookedMs = 0;

  constructor(settings: LeastRateSettings) {
    this.#settings = settings;
  }

  /** Something has begun: `look` is due some time. */
  static isDue(decoder: FrameDecoder, lanes: ReceiveLanes): boolean {
    return decoder.isWithinFrame || lanes.hasUnfinished;
  }

  /** What has taken too long, in words; undefined: nothing. */
  look(decoder: FrameDecoder, lanes: ReceiveLanes, nowMs: number): string | undefined {
    const elapsedMs = nowMs - this.#lookedMs;
    this.#lookedMs = nowMs;
    const { patienceMs, bytesPerMsMin } = this.#settings;
    const { framesIn } = decoder;
    if (!decoder.isWithinFrame) this.#frame = undefined;
    else if (this.#frame?.number !== framesIn) this.#frame = { number: framesIn, sinceMs: nowMs };
    else if (nowMs - this.#frame.sinceMs >= patienceMs) return "a frame does not end";
    for (const lane of DATA_LANES) {
      const message = lanes.unfinished(lane);
      const begun = this.#begun(lane, message, nowMs);
      if (message === undefined || begun === undefined) continue;
      if (message.availableBytes < CREDIT_BYTES) begun.sinceMs += elapsedMs;
      const allowedMs = patienceMs + message.bytes / bytesPerMsMin;
      if (nowMs - begun.sinceMs >= allowedMs) return `a message on lane ${lane} does not end`;
    }
    return undefined;
  }

  /** This node was not awake to read: all that has begun gets its whole time again. */
  renew(): void {
    this.#messages.clear();
    this.#frame = undefined;
  }

  /** This node kept itself from reading for so long. */
  prolong(heldMs: number): void {
    if (this.#frame !== undefined) this.#frame.sinceMs += heldMs;
    for (const begun of this.#messages.values()) begun.sinceMs += heldMs;
  }

  /** The record of an unfinished message; undefined when there is none or it is new. */
  #begun(lane: Lane, message: UnfinishedMessage | undefined, nowMs: number): Begun | undefined {
    const begun = this.#messages.get(lane);
    if (message === undefined) this.#messages.delete(lane);
    else if (begun?.number === message.number) return begun;
    else this.#messages.set(lane, { number: message.number, sinceMs: nowMs });
    return undefined;
  }
}

const DATA_LANES = LANES.filter((lane) => lane !== "control");
