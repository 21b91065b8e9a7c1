// A peer without manners at the wire: a proper TLS connection, on which the real session says and
// answers what is polite, once it was told to shake hands; anything else a test writes past it, frame
// by frame or byte by byte. Without a handshake it says and answers nothing.

import { connect, type TLSSocket } from "node:tls";
import {
  KINDS,
  MESSAGE_KINDS,
  PROTOCOL_VERSION,
  type HandshakeInfo,
  type Message,
  type MessageKind,
  type MessageOf,
} from "../../protocol/index.js";
import { LIMITS_CAPABILITY } from "../../protocol/kinds/base.js";
import { parseAddress } from "../../protocol/address.js";
import type { Outcome } from "../../protocol/session/session-types.js";
import { createIdentity, type Identity } from "../../transport/tls-identity.js";
import { payloadBytes } from "./frames.js";
import { RudeSession } from "./rude-session.js";

export interface RawPeerOptions {
  /** `tcp://host:port` */
  readonly address: string;
  readonly identity: Identity;
  /** The source address, within 127.0.0.0/8. */
  readonly from?: { readonly localAddress: string; readonly localPort?: number };
  /** Keep the connection half open when the other side ends it. */
  readonly allowHalfOpen?: boolean;
  /** Which messages stay in `received`; default: all. */
  readonly keeps?: (message: Message) => boolean;
}

/** The same identity for the same number. */
export function identityOf(number: number): Identity {
  const seed = new Uint8Array(32);
  new DataView(seed.buffer).setUint32(0, number);
  return createIdentity(seed);
}

/** It is told no limits: its session would keep to them. */
const CAPABILITIES = [
  ...new Set(MESSAGE_KINDS.flatMap((kind) => KINDS[kind].capability ?? [])),
].filter((name) => name !== LIMITS_CAPABILITY);

/** What an honest empty node would say of itself; `networkId` is the hash of the genesis block. */
export function handshakeInfo(
  networkId: string,
  changed: Partial<HandshakeInfo> = {},
): MessageOf<"Handshake"> {
  return {
    kind: "Handshake",
    protocolVersion: PROTOCOL_VERSION,
    networkId,
    agent: "raw-peer/1",
    nodeId: "",
    listenAddresses: [],
    head: { height: 0n, hash: networkId, totalDifficulty: 1n },
    capabilities: CAPABILITIES,
    quotas: [],
    ...changed,
  };
}

export class RawPeer {
  readonly peerId: string;
  readonly socket: TLSSocket;
  /** Resolves when the socket has closed. */
  readonly closed: Promise<void>;
  /** Rejects when the TLS handshake fails; safe to ignore. */
  readonly secured: Promise<void>;
  /** The other side has ended its half, or all is over. */
  ended = false;
  readonly #session: RudeSession;
  #isDeaf = false;
  readonly #waiting = new Set<() => void>();

  /** Begins to connect. */
  constructor({ address, identity, from, allowHalfOpen = false, keeps }: RawPeerOptions) {
    const { host, port } = parseAddress(address);
    const options = {
      host,
      port,
      key: identity.privateKeyPem,
      cert: identity.certificatePem,
      ALPNProtocols: ["vibecoin/1"],
      rejectUnauthorized: false,
      allowHalfOpen,
      ...from,
    };
    const socket = connect(options);
    this.socket = socket;
    this.peerId = identity.peerId;
    this.#session = new RudeSession({
      localId: identity.peerId,
      nowMs: () => performance.now(),
      write: (bytes) => void socket.write(bytes),
      keeps,
    });
    const ended = (): void => {
      this.ended = true;
      this.#session.ended();
      this.#changed();
    };
    this.closed = new Promise((resolve) => socket.once("close", () => resolve()));
    this.secured = new Promise((resolve, reject) => {
      socket.once("secureConnect", resolve).once("error", reject);
      socket.once("close", () => reject(new Error("closed before the handshake")));
    });
    this.secured.catch(() => undefined);
    socket
      .on("error", () => undefined)
      .on("close", ended)
      .on("end", ended);
    socket.on("data", (chunk: Buffer) => {
      this.#session.hear(chunk);
      if (!this.#isDeaf) this.#session.attend();
      this.#changed();
    });
  }

  /** Resolves after the TLS handshake; nothing was sent over it. */
  static async connect(options: RawPeerOptions): Promise<RawPeer> {
    const peer = new RawPeer(options);
    await peer.secured;
    return peer;
  }

  /** Every whole message that came, in order. */
  get received(): readonly Message[] {
    return this.#session.received;
  }

  /** The request id of each of them. */
  get requestIds(): readonly number[] {
    return this.#session.requestIds;
  }

  /** By its session, which the first Handshake begins: as credit allows, answers to what was asked. */
  send(message: Message, requestId = 0): void {
    this.#session.send(message, requestId);
  }

  /** Of what it sent: bytes that wait for credit. */
  get waitingBytes(): number {
    return this.#session.waitingBytes;
  }

  /** A request by its session; how it ended. */
  ask(request: Message): Promise<Outcome> {
    return this.#session.ask(request);
  }

  /** All that it sent so far was read when this is true; false: the other side has ended it. */
  async ping(): Promise<boolean> {
    return (await this.#session.ping()) !== undefined;
  }

  /** Its session hears nothing more: it grants no credit and answers no ping. The test hears all. */
  deafen(): void {
    this.#isDeaf = true;
  }

  /** A message past its session, due or not. */
  write(message: Message, requestId = 0): void {
    this.#session.write(message, requestId);
  }

  writePayload(kind: MessageKind, payload: Uint8Array, requestId = 0): void {
    this.#session.writeBytes(payloadBytes(kind, payload, requestId));
  }

  writeBytes(bytes: Uint8Array): void {
    this.#session.writeBytes(bytes);
  }

  /** The first message of this kind, past or to come; undefined when the other side ends first. */
  async message<K extends MessageKind>(kind: K): Promise<MessageOf<K> | undefined> {
    const find = () => this.received.find((message) => message.kind === kind);
    await this.until(() => find() !== undefined || this.ended);
    return find() as MessageOf<K> | undefined;
  }

  /** Resolves when this holds; looked at after each message and at the end. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!condition()) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
      check();
    });
  }

  /** Why the other side ended it: the Disconnect that came, once the socket has closed. */
  async farewell(): Promise<MessageOf<"Disconnect"> | undefined> {
    await this.closed;
    return this.received.find((message) => message.kind === "Disconnect");
  }

  destroy(): void {
    this.socket.destroy();
  }

  #changed(): void {
    for (const check of [...this.#waiting]) check();
  }
}
