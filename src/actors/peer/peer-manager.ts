// Admission policy of the peer table: who may take a slot. Pure, so that it can be tested and
// replaced without an actor. Closing connections hold no slot.

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
  | { readonly admit: true }
  /** Admitted in place of a connection to the same peer, which is to be closed. */
  | { readonly admit: true; readonly replaces: Slot }
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

  let taken = 0;
  let sameGroup = 0;
  let existing: Slot | undefined;
  const group = groupOf(candidate, limits);
  for (const slot of view.slots) {
    if (slot.peerId === candidate.peerId) {
      existing = slot;
      continue;
    }
    if (view.trusted.has(slot.peerId) || slot.direction !== candidate.direction) continue;
    taken++;
    if (group !== undefined && groupOf(slot, limits) === group) sameGroup++;
  }
  if (existing !== undefined) {
    const keep = keepConnection(
      view.self,
      candidate.peerId,
      existing.direction,
      candidate.direction,
    );
    if (keep === "existing") return refuse("DuplicateConnection", "already connected");
  }
  const admitted = {
    admit: true,
    ...(existing === undefined ? {} : { replaces: existing }),
  } as const;
  if (trusted) return admitted;
  // One that replaces a connection of the other direction needs a slot too: peers that we dialed
  // could otherwise dial back one by one, each into a slot that is not there.
  const slotsMax = candidate.direction === "inbound" ? limits.maxInbound : limits.maxOutbound;
  if (taken >= slotsMax) return refuse("TooManyConnections", `all ${slotsMax} slots are taken`);
  if (candidate.direction === "inbound" && sameGroup >= limits.perGroupMax) {
    return refuse("TooManyConnections", `${sameGroup} peers of this address group are connected`);
  }
  return admitted;
}

function refuse(reason: DisconnectReason, detail: string): Admission {
  return { admit: false, reason, detail };
}

/** The /24 or /48 of a slot, or undefined when it is exempt or has no such notion. */
function groupOf(slot: Slot, limits: AdmissionLimits): string | undefined {
  const { host } = slot.remote;
  return limits.exemptLocal && isLocalHost(host) ? undefined : hostGroup(host);
}
