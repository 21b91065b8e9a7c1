// What arrives: frames, the messages that they are put together to, the credit that these hold, and
// whether what has begun goes on. Pure; owned by a session.

import { FrameDecoder, type Frame, type FrameSink } from "../codec/frame.js";
import { ReceiveLanes, type MessageSink } from "../codec/receive-lanes.js";
import { KINDS_BEFORE_HANDSHAKE } from "../handshake.js";
import type { Lane } from "../types/message.js";
import type { Violation } from "../violation.js";
import { LeastRate } from "./least-rate.js";
import type { Outbox } from "./outbox.js";
import { ARRIVING_BYTES_PER_MS_MIN } from "./own-requests.js";
import type { SessionOptions } from "./session-types.js";
import type { Sweep } from "./vigil.js";

export class Arrivals<A> {
  readonly decoder = new FrameDecoder(KINDS_BEFORE_HANDSHAKE);
  readonly #lanes: ReceiveLanes;
  readonly #leastRate: LeastRate;
  readonly #outbox: Outbox<A>;

  constructor({ settings, windowGrowth }: SessionOptions, outbox: Outbox<A>) {
    const { lanes, requests } = settings;
    this.#outbox = outbox;
    this.#lanes = new ReceiveLanes({
      windowBytesInitial: lanes.windowInitialBytes,
      windowBytesMax: lanes.windowMaxBytes,
      ...(windowGrowth && { growth: windowGrowth }),
    });
    this.#leastRate = new LeastRate({
      patienceMs: requests.timeoutMaxMs,
      bytesPerMsMin: ARRIVING_BYTES_PER_MS_MIN,
    });
  }

  push(bytes: Uint8Array, onFrame: FrameSink, nowMs: number): Violation | undefined {
    this.#outbox.figures.bytesIn += bytes.length;
    return this.decoder.push(bytes, onFrame, nowMs);
  }

  accept(frame: Frame, onMessage: MessageSink, nowMs: number): Violation | undefined {
    return this.#lanes.accept(frame, onMessage, nowMs);
  }

  /** A message was dealt with. */
  consumed(lane: Lane, bytes: number, nowMs: number): void {
    const update = this.#lanes.consumed(lane, bytes, nowMs);
    if (update !== undefined) this.#outbox.say(update);
    this.grant(nowMs);
  }

  /** Credit that unfinished messages made due; after each `push`. */
  grant(nowMs: number): void {
    for (const update of this.#lanes.updates(nowMs)) this.#outbox.say(update);
  }

  /** The windows follow it. */
  setRoundTrip(roundTripMs: number | undefined): void {
    this.#lanes.setRoundTrip(roundTripMs);
  }

  /** Something has begun that must end. */
  get hasBegun(): boolean {
    return LeastRate.isDue(this.decoder, this.#lanes);
  }

  /** What has taken too long, in words; undefined: nothing, or this side did not read. */
  judge(sweep: Sweep, nowMs: number): string | undefined {
    if (sweep === "stalled" || sweep === "behind") this.#leastRate.renew();
    return sweep === "sound" ? this.#leastRate.look(this.decoder, this.#lanes, nowMs) : undefined;
  }

  /** This side did not read for so long. */
  prolong(heldMs: number): void {
    this.#leastRate.prolong(heldMs);
  }

  /** What the other side may still send. */
  availableBytes(lane: Lane): number {
    return this.#lanes.availableBytes(lane);
  }

  /** Of messages that came, whole or not, and are not consumed. */
  get heldBytes(): number {
    return this.#lanes.arrivedBytes;
  }

  get unconsumedBytes(): number {
    return this.#lanes.unconsumedBytes;
  }

  /** The end: it holds nothing any more. */
  release(): void {
    this.#lanes.release();
  }

  invariants(): void {
    this.decoder.invariants();
    this.#lanes.invariants();
  }
}
