// Which inbound peer gives way to a newcomer when all slots are taken. Those stay that an attacker
// cannot be at will (Bitcoin Core's SelectNodeToEvict has the same kinds); of the rest the youngest
// of the largest network goes. The newcomer is weighed with them: nobody goes for a network that
// would be as large then. So each eviction makes the networks more alike, whoever comes and goes
// however often cannot make the others go one by one, and none that is of use loses its last peer here:
// all networks are protected, where Core protects four that an attacker must not know. The last
// peer of a network gives way to the first of another when it was of no use for a minute: else as many
// networks as there are slots could hold them all for ever by sitting still.
// Pure; asked by the admission policy.

import type { PeerId } from "../../ports.js";
import { hostGroup, isLocalHost, networkOf } from "../../protocol/address.js";

/** Where a peer comes from, as the limits count it. */
export interface Origin {
  readonly isLocal: boolean;
  /** The /24 or /48: what the cap counts. */
  readonly group: string;
  /** The /16 or /32: what an attacker has not many of. */
  readonly network: string;
}

/** What an inbound peer is weighed by. Times are monotonic. */
export interface Merits {
  /** Absent: it still shakes hands, and nothing protects it. */
  readonly readySinceMs: number | undefined;
  /** The shortest round trip. */
  readonly pingMinMs: number | undefined;
  /** When it last brought a valid block, or transaction, before anybody else did. */
  readonly usefulBlockMs: number | undefined;
  readonly usefulTransactionMs: number | undefined;
  /** It was here for a while, and never brought anything new. */
  readonly isIdle: boolean;
  /** It misbehaved: nothing protects it, and it goes first. */
  readonly onProbation: boolean;
}

export interface Seated extends Merits {
  readonly peerId: PeerId;
  readonly origin: Pick<Origin, "network">;
}

export interface Newcomer {
  readonly origin: Pick<Origin, "network">;
  readonly onProbation: boolean;
}

/** For each kind of merit an eighth of the peers is protected at most. */
const KINDS_SHARE = 1 / 8;

export function originOf(host: string): Origin {
  return {
    isLocal: isLocalHost(host),
    group: hostGroup(host),
    network: networkOf(host),
  };
}

/**
 * Undefined: it is the newcomer who has to go. `seated` are the peers that can be evicted, in order
 * of arrival, each once; `keptEachMax` bounds how many each kind of merit protects.
 */
export function selectEvicted(
  newcomer: Newcomer,
  seated: readonly Seated[],
  keptEachMax: number,
): Seated | undefined {
  if (newcomer.onProbation) return undefined;
  const sizes = new Map<string, number>();
  const sizeOf = ({ origin: { network } }: Newcomer): number => sizes.get(network) ?? 0;
  for (const peer of seated) sizes.set(peer.origin.network, sizeOf(peer) + 1);
  const mayGo = (peer: Seated): boolean =>
    peer.onProbation || sizeOf(peer) > sizeOf(newcomer) + (peer.isIdle ? 0 : 1);
  // An attacker that knocks again and again makes no more work than this.
  if (!seated.some(mayGo)) return undefined;
  let chosen: Seated | undefined;
  for (const peer of unprotected(seated, keptEachMax)) {
    if (mayGo(peer) && (chosen === undefined || goesFirst(peer, chosen, sizeOf))) chosen = peer;
  }
  return chosen;
}

/** Whether `peer` goes before `other`, who came before it. */
function goesFirst(peer: Seated, other: Seated, sizeOf: (peer: Seated) => number): boolean {
  if (peer.onProbation !== other.onProbation) return peer.onProbation;
  const larger = sizeOf(peer) - sizeOf(other);
  if (larger !== 0) return larger > 0;
  return sinceMs(peer) >= sinceMs(other);
}

/** The later, the younger. */
function sinceMs({ readySinceMs = Number.POSITIVE_INFINITY }: Seated): number {
  return readySinceMs;
}

/** In order of arrival. */
function unprotected(seated: readonly Seated[], keptEachMax: number): ReadonlySet<Seated> {
  const left = new Set(seated);
  const each = Math.min(keptEachMax, Math.floor(seated.length * KINDS_SHARE));
  protect(left, each, ({ pingMinMs }) => pingMinMs);
  protect(left, each, ({ usefulTransactionMs }) => latestFirst(usefulTransactionMs));
  protect(left, each, ({ usefulBlockMs }) => latestFirst(usefulBlockMs));
  protect(left, Math.floor(left.size / 2), ({ readySinceMs }) => readySinceMs);
  return left;
}

/** Takes out the `count` peers with the smallest values. */
function protect(
  left: Set<Seated>,
  count: number,
  valueOf: (peer: Seated) => number | undefined,
): void {
  const valued: { readonly peer: Seated; readonly value: number }[] = [];
  for (const peer of left) {
    const isProtectable = peer.readySinceMs !== undefined && !peer.onProbation;
    const value = isProtectable ? valueOf(peer) : undefined;
    if (value !== undefined) valued.push({ peer, value });
  }
  valued.sort((a, b) => a.value - b.value);
  for (const { peer } of valued.slice(0, count)) left.delete(peer);
}

function latestFirst(atMs: number | undefined): number | undefined {
  return atMs === undefined ? undefined : -atMs;
}
