// What two nodes agree on before they exchange anything else, and which of two connections between
// them stays. Pure; used by the peer handler (negotiate) and the registry (keepConnection).

import { MESSAGE_KINDS, ruleOf } from "./types/message.js";
import type { DisconnectReason, MessageKind } from "./types/message.js";
import type { HandshakeInfo } from "./types/node-info.js";

/** Raised only when frames or the handshake change; new kinds come by capability. */
export const PROTOCOL_VERSION = 1;

/** Brings no kind: with it a Ping's nonce tells its sender's clock. */
export const TIME_CAPABILITY = "time/1";

/** What may come before the remote handshake was accepted. */
export const KINDS_BEFORE_HANDSHAKE: readonly MessageKind[] = MESSAGE_KINDS.filter(
  (kind) => ruleOf(kind).phase !== undefined,
);

export type Negotiated =
  | {
      readonly ok: true;
      /** What both sides offer. */
      readonly capabilities: ReadonlySet<string>;
      /** What either side may send from now on; a second Handshake is not among it. */
      readonly kinds: ReadonlySet<MessageKind>;
    }
  | { readonly ok: false; readonly reason: DisconnectReason; readonly detail: string };

/** Judges the remote handshake. `remotePeerId` is the id that its certificate proved. */
export function negotiate(
  local: HandshakeInfo & { readonly peerId: string },
  remote: HandshakeInfo,
  remotePeerId: string,
): Negotiated {
  if (remotePeerId === local.peerId) {
    return { ok: false, reason: "SelfConnection", detail: "connected to itself" };
  }
  if (remote.protocolVersion !== local.protocolVersion) {
    const detail = `protocol version ${remote.protocolVersion}, expected ${local.protocolVersion}`;
    return { ok: false, reason: "IncompatibleVersion", detail };
  }
  if (remote.networkId !== local.networkId) {
    const detail = `network ${remote.networkId}, expected ${local.networkId}`;
    return { ok: false, reason: "WrongNetwork", detail };
  }
  const offered = new Set(remote.capabilities);
  const capabilities = new Set(local.capabilities.filter((name) => offered.has(name)));
  const kinds = new Set(MESSAGE_KINDS.filter((kind) => isNegotiated(kind, capabilities)));
  return { ok: true, capabilities, kinds };
}

function isNegotiated(kind: MessageKind, capabilities: ReadonlySet<string>): boolean {
  const { capability, phase } = ruleOf(kind);
  return phase !== "handshake" && (capability === undefined || capabilities.has(capability));
}

type Direction = "inbound" | "outbound";

/**
 * Which of two connections to the same peer stays. In opposite directions both sides keep the one
 * that the smaller id dialed, without a word; in the same direction the newer, so that a restarted
 * peer is not locked out by its half-open past. Directions are as this side sees them.
 */
export function keepConnection(
  localId: string,
  remoteId: string,
  existingDirection: Direction,
  newDirection: Direction,
): "existing" | "new" {
  if (existingDirection === newDirection) return "new";
  const kept = localId < remoteId ? "outbound" : "inbound";
  return newDirection === kept ? "new" : "existing";
}
