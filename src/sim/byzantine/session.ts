// One connection of a byzantine node: the real session without any of its limits, on a simulated
// link. It keeps the protocol's accounts, so that a script breaks just the rule that it means to
// break; what no session does goes past it, as bytes.

import { DEFAULTS } from "../../config/defaults.js";
import type { Breach } from "../../types/breach.js";
import type { Clock, Connection, PeerId } from "../../ports.js";
import { encodeMessage } from "../../protocol/codec/codec.js";
import { FRAME_HEADER_BYTES, writeFrameHeader } from "../../protocol/codec/frame.js";
import { PeerSession } from "../../protocol/session/peer-session.js";
import type { End, SessionSettings } from "../../protocol/session/session-types.js";
import {
  isOfChain,
  WINDOW_BYTES_MAX,
  type DisconnectReason,
  type Message,
} from "../../protocol/types/message.js";
import type { HandshakeInfo } from "../../protocol/types/node-info.js";
import { answerTo, type Served } from "./chain-view.js";

export interface SessionParts {
  readonly connection: Connection;
  readonly clock: Clock;
  /** The identity that it shows. */
  readonly own: PeerId;
  /** What both ends start with. */
  readonly windowBytes: number;
  readonly info: HandshakeInfo;
  /** It says nothing of itself. */
  readonly isMute: boolean;
  readonly onReady: (session: Session) => void;
  readonly onMessage: (session: Session, message: Message, requestId: number) => void;
  /** The other side, which is honest, broke a rule of the wire. */
  readonly onBreach: (session: Session, breach: Breach) => void;
  /** Once. `reason`: what the other side said, if it did. */
  readonly onClosed: (session: Session, reason: DisconnectReason | undefined) => void;
}

/** How often a session that is slow writes a piece. */
const PIECE_MS = 100;
const NEVER = Number.POSITIVE_INFINITY;
const ANY_COUNT = 2 ** 31;
const ANY_BYTES = 2 ** 48;

/** No wait ends, and nothing is too much: so it needs no timer. */
export function limitless(windowInitialBytes: number): SessionSettings {
  const { handshake, lanes, liveness, receive, requests, serve, shutdown } = DEFAULTS;
  return {
    handshake: { ...handshake, timeoutMs: NEVER },
    lanes: {
      ...lanes,
      windowInitialBytes,
      windowMaxBytes: WINDOW_BYTES_MAX,
      sendQueueBytesMax: ANY_BYTES,
    },
    liveness: {
      ...liveness,
      pingIntervalMs: NEVER,
      deadAfterMs: NEVER,
      pingsPerSecondMax: ANY_COUNT,
    },
    receive,
    requests: { ...requests, inFlightMax: ANY_COUNT, timeoutMinMs: NEVER, timeoutMaxMs: NEVER },
    serve: { ...serve, repliesQueuedMax: ANY_COUNT },
    shutdown: { ...shutdown, drainMs: NEVER },
  };
}

export class Session {
  /** Of the honest node. */
  readonly peerId: PeerId;
  readonly #parts: SessionParts;
  readonly #session: PeerSession;
  #nonce = 0n;
  #readsNothing = false;
  #isBlocked = false;
  #isClosed = false;
  /** What may leave every PIECE_MS. */
  #pieceBytes = Number.POSITIVE_INFINITY;
  /** What has yet to leave, in pieces. */
  #late: Uint8Array = new Uint8Array();
  #end: End | undefined;

  /** Opens the connection and says hello. */
  constructor(parts: SessionParts) {
    const { clock, connection, info, isMute, own } = parts;
    this.#parts = parts;
    this.peerId = connection.peerId;
    this.#session = new PeerSession(
      {
        settings: limitless(parts.windowBytes),
        info,
        isMute,
        localId: own,
        remoteId: connection.peerId,
        openedAtMs: connection.openedAtMs,
        nonce: () => ++this.#nonce,
        unansweredMax: ANY_COUNT,
      },
      clock.monotonicMs(),
    );
    connection.open({
      onData: (chunk) => {
        if (this.#readsNothing) return;
        this.#session.receive(chunk, this.#nowMs);
        this.#carry();
      },
      onDrain: () => {
        this.#isBlocked = false;
        this.#carry();
      },
      onClose: () => {
        this.#session.carrierEnded("", undefined, this.#nowMs);
        this.#closed();
      },
    });
    this.#carry();
  }

