// A connection without a socket, and the peer at its other end: it writes and reads real frames, so
// that a test of the peer handler is a conversation. It shakes hands and answers pings by the real
// session, which hears and says nothing until the test lets it. Each other message is written past
// the session, because its time, its id and its credit are what these tests choose.

import { WRITE_BYTES } from "../../src/protocol/session/outbox.js";
import { PROTOCOL_VERSION } from "../../src/protocol/handshake.js";
import type { Lane, Message, MessageKind, MessageOf } from "../../src/protocol/types/message.js";
import type { HandshakeInfo } from "../../src/protocol/types/node-info.js";
import type { Endpoint } from "../../src/protocol/address.js";
import type { Connection, ConnectionHandler, Direction } from "../../src/ports.js";
import { messageBytes } from "../support/frames.js";
import { RudeSession } from "../support/rude-session.js";
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
  readonly #session: RudeSession;
  #hasShaken = false;
  #heard: Heard[] = [];

  constructor(connection: FakeConnection) {
    this.connection = connection;
    this.#session = new RudeSession({
      localId: connection.peerId,
      nowMs: () => 0,
      write: (bytes) => connection.receive(bytes),
    });
  }

  /** By its session; a second one past it. */
  handshake(overrides: Partial<HandshakeInfo> = {}): void {
    const message = { kind: "Handshake", ...handshakeOf(overrides) } as const;
    if (this.#hasShaken) this.send(message);
    else this.#session.send(message);
    this.#hasShaken = true;
  }

  /** Past its session, in chunks of at most two frames. */
  send(message: Message, requestId = 0): void {
    for (const chunk of this.bytesOf(message, requestId)) this.#session.writeBytes(chunk);
  }

  bytesOf(message: Message, requestId = 0): Uint8Array[] {
    const bytes = messageBytes(message, requestId);
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += WRITE_BYTES) {
      chunks.push(bytes.slice(at, at + WRITE_BYTES));
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

  /** Its session hears what came, and answers the pings in it. */
  pong(): void {
    this.heardOf("Ping");
    this.#session.attend();
  }

  #read(): void {
    const { received, requestIds } = this.#session;
    for (const chunk of this.connection.written.splice(0)) {
      const from = received.length;
      this.#session.hear(chunk);
      for (let at = from; at < received.length; at++) {
        this.#heard.push({ message: received[at]!, requestId: requestIds[at]! });
      }
    }
  }
}
