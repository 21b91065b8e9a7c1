// One side of a connection as a state machine without socket, clock or actor: bytes, commands and
// the time go in; bytes, events and the next time to be woken come out. Owns decoder, lanes, windows,
// handshake, the requests of both sides, pings, limits and an orderly end. Whoever owns one calls
// `poll` until nothing comes, and `transmit` while its carrier takes bytes, after all that it put in.

import { encodeMessage, messageFromItems } from "../codec/codec.js";
import type { Frame } from "../codec/frame.js";
import type { Rank } from "../codec/rank.js";
import type { ReceivedMessage } from "../codec/receive-lanes.js";
import type { Breach } from "../../types/breach.js";
import { negotiate } from "../handshake.js";
import type { DisconnectReason, Lane, MessageOf, WireKind, WireMessage } from "../types/message.js";
import { readBreach, violation, type Violation } from "../violation.js";
import { Arrivals } from "./arrivals.js";
import { Asking } from "./asking.js";
import { Control } from "./control.js";
import { Inbound } from "./inbound.js";
import { Outbox, WRITE_BYTES } from "./outbox.js";
import { Outflow } from "./outflow.js";
import type {
  End,
  LargeVerdict,
  SessionEvent,
  SessionFigures,
  SessionOptions,
} from "./session-types.js";
import type { QuotaSettings } from "./quotas.js";
import { Vigil, type Sweep } from "./vigil.js";

export class PeerSession<A = undefined> {
  readonly #options: SessionOptions;
  readonly #arrivals: Arrivals<A>;
  readonly #outbox: Outbox<A>;
  readonly #asking: Asking<A>;
  readonly #inbound: Inbound<A>;
  readonly #control: Control<A>;
  readonly #outflow: Outflow<A>;
  readonly #vigil: Vigil;
  #phase: "handshaking" | "ready" | "closing" = "handshaking";
  /** The time of the call that goes on. */
  #nowMs: number;
  /** The carrier takes nothing until it drains. */
  #isBlocked = false;

