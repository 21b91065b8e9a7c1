// Admission policy of the peer table: who may take a slot. It manages nobody: the registry asks it
// and acts. Pure, so that it can be tested and replaced without an actor. Closing connections hold
// no slot.

import type { DisconnectReason } from "../../protocol/types/message.js";
import { keepConnection } from "../../protocol/handshake.js";
import { hostGroup, isLocalHost } from "../../protocol/address.js";
import type { Direction, PeerId } from "../../ports.js";

/** What the policy needs to know of a connection. */
export interface Slot {
  readonly peerId: PeerId;
  readonly direction: Direction;
  /** Of the other end, as the transport names it. */
  readonly remote: { readonly host: string };
}

export interface AdmissionLimits {
  readonly maxInbound: number;
  readonly maxOutbound: number;
  readonly perGroupMax: number;
  readonly exemptLocal: boolean;
}

export type Admission =
  /** In place of the connections to the same peer, each of which goes when it gets as far. */
  | { readonly admit: true }
  | { readonly admit: false; readonly reason: DisconnectReason; readonly detail: string };

export interface AdmissionView {
  readonly self: PeerId;
  readonly trusted: ReadonlySet<PeerId>;
  isBanned(peerId: PeerId): boolean;
  /** Open connections, handshaking or ready. */
  readonly slots: Iterable<Slot>;
}

/** Decides on a new authenticated connection. Trusted peers are extra to the slots. */
export function admit(candidate: Slot, view: AdmissionView, limits: AdmissionLimits): Admission {
  if (candidate.peerId === view.self) return refuse("SelfConnection", "this is our own node");
  const trusted = view.trusted.has(candidate.peerId);
  if (!trusted && view.isBanned(candidate.peerId)) return refuse("Banned", "this peer is banned");

  // By peer: one that is about to replace its own connection has two and counts once.
  const taken = new Set<PeerId>();
  const sameGroup = new Set<PeerId>();
  const group = groupOf(candidate, limits);
  for (const slot of view.slots) {
    const { peerId, direction } = slot;
    if (peerId === candidate.peerId) {
      const keep = keepConnection(view.self, peerId, direction, candidate.direction);
      if (keep === "existing") return refuse("DuplicateConnection", "already connected");
      continue;
    }
    if (view.trusted.has(peerId) || direction !== candidate.direction) continue;
    taken.add(peerId);
    if (group !== undefined && groupOf(slot, limits) === group) sameGroup.add(peerId);
  }
  if (trusted) return { admit: true };
  // One that replaces a connection of the other direction needs a slot too: peers that we dialed
  // could otherwise dial back one by one, each into a slot that is not there.
  const slotsMax = candidate.direction === "inbound" ? limits.maxInbound : limits.maxOutbound;
  if (taken.size >= slotsMax)
    return refuse("TooManyConnections", `all ${slotsMax} slots are taken`);
  if (candidate.direction === "inbound" && sameGroup.size >= limits.perGroupMax) {
    return refuse(
      "TooManyConnections",
      `${sameGroup.size} peers of this address group are connected`,
    );
  }
  return { admit: true };
}

function refuse(reason: DisconnectReason, detail: string): Admission {
  return { admit: false, reason, detail };
}

/** The /24 or /48 of a slot, or undefined when it is exempt or has no such notion. */
function groupOf(slot: Slot, limits: AdmissionLimits): string | undefined {
  const { host } = slot.remote;
  return limits.exemptLocal && isLocalHost(host) ? undefined : hostGroup(host);
}
