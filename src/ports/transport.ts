// Connections to peers: what an adapter gives of each, and how they come about.

import type { Breach } from "../types/breach.js";
import type { Endpoint } from "../types/endpoint.js";
import type { PeerId } from "../types/peer-id.js";

export type Direction = "inbound" | "outbound";

/** Why a transport refused or ended a connection before it reached an actor. */
export type RefusalRule =
  | "pending-limit"
  | "address-rate"
  | "handshake-timeout"
  | "tls-failed"
  | "no-certificate"
  | "certificate-key-type"
  | "small-order-key"
  | "alpn"
  | "session-reused"
  /** More bytes than a handshake needs. */
  | "handshake-size"
  /** Too many TLS records without data. */
  | "tls-records"
  /** Nothing of the peer's: a fault of this node's own while it let the connection in. */
  | "own-fault";

/** What ended a connection, or refused one, below the frames. */
export interface TransportBreach extends Breach {
  readonly rule: RefusalRule;
}

/** What a connection reports. Handlers are called from the event loop, never re-entrantly. */
export interface ConnectionHandler {
  /** `chunk` belongs to the receiver, who may keep it: its ArrayBuffer is its own. */
  onData(chunk: Uint8Array): void;
  /** After a `write` that returned false: it may write again. */
  onDrain(): void;
  /** Exactly once, last. `error` is absent for an orderly end; `breach`: the peer's fault. */
  onClose(error?: Error, breach?: TransportBreach): void;
}

/** An authenticated, encrypted byte stream to one peer, ordered and reliable. */
export interface Connection {
  readonly peerId: PeerId;
  readonly direction: Direction;
  /** This end and the other as seen by this side; a host is whatever the transport calls it. */
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** Monotonic time at which the raw connection was accepted or dialed. */
  readonly openedAtMs: number;
  /** Bytes written but not yet taken by the kernel. */
  readonly bufferedBytes: number;
  /** Attaches the handler and starts reading; called once. */
  open(handler: ConnectionHandler): void;
  /**
   * Takes ownership of `chunk`; gives it back by `onTaken` when nothing of it is needed any more,
   * or never when the connection ends before. False: the buffer is over its mark, wait for onDrain.
   */
  write(chunk: Uint8Array, onTaken?: () => void): boolean;
  pause(): void;
  resume(): void;
  /** Sends what is buffered, then ends; destroyed after a bounded wait. */
  close(): void;
  destroy(): void;
}

/** `remote`: where it came from, as far as the transport knows. */
export interface Refusal extends TransportBreach {
  readonly remote: Endpoint;
}

export interface ListenHandler {
  onConnection(connection: Connection): void;
  /** A raw connection that broke a rule before it became a Connection. */
  onRefused(refusal: Refusal): void;
}

export interface TransportListener {
  /** Where it is bound, with the real port. */
  readonly endpoint: Endpoint;
  /** Stops accepting; established connections stay. */
  close(): Promise<void>;
}

export interface DialOptions {
  readonly timeoutMs: number;
}

/** What a transport holds of memory: bytes that were written to connections and not sent. */
export interface TransportHeld {
  readonly openBytes: number;
  /** Of those that have ended. */
  readonly closingBytes: number;
  /** Connections whose handshake goes on. */
  readonly pendingInbound: number;
}

export interface Transport {
  /** Without the colon: `tcp`, `memory`. */
  readonly scheme: string;
  /** Rejects with ADDRESS_IN_USE or ADDRESS_INVALID. */
  listen(endpoint: Endpoint, handler: ListenHandler): Promise<TransportListener>;
  /**
   * Whoever is there, or only the peer that the endpoint pins. Rejects with DIAL_FAILED, its message
   * naming the address and the rule, or with ADDRESS_INVALID.
   */
  dial(endpoint: Endpoint, options: DialOptions): Promise<Connection>;
  /** Absent: nothing that counts. */
  held?(): TransportHeld;
  close(): Promise<void>;
}
