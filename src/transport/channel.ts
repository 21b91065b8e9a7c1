// What proves who is at the other end of a raw stream and keeps its bytes from others: TLS 1.3 over
// node's streams, the name that is claimed over memory, later Noise. The seam is here because TLS
// owns the stream that it secures: a channel takes a raw stream whole and gives a Connection.

import type { Connection, TransportBreach } from "../ports.js";
import type { RawStream } from "./carrier.js";

/** Who had a stream secured, and is told what became of it. */
export interface Securing {
  /**
   * Asked before the channel works on raw bytes of the other side, for all of them until it is
   * secured. An answer is the rule that they break: the channel ends the stream, and refuses it so.
   */
  readonly spend: (bytes: number) => TransportBreach | undefined;
  /** One of these two at most, once; what comes after the stream was destroyed is not heard. */
  readonly onSecured: (connection: Connection) => void;
  readonly onRefused: (breach: TransportBreach) => void;
  /** Last, once, whatever came before: nothing of the stream is left. */
  readonly onClosed: () => void;
}

/** A stream in the hands of a channel. */
export interface Held {
  /** Ends it at once, at any time. */
  destroy(): void;
  /** What was written to it and not sent, `ended` when nothing more is written. Absent: nothing that counts. */
  unsent?(): { readonly bytes: number; readonly ended: boolean };
}

/** Who waits for what a peer says first. */
export interface Knocking {
  /** One of these two at most, once; what comes after the stream was destroyed is not heard. */
  readonly onKnocked: () => void;
  readonly onRefused: (breach: TransportBreach) => void;
  /** Last, unless it was released before: nothing of the stream is left. */
  readonly onClosed: () => void;
}

/** A stream that is watched, and nothing more. */
export interface Watched {
  /** Ends it at once. */
  destroy(): void;
  /** It is watched no longer: the channel takes it over. */
  release(): void;
}

export interface Channel<Raw extends RawStream> {
  /**
   * Watches an inbound stream until the other side has said what a peer says first, in no more than
   * so many bytes, so that who does not makes next to no work. Nothing that came is lost to `secure`.
   * Absent: there is nothing to wait for.
   */
  watch?(raw: Raw, bytesMax: number, knocking: Knocking): Watched;
  /** Takes the stream over. */
  secure(raw: Raw, securing: Securing): Held;
}
