// Protocols that services bring: their own messages over the connections of the network.

import type { Breach } from "../types/breach.js";
import type { OwnProtocol } from "../types/own-protocol.js";
import type { PeerId } from "../types/peer-id.js";

/**
 * A service's own messages over the connections of the network. They are sent to peers that brought
 * the same protocol, and to nobody else. What a function throws, or a promise rejects with, is logged
 * and costs the message that it did so at.
 */
export interface ServiceProtocol extends OwnProtocol {
  /**
   * A message of a peer. The answer to a request is its body; undefined refuses it as not found.
   * While a promise is pending the peer waits, and so does its credit: it may have sent only so much
   * more by then. A request is refused as busy when the promise takes longer than
   * `requests.timeoutMaxMs`. Of what comes while `serve.ownOpenPerPeerMax` promises of a peer are
   * pending, requests are refused as busy and the rest is dropped, with a warning in the log.
   */
  onMessage(message: PeerMessage, link: ProtocolLink): ProtocolReply | Promise<ProtocolReply>;
  /** A peer with this protocol is connected. */
  onPeer?(peerId: PeerId, link: ProtocolLink): void | Promise<void>;
  onPeerGone?(peerId: PeerId, link: ProtocolLink): void | Promise<void>;
}

export interface PeerMessage {
  readonly peerId: PeerId;
  /** As the protocol names it. */
  readonly kind: string;
  /** A copy that the receiver owns. */
  readonly body: Uint8Array;
}

export type ProtocolReply = Uint8Array | undefined | void;

/**
 * What a service can do with the peers of its protocol. A kind that the protocol does not have, or a
 * body beyond its limits, throws a TypeError; a peer id that is none, ID_INVALID. When the network has ended, questions reject with
 * STOPPED and messages go nowhere.
 */
export interface ProtocolLink {
  /** To one peer, unless it is gone, reads too slowly, or was sent more than the kind's rate. */
  send(peerId: PeerId, kind: string, body: Uint8Array): void;
  /** The same to every peer that has the protocol. */
  broadcast(kind: string, body: Uint8Array): void;
  /** Ends in an answer, or in why there is none. */
  ask(peerId: PeerId, kind: string, body: Uint8Array): Promise<ProtocolAnswer>;
  /** Those that are connected and have the protocol. */
  peers(): Promise<readonly PeerId[]>;
  /**
   * Says that a peer, be it gone meanwhile, broke a rule of this protocol. The `rule` is a name of the
   * protocol's own (lower-case letters, digits and `-`, at most 32; anything else throws a TypeError);
   * it counts, is logged and shown as `chat/1/rule`. Of the detail 200 characters are kept.
   */
  report(peerId: PeerId, breach: Breach, severity?: Severity): void;
}

/**
 * `violation`, the default: as the ones of the wire, 50 points and the end of the connection.
 * `offence`: 10 points, and the connection goes on.
 */
export type Severity = "violation" | "offence";

export type ProtocolAnswer =
  | { readonly ok: true; readonly body: Uint8Array }
  | {
      readonly ok: false;
      /** NoPeer: not connected, or without the protocol. Closed: it went away meanwhile. */
      readonly reason: "NoPeer" | "NotFound" | "Busy" | "RateLimited" | "Timeout" | "Closed";
    };

/** A protocol and its way out, as the composition root joins them. */
export interface LinkedProtocol extends OwnProtocol {
  readonly service: ServiceProtocol;
  readonly link: ProtocolLink;
}
