// A connection without a socket, and the peer at its other end: it writes and reads real frames, so
// that a test of the peer handler is a conversation.

import { decodeMessage, encodeMessage } from "../../src/protocol/codec/codec.js";
import { FrameDecoder } from "../../src/protocol/codec/frame.js";
import { ReceiveLanes } from "../../src/protocol/codec/receive-lanes.js";
import { SendLanes } from "../../src/protocol/codec/send-lanes.js";
import { PROTOCOL_VERSION } from "../../src/protocol/handshake.js";
import {
  KINDS,
  MESSAGE_KINDS,
  WINDOW_BYTES_MAX,
  type Lane,
  type Message,
  type MessageKind,
  type MessageOf,
} from "../../src/protocol/types/message.js";
import type { HandshakeInfo } from "../../src/protocol/types/node-info.js";
import type { Endpoint } from "../../src/protocol/address.js";
import type { Connection, ConnectionHandler, Direction } from "../../src/ports.js";
import { genesis, peerIdOf } from "./support.js";

export interface FakeConnectionOptions {
  readonly peerId?: string;
  readonly direction?: Direction;
  /** Of the other end. */
  readonly host?: string;
  readonly openedAtMs?: number;
  /** Runs what a real socket would report later. */
  readonly post?: (fn: () => void) => void;
}

export class FakeConnection implements Connection {
  readonly peerId: string;
  readonly direction: Direction;
  readonly remote: Endpoint;
  readonly local: Endpoint = { scheme: "tcp", host: "127.0.0.1", port: 8765 };
  readonly openedAtMs: number;
  readonly bufferedBytes = 0;
  readonly written: Uint8Array[] = [];
  /** `write` answers false while this is set. */
  full = false;
  paused = false;
  closing = false;
  destroyed = false;
  #handler: ConnectionHandler | undefined;
  #ended = false;
  /** What came before anybody listened. */
  readonly #early: Uint8Array[] = [];
  readonly #post: ((fn: () => void) => void) | undefined;

  constructor(options: FakeConnectionOptions = {}) {
    this.peerId = options.peerId ?? peerIdOf(1);
    this.direction = options.direction ?? "inbound";
    this.remote = { scheme: "tcp", host: options.host ?? "127.0.0.1", port: 5_000 };
    this.openedAtMs = options.openedAtMs ?? 0;
    this.#post = options.post;
  }

  open(handler: ConnectionHandler): void {
    if (this.#handler !== undefined) throw new Error("opened twice");
    this.#handler = handler;
    for (const chunk of this.#early.splice(0)) handler.onData(chunk);
  }

  write(chunk: Uint8Array): boolean {
    if (this.closing || this.destroyed) throw new Error("written after its end");
    this.written.push(chunk);
    return !this.full;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  close(): void {
    this.closing = true;
    this.#post?.(() => this.end());
  }

  destroy(): void {
    this.destroyed = true;
    this.#post?.(() => this.end());
  }

  // ---- what the network does to it

  receive(chunk: Uint8Array): void {
    if (this.#ended) return;
    if (this.#handler === undefined) this.#early.push(chunk);
    else this.#handler.onData(chunk);
  }

  drain(): void {
    this.full = false;
    this.#handler?.onDrain();
  }

  end(error?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#handler?.onClose(error);
  }
}

export interface Heard<K extends MessageKind = MessageKind> {
  readonly message: MessageOf<K>;
  readonly requestId: number;
}

const WINDOW = { windowBytesInitial: WINDOW_BYTES_MAX, windowBytesMax: WINDOW_BYTES_MAX };

/** What a peer says of itself in these tests. */
export function handshakeOf(overrides: Partial<HandshakeInfo> = {}): HandshakeInfo {
  return {
    protocolVersion: PROTOCOL_VERSION,
    networkId: genesis.header.hash,
    agent: "remote/1",
    nodeId: "remote",
    listenAddresses: [],
    head: { height: 0n, hash: genesis.header.hash, totalDifficulty: 16n },
    capabilities: ["blocks/1", "sync/1", "transactions/1"],
    quotas: [],
    ...overrides,
  };
}

export class RemotePeer {
  readonly connection: FakeConnection;
  readonly #decoder = new FrameDecoder(MESSAGE_KINDS);
  readonly #incoming = new ReceiveLanes(WINDOW);
  readonly #outgoing = new SendLanes(WINDOW);
  #heard: Heard[] = [];

  constructor(connection: FakeConnection) {
    this.connection = connection;
  }

  handshake(overrides: Partial<HandshakeInfo> = {}): void {
    this.send({ kind: "Handshake", ...handshakeOf(overrides) });
  }

  /** Sends it in chunks of at most 128 KiB. */
  send(message: Message, requestId = 0): void {
    for (const chunk of this.bytesOf(message, requestId)) this.connection.receive(chunk);
  }

  bytesOf(message: Message, requestId = 0): Uint8Array[] {
    const { lane } = KINDS[message.kind];
    if (lane !== "control") {
      const spent = WINDOW_BYTES_MAX - this.#outgoing.creditBytes(lane);
      if (spent > 0) this.#outgoing.grant(lane, spent);
    }
    this.#outgoing.enqueue(message.kind, requestId, encodeMessage(message).slice());
    const chunks: Uint8Array[] = [];
    for (let chunk = this.#outgoing.pull(131_072); chunk !== undefined;) {
      chunks.push(chunk);
      chunk = this.#outgoing.pull(131_072);
    }
    return chunks;
  }

  grant(lane: Lane, bytes: number): void {
    this.send({ kind: "WindowUpdate", lane, bytes });
  }

  /** Every message that it was sent and not looked at yet, in order. */
  heard(): Heard[] {
    this.#read();
    return this.#heard.splice(0);
  }

  /** The messages of this kind alone; the others can be looked at later. */
  heardOf<K extends MessageKind>(kind: K): Heard<K>[] {
    this.#read();
    const found = this.#heard.filter(({ message }) => message.kind === kind);
    this.#heard = this.#heard.filter(({ message }) => message.kind !== kind);
    return found as unknown as Heard<K>[];
  }

  /** Sends back what was pinged. */
  pong(): void {
    for (const { message } of this.heardOf("Ping"))
      this.send({ kind: "Pong", nonce: message.nonce });
  }

  #read(): void {
    for (const chunk of this.connection.written.splice(0)) {
      const broken = this.#decoder.push(chunk, (frame) =>
        this.#incoming.accept(frame, ({ kind, payload, requestId, lane, creditBytes }) => {
          this.#incoming.consumed(lane, creditBytes, 0);
          const decoded = decodeMessage(kind, payload);
          if (!decoded.ok) return decoded.violation;
          this.#heard.push({ message: decoded.message, requestId });
          return undefined;
        }),
      );
      if (broken !== undefined) throw new Error(`${broken.rule}: ${broken.detail}`);
    }
  }
}
