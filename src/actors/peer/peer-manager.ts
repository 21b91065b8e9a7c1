// Admission policy of the peer table: who may take a slot. It manages nobody: the registry asks it
// and acts. Pure, so that it can be tested and replaced without an actor. Closing connections hold
// no slot.

import type { DisconnectReason } from "../../protocol/types/message.js";
import { keepConnection } from "../../protocol/handshake.js";
import type { Direction, PeerId } from "../../ports.js";
import { selectEvicted, type Merits, type Origin, type Seated } from "./eviction.js";

/** What the policy needs to know of a connection. */
export interface Slot {
  readonly peerId: PeerId;
  readonly direction: Direction;
  /** Of the other end, as the transport names it. */
  readonly remote: { readonly host: string };
}

export interface PlacedSlot extends Slot {
  /** By its remote host, looked up once. */
  readonly origin: Origin;
}

export interface AdmissionLimits {
  readonly maxInbound: number;
  readonly maxOutbound: number;
  readonly perGroupMax: number;
  readonly exemptLocal: boolean;
  readonly protectedEachMax: number;
}

export type Admission =
  /** In place of the connections to the same peer, each of which goes when it gets as far. */
  | {
      readonly admit: true;
      /** This peer gives its inbound slot up for it. */
      readonly evicted?: PeerId;
    }
  | { readonly admit: false; readonly reason: DisconnectReason; readonly detail: string };

export interface AdmissionView<S extends PlacedSlot = PlacedSlot> {
  readonly self: PeerId;
  readonly trusted: ReadonlySet<PeerId>;
  isBanned(peerId: PeerId): boolean;
  isOnProbation(peerId: PeerId): boolean;
  /** Open connections, handshaking or ready, in order of arrival. */
  readonly slots: Iterable<S>;
  meritsOf(slot: S): Merits;
}

/** Decides on a new authenticated connection. Trusted peers are extra to the slots. */
export function admit<S extends PlacedSlot>(
  candidate: PlacedSlot,
  view: AdmissionView<S>,
  limits: AdmissionLimits,
): Admission {
  if (candidate.peerId === view.self) return refuse("SelfConnection", "this is our own node");
  const trusted = view.trusted.has(candidate.peerId);
  if (!trusted && view.isBanned(candidate.peerId)) return refuse("Banned", "this peer is banned");

  // By peer: one that is about to replace its own connection has two and counts once.
  const taken = new Map<PeerId, S>();
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
    // Of its two the one that is ready came first.
    if (!taken.has(peerId)) taken.set(peerId, slot);
    if (group !== undefined && groupOf(slot, limits) === group) sameGroup.add(peerId);
  }
  if (trusted) return { admit: true };
  const isInbound = candidate.direction === "inbound";
  if (isInbound && sameGroup.size >= limits.perGroupMax) {
    return refuse(
      "TooManyConnections",
      `${sameGroup.size} peers of this address group are connected`,
    );
  }
  // One that replaces a connection of the other direction needs a slot too: peers that we dialed
  // could otherwise dial back one by one, each into a slot that is not there.
  const slotsMax = isInbound ? limits.maxInbound : limits.maxOutbound;
  if (taken.size < slotsMax) return { admit: true };
  const evicted = isInbound ? evict(candidate, [...taken.values()], view, limits) : undefined;
  if (evicted !== undefined) return { admit: true, evicted };
  return refuse("TooManyConnections", `all ${slotsMax} slots are taken`);
}

function evict<S extends PlacedSlot>(
  { peerId, origin }: PlacedSlot,
  taken: readonly S[],
  view: AdmissionView<S>,
  { protectedEachMax }: AdmissionLimits,
): PeerId | undefined {
  const seated = taken.map((slot): Seated => ({ ...slot, ...view.meritsOf(slot) }));
  const newcomer = { origin, onProbation: view.isOnProbation(peerId) };
  return selectEvicted(newcomer, seated, protectedEachMax)?.peerId;
}

function refuse(reason: DisconnectReason, detail: string): Admission {
  return { admit: false, reason, detail };
}

/** What the cap counts a slot by; undefined: it is exempt. */
function groupOf({ origin }: PlacedSlot, { exemptLocal }: AdmissionLimits): string | undefined {
  return exemptLocal && origin.isLocal ? undefined : origin.group;
}