  get ready(): boolean {
    return !this.#isClosed && this.#session.phase === "ready";
  }

  /** Within the credit that the other side granted: what exceeds it waits. */
  send(message: Message, requestId = 0): void {
    if (requestId === 0) this.#session.send(message, this.#nowMs);
    else if (this.#session.owes(requestId)) this.#session.reply(requestId, message, this.#nowMs);
    else this.sendBytes(frameOf(message, requestId));
    this.#carry();
  }

  /** A request under a fresh id. */
  ask(message: Message): void {
    this.#session.request(message, undefined, this.#nowMs);
    this.#carry();
  }

  /** Answers a request as an honest node with this chain does. No request: nothing. */
  answer(message: Message, requestId: number, chain: Served): void {
    const answer = answerTo(message, chain);
    if (answer === undefined) return;
    this.#session.reply(requestId, answer, this.#nowMs);
    this.#carry();
  }

  /** Past all accounts: any bytes at all. */
  sendBytes(bytes: Uint8Array): void {
    if (!this.#isClosed) this.#parts.connection.write(bytes);
  }

  /** Bytes that wait for credit. */
  get waitingBytes(): number {
    return this.#session.queuedBytes;
  }

  /** From now on nothing is taken from the link and no credit is given back. */
  readNothing(): void {
    this.#readsNothing = true;
    this.#parts.connection.pause();
  }

  /** From now on no more bytes leave in a second. */
  slowDown(bytesPerSecond: number): void {
    this.#pieceBytes = Math.max(1, (bytesPerSecond * PIECE_MS) / 1_000);
  }

  close(): void {
    this.#parts.connection.close();
  }

  #carry(): void {
    this.#heed();
    while (!this.#isBlocked && !this.#isClosed) {
      const bytes = this.#session.transmit(this.#nowMs);
      if (bytes === undefined) break;
      this.#isBlocked = !this.#write(bytes);
    }
    this.#heed();
  }

  #write(bytes: Uint8Array): boolean {
    if (this.#pieceBytes === Number.POSITIVE_INFINITY) return this.#parts.connection.write(bytes);
    this.#late = bytes;
    this.#writePiece();
    return false;
  }

  #writePiece(): void {
    if (this.#isClosed) return;
    if (this.#late.length === 0) {
      this.#isBlocked = false;
      this.#carry();
      return;
    }
    this.#parts.connection.write(this.#late.slice(0, this.#pieceBytes));
    this.#late = this.#late.subarray(this.#pieceBytes);
    this.#parts.clock.setTimer(PIECE_MS, () => this.#writePiece());
  }

  #heed(): void {
    for (let event = this.#session.poll(); event !== undefined; event = this.#session.poll()) {
      if (event.type === "ready") this.#parts.onReady(this);
      else if (event.type === "message") {
        const { message, lane, bytes, requestId } = event;
        // It names no protocol of a service, so it is sent no such message.
        if (isOfChain(message)) this.#parts.onMessage(this, message, requestId);
        if (!this.#readsNothing) this.#session.consumed(lane, bytes, this.#nowMs);
      } else if (event.type === "closing") {
        this.#end = event.end;
        const { by, rule, detail } = event.end;
        if (by === "session" && rule !== undefined) this.#parts.onBreach(this, { rule, detail });
        this.#parts.connection.close();
      }
    }
  }

  #closed(): void {
    this.#heed();
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { reason, by } = this.#end ?? {};
    this.#parts.onClosed(this, by === "peer" && reason !== "Closed" ? reason : undefined);
  }

  get #nowMs(): number {
    return this.#parts.clock.monotonicMs();
  }
}

/** The one frame of a message that no session would send. */
function frameOf(message: Message, requestId: number): Uint8Array {
  const payload = encodeMessage(message);
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + payload.length);
  const { kind } = message;
  writeFrameHeader(bytes, 0, { kind, requestId, payloadBytes: payload.length, more: false });
  bytes.set(payload, FRAME_HEADER_BYTES);
  return bytes;
}
