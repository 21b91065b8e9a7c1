// What an attack may use: connections of its own from addresses of its own, time, and what is known
// of the node. It counts every connection, how long it lasted from the first blow on, and what the
// node said at its end.

import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from "node:tls";
import { parseAddress } from "../protocol/address.js";
import type { HandshakeInfo, Message, MessageOf } from "../protocol/index.js";
import type { Identity } from "../transport/tls-identity.js";
import { drillChain, type DrillBlock } from "./drill-chain.js";
import type { Pace } from "./pace.js";
import { handshakeInfo, identityOf, RawPeer } from "./wire/raw-peer.js";
import { RecordPeer } from "./wire/record-peer.js";

export interface FieldOptions {
  /** `tcp://host:port` of the node. */
  readonly address: string;
  /** `http://host:port` of the node. */
  readonly http: string;
  readonly networkId: string;
  readonly pace: Pace;
  /** Numbers of this attack, from which identities and addresses follow, are above it. */
  readonly from: number;
  /** Resolves when the attack is to end. */
  readonly over: Promise<void>;
}

/** What became of the connections of one attack. */
export interface FieldFigures {
  readonly connections: number;
  /** Of those that the node ended: milliseconds from the first blow to the end. */
  readonly livedMs: readonly number[];
  /** How many of them the node told each rule, or reason, as its last word. */
  readonly told: Readonly<Record<string, number>>;
  /** Of those that struck: open when the attack and its patience were over. */
  readonly left: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** What scripts say of themselves: sums by name. */
  readonly notes: Readonly<Record<string, number>>;
  /** What went wrong with the attack itself. */
  readonly faults: readonly string[];
}

interface Opened {
  readonly socket: Socket;
  /** Of the first blow, or of the connection. */
  fromMs: number;
  /** It has done what is to end it. */
  hasStruck: boolean;
}

const LIVED_KEPT = 10_000;
const FAULTS_KEPT = 5;
/** After an attempt that the node refused. */
const REFUSED_WAIT_MS = 10;

let chain: readonly DrillBlock[] | undefined;

export class Field {
  readonly options: FieldOptions;
  isOver = false;
  readonly #open = new Set<Opened>();
  readonly #livedMs: number[] = [];
  readonly #told: Record<string, number> = {};
  readonly #notes: Record<string, number> = {};
  readonly #faults: string[] = [];
  #connections = 0;
  #isFinished = false;
  #number: number;
  #sentBytes = 0;
  #receivedBytes = 0;

  constructor(options: FieldOptions) {
    this.options = options;
    this.#number = options.from;
    void options.over.then(() => (this.isOver = true));
  }

  /** The blocks that the honest peers had at the start. */
  get chain(): readonly DrillBlock[] {
    return (chain ??= drillChain());
  }

  /** The next number of this attack. */
  next(): number {
    return ++this.#number;
  }

  turn(): Promise<void> {
    return this.options.pace.turn();
  }

  note(name: string, count = 1): void {
    this.#notes[name] = (this.#notes[name] ?? 0) + count;
  }

  /** What the attack itself found wrong with the node, in words. */
  find(sentence: string): void {
    this.#fault(sentence);
  }

  get over(): Promise<void> {
    return this.options.over;
  }

  /** Workers that do this again and again until the attack is over; what the node refuses rejects. */
  async repeat(workers: number, work: () => Promise<void>): Promise<void> {
    const one = async (): Promise<void> => {
      while (!this.isOver) {
        await this.turn();
        try {
          await work();
        } catch (error) {
          if (!(error instanceof Refused)) this.#fault(error);
          await pause(REFUSED_WAIT_MS);
        }
      }
    };
    await Promise.all(Array.from({ length: workers }, one));
  }

  /** A TCP connection from this address. */
  tcp(localAddress: string): Socket {
    const { host, port } = this.#target;
    const socket = connectTcp({ host, port, localAddress });
    return this.#watch(socket.resume(), true);
  }

  /** A TLS connection with any credentials at all. */
  tls(localAddress: string, options: ConnectionOptions): TLSSocket {
    const { host, port } = this.#target;
    const common = { ALPNProtocols: ["vibecoin/1"], rejectUnauthorized: false };
    // Node's types do not know that options of TCP pass through.
    const all = { host, port, localAddress, ...common, ...options };
    const socket = connectTls(all);
    return this.#watch(socket.resume(), true);
  }

