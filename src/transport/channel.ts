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

export interface Channel<Raw extends RawStream> {
  /** Takes the stream over. */
  secure(raw: Raw, securing: Securing): Held;
}
