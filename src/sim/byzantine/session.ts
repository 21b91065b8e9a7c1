// One connection of a byzantine node: the real frames, lanes and credit on a simulated link. It
// keeps the protocol's accounts, so that a script breaks just the rule that it means to break.

import type { Clock, Connection, PeerId } from "../../ports.js";
import { decodeMessage, encodeMessage } from "../../protocol/codec/codec.js";
import { FrameDecoder } from "../../protocol/codec/frame.js";
import { ReceiveLanes, type ReceivedMessage } from "../../protocol/codec/receive-lanes.js";
import { SendLanes } from "../../protocol/codec/send-lanes.js";
import {
  KINDS,
  MESSAGE_KINDS,
  WINDOW_BYTES_MAX,
  type DisconnectReason,
  type Message,
} from "../../protocol/types/message.js";
import type { HandshakeInfo } from "../../protocol/types/node-info.js";
import type { Violation } from "../../protocol/violation.js";
import { answerTo, type Served } from "./chain-view.js";

export interface SessionParts {
  readonly connection: Connection;
  readonly clock: Clock;
  /** What both ends start with. */
  readonly windowBytes: number;
  /** Absent: it says nothing. */
  readonly info: HandshakeInfo | undefined;
  readonly onReady: (session: Session) => void;
  readonly onMessage: (session: Session, message: Message, requestId: number) => void;
  /** The other side, which is honest, broke a rule of the wire. */
  readonly onBroken: (session: Session, broken: Violation) => void;
  /** Once. `reason`: what the other side said, if it did. */
  readonly onClosed: (session: Session, reason: DisconnectReason | undefined) => void;
}

const WRITE_BYTES = 128 * 1024;

export class Session {
  /** Of the honest node. */
  readonly peerId: PeerId;
  readonly #parts: SessionParts;
  readonly #decoder = new FrameDecoder(MESSAGE_KINDS);
  readonly #receive: ReceiveLanes;
  readonly #send: SendLanes;
  #phase: "handshaking" | "ready" | "closed" = "handshaking";
  #readsNothing = false;
  #blocked = false;
  #requestId = 0;
  #reason: DisconnectReason | undefined;

  /** Opens the connection and says hello. */
  constructor(parts: SessionParts) {
    const window = { windowBytesInitial: parts.windowBytes, windowBytesMax: WINDOW_BYTES_MAX };
    this.#parts = parts;
    this.#receive = new ReceiveLanes(window);
    this.#send = new SendLanes(window);
    this.peerId = parts.connection.peerId;
    parts.connection.open({
      onData: (chunk) => this.#read(chunk),
      onDrain: () => {
        this.#blocked = false;
        this.#flush();
      },
      onClose: () => this.#ended(),
    });
    if (parts.info !== undefined) this.send({ kind: "Handshake", ...parts.info });
  }

  get ready(): boolean {
    return this.#phase === "ready";
  }

  /** Within the credit that the other side granted: what exceeds it waits. */
  send(message: Message, requestId = 0): void {
    if (this.#phase === "closed") return;
    this.#send.enqueue(message.kind, requestId, encodeMessage(message));
    this.#flush();
  }

  /** A request under a fresh id, which it answers. */
  ask(message: Message): number {
    this.send(message, ++this.#requestId);
    return this.#requestId;
  }

  /** Answers a request as an honest node with this chain does. No request: nothing. */
  answer(message: Message, requestId: number, chain: Served): void {
    const answer = answerTo(message, chain);
    if (answer !== undefined) this.send(answer, requestId);
  }

  /** Past all accounts: any bytes at all. */
  sendBytes(bytes: Uint8Array): void {
    if (this.#phase !== "closed") this.#parts.connection.write(bytes);
  }

  /** Bytes that wait for credit. */
  get waitingBytes(): number {
    return this.#send.queuedBytes("transaction") + this.#send.queuedBytes("block");
  }

  /** From now on nothing is taken from the link and no credit is given back. */
  readNothing(): void {
    this.#readsNothing = true;
    this.#parts.connection.pause();
  }

  close(): void {
    this.#parts.connection.close();
  }

  #read(chunk: Uint8Array): void {
    if (this.#phase === "closed" || this.#readsNothing) return;
    const broken = this.#decoder.push(chunk, (frame) =>
      this.#receive.accept(frame, (received) => this.#received(received)),
    );
    if (broken !== undefined) this.#parts.onBroken(this, broken);
    for (const update of this.#receive.updates(this.#nowMs)) this.send(update);
  }

  #received({
    kind,
    lane,
    requestId,
    payload,
    creditBytes,
  }: ReceivedMessage): Violation | undefined {
    const decoded = decodeMessage(kind, payload);
    if (!decoded.ok) return decoded.violation;
    this.#handle(decoded.message, requestId);
    if (this.#readsNothing) return undefined;
    const update = this.#receive.consumed(lane, creditBytes, this.#nowMs);
    if (update !== undefined) this.send(update);
    return undefined;
  }

  #handle(message: Message, requestId: number): void {
    switch (message.kind) {
      case "Handshake":
        this.#phase = "ready";
        this.#parts.onReady(this);
        return;
      case "Disconnect":
        this.#reason = message.reason;
        this.#parts.connection.close();
        return;
      case "Ping":
        this.send({ kind: "Pong", nonce: message.nonce });
        return;
      case "WindowUpdate":
        this.#send.grant(message.lane, message.bytes);
        this.#flush();
        return;
      default:
        this.#parts.onMessage(
          this,
          message,
          KINDS[message.kind].role === "request" ? requestId : 0,
        );
    }
  }

  #flush(): void {
    while (!this.#blocked && this.#phase !== "closed") {
      const chunk = this.#send.pull(WRITE_BYTES);
      if (chunk === undefined) return;
      this.#blocked = !this.#parts.connection.write(chunk);
    }
  }

  #ended(): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    this.#parts.onClosed(this, this.#reason);
  }

  get #nowMs(): number {
    return this.#parts.clock.monotonicMs();
  }
}