  /** A peer past TLS that has said nothing. Rejects with Refused. */
  async peer(options: PeerOptions = {}): Promise<RawPeer> {
    const { identity = identityOf(this.next()), from = spread(this.#number) } = options;
    const peer = new RawPeer({
      address: this.options.address,
      identity,
      from: { localAddress: from },
      // Replies by the megabyte must not fill the attacker's own memory.
      keeps: options.keeps ?? (({ kind }) => !kind.startsWith("Response")),
    });
    this.#watch(peer.socket);
    void peer.farewell().then((farewell) => this.#hear(farewell));
    await peer.secured.catch(() => {
      throw new Refused();
    });
    return peer;
  }

  /** A peer past its handshake. Rejects with Refused. */
  async join(options: PeerOptions = {}): Promise<RawPeer> {
    const peer = await this.peer(options);
    peer.send(handshakeInfo(this.options.networkId, { ...this.#head, ...options.info }));
    await peer.until(() => peer.ended || peer.received.some(({ kind }) => kind === "Handshake"));
    if (peer.ended) throw new Refused();
    return peer;
  }

  /** A peer that writes its own TLS records. Rejects with Refused. */
  async recordPeer(): Promise<RecordPeer> {
    const identity = identityOf(this.next());
    const { address } = this.options;
    const peer = await RecordPeer.connect({
      address,
      identity,
      localAddress: spread(this.#number),
    }).catch(() => {
      throw new Refused();
    });
    this.#watch(peer.raw);
    return peer;
  }

  /** From now on counts how long it takes until the node ends it. */
  strike(socket: Socket): void {
    for (const opened of this.#open)
      if (opened.socket === socket) opened.fromMs = performance.now();
  }

  /** Resolves when the node has ended this connection, or the attack is over. */
  async ended(socket: Socket): Promise<void> {
    if (socket.closed) return;
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    await Promise.race([closed, this.options.over]);
  }

  /** Resolves when the socket takes more, has closed, or the attack is over. */
  async drained(socket: Socket): Promise<void> {
    if (!socket.writableNeedDrain || socket.destroyed) return;
    let stop: () => void = () => undefined;
    const ready = new Promise<void>((resolve) => (stop = resolve));
    socket.once("drain", stop).once("close", stop);
    await Promise.race([ready, this.options.over]);
    socket.off("drain", stop).off("close", stop);
  }

  /** Waits so long for what is open to be ended, then ends it, and tells what became of all. */
  async finish(patienceMs: number): Promise<FieldFigures> {
    const deadlineMs = performance.now() + patienceMs;
    const struck = (): number => [...this.#open].filter(({ hasStruck }) => hasStruck).length;
    while (struck() > 0 && performance.now() < deadlineMs) await pause(REFUSED_WAIT_MS);
    const left = struck();
    const lived = [...this.#livedMs];
    for (const { socket } of this.#open) {
      this.#sentBytes += socket.bytesWritten;
      this.#receivedBytes += socket.bytesRead;
      socket.destroy();
    }
    this.#isFinished = true;
    return {
      connections: this.#connections,
      livedMs: lived,
      told: this.#told,
      left,
      sentBytes: this.#sentBytes,
      receivedBytes: this.#receivedBytes,
      notes: this.#notes,
      faults: this.#faults,
    };
  }

  get #target(): { host: string; port: number } {
    return parseAddress(this.options.address);
  }

  /** As honest peers claim. */
  get #head(): Partial<HandshakeInfo> {
    const { height, hash, totalDifficulty } = this.chain.at(-1)!.header;
    return { head: { height: BigInt(height), hash, totalDifficulty } };
  }

  #watch<S extends Socket>(socket: S, hasStruck = false): S {
    const opened: Opened = { socket, fromMs: performance.now(), hasStruck };
    this.#connections++;
    this.#open.add(opened);
    socket.on("error", () => undefined);
    socket.once("close", () => {
      this.#open.delete(opened);
      if (this.#isFinished) return;
      this.#sentBytes += socket.bytesWritten;
      this.#receivedBytes += socket.bytesRead;
      if (this.#livedMs.length < LIVED_KEPT) this.#livedMs.push(performance.now() - opened.fromMs);
    });
    return socket;
  }

  #hear(farewell: MessageOf<"Disconnect"> | undefined): void {
    if (farewell === undefined) return;
    const { reason, detail } = farewell;
    // Of a violation the rule comes first: `rule: text`.
    const why = reason === "ProtocolViolation" ? detail.split(":", 1)[0]! : reason;
    this.#told[why] = (this.#told[why] ?? 0) + 1;
  }

  #fault(error: unknown): void {
    if (this.#faults.length >= FAULTS_KEPT) return;
    this.#faults.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
}

export interface PeerOptions {
  readonly identity?: Identity;
  /** Default: a network of its own. */
  readonly from?: string;
  readonly info?: Partial<HandshakeInfo>;
  readonly keeps?: (message: Message) => boolean;
}

/** The node did not let it in. */
export class Refused extends Error {}

/** Another /24 for each number, of some 25,000. */
export function spread(number: number): string {
  return `127.${66 + (number % 100)}.${(number / 100) & 255}.1`;
}

/** Another address of one /24 for each number. */
export function oneGroup(number: number): string {
  return `127.66.0.${1 + (number % 254)}`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