  /** Says hello. */
  constructor(options: SessionOptions, nowMs: number) {
    const { settings, info } = options;
    this.#options = options;
    this.#nowMs = nowMs;
    this.#outbox = new Outbox(settings, options.allocate, options.traffic, options.mayQueue);
    this.#vigil = new Vigil(settings, options.openedAtMs, nowMs);
    this.#outflow = new Outflow(this.#outbox, this.#vigil);
    this.#arrivals = new Arrivals(options, this.#outbox);
    this.#asking = new Asking(settings, this.#outbox, this.#arrivals.decoder);
    this.#inbound = new Inbound(options, this.#arrivals, this.#asking, this.#outbox, this.#vigil);
    this.#control = new Control(settings, options.nonce, {
      outbox: this.#outbox,
      outflow: this.#outflow,
      asking: this.#asking,
      arrivals: this.#arrivals,
      inbound: this.#inbound,
    });
    if (options.isMute === true) return;
    const payload = options.infoPayload ?? encodeMessage({ kind: "Handshake", ...info });
    this.#outbox.put("Handshake", payload, 0);
  }

  get phase(): "handshaking" | "ready" | "closing" {
    return this.#phase;
  }

  get figures(): Readonly<SessionFigures> {
    return this.#outbox.figures;
  }

  /** Whole frames that came so far: a measure of the work that they made. */
  get framesIn(): number {
    return this.#arrivals.decoder.framesIn;
  }

  /** Smoothed; undefined until a ping was answered. */
  get roundTripMs(): number | undefined {
    return this.#control.roundTripMs;
  }

  /** Payload bytes that wait to be sent on the data lanes. */
  get queuedBytes(): number {
    return this.#outbox.lanes.dataBytes;
  }

  /** From now on this side takes what these say, and the other side is told, if it can be. */
  limit(settings: QuotaSettings, nowMs: number): void {
    this.#nowMs = nowMs;
    if (this.#phase === "ready") this.#control.limit(settings);
  }

  /** Of a data lane: what this side may still send, and what it lets the other side send. */
  credit(lane: Lane): { readonly ownBytes: number; readonly grantedBytes: number } {
    const ownBytes = this.#outbox.lanes.creditBytes(lane);
    return { ownBytes, grantedBytes: this.#arrivals.availableBytes(lane) };
  }

  // ---- in -------------------------------------------------------------------------------------

  /** The next bytes of the stream, which the caller must not write to any more. */
  receive(bytes: Uint8Array, nowMs: number): void {
    if (this.#phase === "closing") return;
    this.#nowMs = nowMs;
    this.#vigil.heard(nowMs);
    const breach = this.#arrivals.push(bytes, this.#onFrame, nowMs);
    if (breach !== undefined) this.violate(breach, nowMs);
    // Asked of the getter: the compiler takes the field for unchanged by what a call did to it.
    if (this.phase === "closing") return;
    this.#arrivals.grant(nowMs);
    if (this.#arrivals.hasBegun) this.#sweepLater();
    this.#inbound.handOn(nowMs);
  }

  /** A one-way message; false: nothing more may be sent, or there is no room for it. */
  send(message: WireMessage, nowMs: number): boolean {
    if (this.#phase === "closing") return false;
    this.#beginWaiting(nowMs);
    return this.#outflow.send(message, nowMs);
  }

  /** The same, encoded once for many sessions. `about`: the hash that is not named in it. */
  sendEncoded(kind: WireKind, payload: Uint8Array, nowMs: number, about?: Uint8Array): boolean {
    if (this.#phase === "closing") return false;
    this.#beginWaiting(nowMs);
    return this.#outflow.sendEncoded(kind, payload, nowMs, about);
  }

  /** Ends in one `settled`; its deadline counts from now. */
  request(message: WireMessage, asker: A, nowMs: number): void {
    if (this.#phase !== "ready" || this.#outbox.kinds.find(message.kind) === undefined) {
      this.#asking.settle(asker, { ok: false, reason: "Closed" });
      return;
    }
    this.#beginWaiting(nowMs);
    this.#asking.request(message, asker, nowMs);
    this.#sweepLater();
  }

  /** The answer to a request that came as a message; only the first one counts. */
  reply(requestId: number, message: WireMessage, nowMs: number, isHistory = false): void {
    if (this.#phase === "closing") return;
    this.#beginWaiting(nowMs);
    this.#inbound.reply(requestId, message, nowMs, isHistory);
  }

  /** A request that came as a message under this id was not answered. */
  owes(requestId: number): boolean {
    return this.#inbound.serves.isOpen(requestId);
  }

  /** A message was dealt with: the other side may send as much again. */
  consumed(lane: Lane, bytes: number, nowMs: number): void {
    if (bytes === 0 || this.#phase === "closing") return;
    this.#nowMs = nowMs;
    this.#arrivals.consumed(lane, bytes, nowMs);
  }

  /** Ends in one `pinged`. */
  ping(asker: A | undefined, nowMs: number): void {
    this.#control.ping(asker, this.#phase === "ready", nowMs);
  }

  /** What was found in a large message. */
  decoded(received: ReceivedMessage, verdict: LargeVerdict, nowMs: number): void {
    if (this.#phase === "closing") return;
    this.#nowMs = nowMs;
    const { kind } = received;
    const breach = verdict.ok
      ? this.#dispatch(messageFromItems(kind, verdict.payload, verdict.items), received, nowMs)
      : violation("payload", verdict.detail);
    if (breach !== undefined) this.violate(breach, nowMs);
    else this.#inbound.handOn(nowMs);
  }

  /** The other side broke this rule: it is told, and that is the end. */
  violate(breach: Violation, nowMs: number): void {
    this.#nowMs = nowMs;
    this.#end({ reason: "ProtocolViolation", ...breach, by: "session" }, true);
  }

  /** An orderly end by the owner; `rule`: the one that it says the other side broke. */
  close(reason: DisconnectReason, detail: string, nowMs: number, rule?: string): void {
    this.#nowMs = nowMs;
    this.#end({ reason, ...(rule === undefined ? {} : { rule }), detail, by: "owner" }, true);
  }

  /** What carried it has ended; `breach`: by a fault of the other side. */
  carrierEnded(detail: string, breach: Breach | undefined, nowMs: number): void {
    this.#nowMs = nowMs;
    const reason = breach === undefined ? "Closed" : "ProtocolViolation";
    this.#end({ reason, detail, ...breach, by: "session" }, false);
  }

  /** The carrier takes no more bytes until it drains. */
  carrierBlocked(nowMs: number): void {
    this.#isBlocked = true;
    this.#vigil.took(nowMs);
  }

  carrierDrained(nowMs: number): void {
    this.#isBlocked = false;
    this.#vigil.took(nowMs);
  }

  /** This side did not read for a while: the silence was not the other's. */
  readsAgain(nowMs: number): void {
    this.#vigil.heard(nowMs);
  }

  /** Limits of this node held it up, reading or sending, for so long: the other side is not late. */
  heldUp(way: "in" | "out", heldMs: number, nowMs: number): void {
    this.#asking.prolong(heldMs, nowMs);
    if (way === "in") this.#arrivals.prolong(heldMs);
    this.#vigil[way === "in" ? "heard" : "took"](nowMs);
  }

  /** `nextTimeoutMs` has come. `unreadBytes`: how many have come that it was not given yet. */
  timeout(nowMs: number, unreadBytes = 0): void {
    this.#nowMs = nowMs;
    if (this.#vigil.phaseIsOver(nowMs)) {
      if (this.#phase === "closing") this.#outbox.tell({ type: "over" });
      else this.#timedOut("no handshake in time");
    }
    // While this side does not read, the other's silence proves nothing.
    if (unreadBytes > 0) this.#vigil.heard(nowMs);
    const act = this.#vigil.life(nowMs, this.#isBlocked || this.queuedBytes > 0);
    if (act === "ping") this.ping(undefined, nowMs);
    else if (act === "silent") this.#timedOut("no byte for too long");
    else if (act === "blocked") this.#timedOut("the peer does not read");
    const readBytes = this.#outbox.figures.bytesIn;
    const sweep = this.#vigil.sweep(nowMs, { readBytes, unreadBytes });
    if (sweep !== undefined) this.#sweep(sweep);
  }

  /** When `timeout` is due, in monotonic time; Infinity: never. */
  get nextTimeoutMs(): number {
    return this.#vigil.nextMs;
  }

  /** The next bytes to write, if any may be sent now; `rank`: of what is so urgent alone. */
  transmit(nowMs: number, bytesMax = WRITE_BYTES, rank?: Rank): Uint8Array | undefined {
    this.#nowMs = nowMs;
    const framesBefore = this.#outbox.lanes.dataFramesOut;
    const bytes = this.#outbox.pull(bytesMax, rank);
    if (this.#outbox.lanes.dataFramesOut > framesBefore) this.#vigil.took(nowMs);
    if (bytes !== undefined || this.#phase === "closing") return bytes;
    // What has left made room.
    this.#asking.send(nowMs);
    this.#inbound.handOn(nowMs);
    return this.#outbox.lanes.isEmpty ? undefined : this.#outbox.pull(bytesMax, rank);
  }

  /** Something of this rank could be sent now. */
  waits(rank: Rank): boolean {
    return this.#outbox.lanes.waits(rank);
  }

  /** What has happened, in order; undefined: nothing more. */
  poll(): SessionEvent<A> | undefined {
    return this.#outbox.poll();
  }

  /** Of messages that came, whole or not, and are not consumed. */
  get receivedBytes(): number {
    return this.#arrivals.heldBytes;
  }

  /** Credit of messages that came out of it and are not consumed. */
  get handedOnBytes(): number {
    return this.#arrivals.unconsumedBytes - this.#inbound.serves.waitingBytes;
  }

  /** Requests of the other side that came out of it and have no answer yet. */
  get openServes(): number {
    return this.#inbound.serves.openCount;
  }

  /** Throws when the state contradicts itself or exceeds a bound. */
  invariants(): void {
    this.#arrivals.invariants();
    this.#outbox.invariants();
    this.#asking.invariants();
    this.#inbound.serves.invariants();
  }

  /** Throws when anything waits that would not wait in a quiet network. */
  atRest(): void {
    this.#asking.atRest();
    this.#inbound.serves.atRest();
  }

  // The time goes with what comes: read from the field it would be a new number for each call.
  readonly #onFrame = (frame: Frame, nowMs: number): Violation | undefined => {
    // The rest of a chunk after a Disconnect or a failed handshake is not read.
    if (this.#phase === "closing") return undefined;
    return this.#inbound.objection(frame) ?? this.#arrivals.accept(frame, this.#onMessage, nowMs);
  };

  readonly #onMessage = (received: ReceivedMessage, nowMs: number): Violation | undefined => {
    this.#outbox.figures.messagesIn++;
    this.#outbox.traffic?.received(received.rule, received.kind, received.payload.length);
    const drop = this.#inbound.drops(received, nowMs);
    if (drop !== false) return drop === true ? undefined : drop;
    const decoded = this.#inbound.decode(received);
    if (decoded === undefined) return undefined;
    return decoded.ok ? this.#dispatch(decoded.message, received, nowMs) : decoded.violation;
  };

  #dispatch(message: WireMessage, received: ReceivedMessage, nowMs: number): Violation | undefined {
    switch (message.kind) {
      case "Handshake":
        this.#shake(message);
        return undefined;
      case "Disconnect": {
        const { reason, detail } = message;
        const breach = reason === "ProtocolViolation" ? readBreach(detail) : undefined;
        this.#end({ reason, detail, ...breach, by: "peer" }, false);
        return undefined;
      }
      case "Ping":
      case "Pong":
      case "WindowUpdate":
      case "Limits":
        return this.#control.heard(message, nowMs);
      default:
        return this.#inbound.handle(message, received, nowMs);
    }
  }

  /** Handshaking → ready, or → closing with the reason that the other side is told. */
  #shake(remote: MessageOf<"Handshake">): void {
    const { info, localId, remoteId } = this.#options;
    const agreed = negotiate({ ...info, peerId: localId }, remote, remoteId);
    if (!agreed.ok) {
      this.#end({ reason: agreed.reason, detail: agreed.detail, by: "session" }, true);
      return;
    }
    const { capabilities, kinds } = agreed;
    this.#phase = "ready";
    this.#arrivals.decoder.allow(kinds);
    this.#inbound.adopt(capabilities);
    this.#outflow.adopt(this.#outbox.kinds.own);
    this.#vigil.ready(this.#nowMs);
    this.#asking.keepTo(remote.quotas);
    this.#control.ready(capabilities, this.#options.settings, this.#options.isMute);
    // The windows are tuned by the round trip, so it is measured at once.
    if (this.#options.isMute !== true) this.ping(undefined, this.#nowMs);
    this.#outbox.tell({ type: "ready", info: remote, capabilities });
  }

  // ---- time and the end -----------------------------------------------------------------------

  /** Until now nothing waited for the other side to take it. */
  #beginWaiting(nowMs: number): void {
    this.#nowMs = nowMs;
    if (!this.#isBlocked && this.queuedBytes === 0) this.#vigil.took(nowMs);
  }

  #sweepLater(): void {
    this.#vigil.sweepLater(this.#nowMs, this.#asking.quotaWaitMs(this.#nowMs));
  }

  /** Deadlines: of requests, and of what the other side has begun to send. */
  #sweep(sweep: Sweep): void {
    this.#asking.expire(sweep, this.#nowMs);
    const why = this.#asking.givenUp ?? this.#arrivals.judge(sweep, this.#nowMs);
    if (why !== undefined) this.#timedOut(why);
    else {
      this.#inbound.handOn(this.#nowMs);
      this.#outflow.flush(this.#nowMs);
      if (this.#arrivals.hasBegun || !this.#asking.isIdle) this.#sweepLater();
    }
  }

  #timedOut(detail: string): void {
    this.#end({ reason: "Timeout", detail, by: "session" }, true);
  }

  /** Any phase → closing. After a farewell nothing more is sent; without one, nothing at all. */
  #end(end: End, isSaid: boolean): void {
    if (this.#phase === "closing") return;
    this.#vigil.closing(this.#phase === "ready", this.#nowMs);
    this.#phase = "closing";
    if (isSaid && end.reason !== "Closed") this.#outbox.farewell(end.reason, end);
    else this.#outbox.lanes.clear();
    // Until its carrier is gone a closing session holds no more than that does.
    this.#arrivals.release();
    this.#inbound.serves.clear();
    this.#outflow.clear();
    this.#outbox.tell({ type: "closing", end });
    this.#asking.settleAll();
    this.#control.settleAll();
  }
}
