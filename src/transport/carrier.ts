// What carries bytes between two endpoints, and knows nothing of who is at them: TCP, a pipe in
// memory, later WebSocket or a hole-punched stream. With a channel (channel.ts) it makes a transport
// (paired-transport.ts), which holds what it carries to every limit.

import type { Duplex } from "node:stream";

import type { Direction, TransportListener } from "../ports.js";
import type { Endpoint } from "../protocol/address.js";

/** Ordered, reliable bytes of nobody yet. */
export interface RawStream {
  readonly direction: Direction;
  readonly local: Endpoint;
  /** Where it came from, or what was dialed, by the name that was dialed and without its pin. */
  readonly remote: Endpoint;
  /** Monotonic time at which it was accepted, or its dial began. */
  readonly openedAtMs: number;
  /** Ends it before any channel took it over, and keeps nothing of it: of TCP it is a reset. */
  refuse(): void;
}

/**
 * Bytes as node's streams move them. Each chunk that is read has an ArrayBuffer of its own, which its
 * reader may free; half of it may end before the other.
 */
export interface RawDuplex extends RawStream {
  readonly duplex: Duplex;
}

export interface CarrierListener<Raw> {
  readonly onStream: (raw: Raw) => void;
  /** A stream could not even be accepted. */
  readonly onLost: (detail: string) => void;
}

/** Exactly one of these is called, once, unless the opening is cancelled before. */
export interface Opening<Raw> {
  readonly onOpened: (raw: Raw) => void;
  /** `reason` completes the sentence "Cannot dial …: …". */
  readonly onFailed: (reason: string, cause?: Error) => void;
}

export interface Carrier<Raw extends RawStream> {
  /** Without the colon. */
  readonly scheme: string;
  /** Rejects with ADDRESS_IN_USE or ADDRESS_INVALID. Streams outlive what they came in by. */
  bind(endpoint: Endpoint, listener: CarrierListener<Raw>): Promise<TransportListener>;
  /** Begins; answers how to end it. Its time is bounded by who calls. */
  open(endpoint: Endpoint, opening: Opening<Raw>): { cancel(): void };
}
