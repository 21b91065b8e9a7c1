// A peer without manners: a proper TLS connection over which it writes whatever a test wants, frame
// by frame or byte by byte. It grants no credit and answers nothing unless it is told to.

import { connect, type TLSSocket } from "node:tls";
import { decodeMessage, encodeMessage } from "../../src/protocol/codec/codec.js";
import { FrameDecoder, writeFrameHeader, type Frame } from "../../src/protocol/codec/frame.js";
import {
  FRAME_HEADER_BYTES,
  KINDS,
  MESSAGE_KINDS,
  PROTOCOL_VERSION,
  type HandshakeInfo,
  type Message,
  type MessageKind,
  type MessageOf,
} from "../../src/protocol/index.js";
import { parseAddress } from "../../src/protocol/address.js";
import { createIdentity, type Identity } from "../../src/transport/tls-identity.js";

export interface RawPeerOptions {
  /** `tcp://host:port` */
  readonly address: string;
  readonly identity: Identity;
  /** The source address, within 127.0.0.0/8. */
  readonly from?: { readonly localAddress: string; readonly localPort?: number };
  /** Keep the connection half open when the other side ends it. */
  readonly allowHalfOpen?: boolean;
}

export interface RawFrame {
  readonly code: number;
  readonly flags: number;
  readonly requestId?: number;
  readonly payload?: Uint8Array;
  /** The announced length, where it is not the payload's. */
  readonly length?: number;
}

/** The same identity for the same number. */
export function identityOf(number: number): Identity {
  const seed = new Uint8Array(32);
  new DataView(seed.buffer).setUint32(0, number);
  return createIdentity(seed);
}

const CAPABILITIES = [...new Set(MESSAGE_KINDS.flatMap((kind) => KINDS[kind].capability ?? []))];

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

/** The bytes of one frame, legal or not. */
export function frameBytes({ code, flags, requestId = 0, payload, length }: RawFrame): Uint8Array {
  const body = payload ?? new Uint8Array();
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, length ?? body.length);
  bytes[4] = code;
  bytes[5] = flags;
  view.setUint32(6, requestId);
  bytes.set(body, FRAME_HEADER_BYTES);
  return bytes;
}

/** A legal frame, or one fragment, of a kind. */
export function fragmentBytes(
  kind: MessageKind,
  payload: Uint8Array,
  { requestId = 0, more = false } = {},
): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + payload.length);
  writeFrameHeader(bytes, 0, { kind, requestId, payloadBytes: payload.length, more });
  bytes.set(payload, FRAME_HEADER_BYTES);
  return bytes;
}

export class RawPeer {
  readonly peerId: string;
  readonly socket: TLSSocket;
  /** Every whole message that came, in order. */
  readonly received: Message[] = [];
  /** The request id of each of them. */
  readonly requestIds: number[] = [];
  /** Resolves when the socket has closed. */
  readonly closed: Promise<void>;
  /** Rejects when the TLS handshake fails; safe to ignore. */
  readonly secured: Promise<void>;
  /** The other side has ended its half, or all is over. */
  ended = false;
  readonly #decoder = new FrameDecoder(MESSAGE_KINDS);
  readonly #fragments = new Map<string, Uint8Array[]>();
  readonly #waiting = new Set<() => void>();

  /** Begins to connect. */
  constructor({ address, identity, from, allowHalfOpen = false }: RawPeerOptions) {
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
    const ended = (): void => {
      this.ended = true;
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
      this.#decoder.push(chunk, (frame) => this.#take(frame));
    });
  }

  /** Resolves after the TLS handshake; nothing was sent over it. */
  static async connect(options: RawPeerOptions): Promise<RawPeer> {
    const peer = new RawPeer(options);
    await peer.secured;
    return peer;
  }

  /** One whole message in as few frames as there can be. */
  send(message: Message, requestId = 0): void {
    this.sendPayload(message.kind, encodeMessage(message), requestId);
  }

  sendPayload(kind: MessageKind, payload: Uint8Array, requestId = 0): void {
    const step = 65_536;
    for (let start = 0; start < payload.length; start += step) {
      const more = start + step < payload.length;
      const part = payload.subarray(start, start + step);
      this.sendBytes(fragmentBytes(kind, part, { requestId, more }));
    }
  }

  sendBytes(bytes: Uint8Array): void {
    this.socket.write(bytes);
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

  #take({ kind, lane, requestId, more, payload }: Frame): undefined {
    const parts = this.#fragments.get(lane) ?? [];
    parts.push(payload);
    this.#fragments.set(lane, parts);
    if (more) return;
    this.#fragments.delete(lane);
    const decoded = decodeMessage(kind, Buffer.concat(parts));
    if (!decoded.ok) throw new Error(`the node sent ${decoded.violation.detail}`);
    this.received.push(decoded.message);
    this.requestIds.push(requestId);
    this.#changed();
  }

  #changed(): void {
    for (const check of [...this.#waiting]) check();
  }
}
