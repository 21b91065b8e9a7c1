// What is made of the places that peers tell of, before the address book has its say, and what of those
// that it knows a peer is told. Pure. Nothing of it is a breach: which ports others have use of is
// theirs to say.

import {
  formatAddress,
  hostBytes,
  reachOf,
  type Endpoint,
  type Reach,
} from "../../protocol/address.js";

/** Why a place that a peer told of is not handed to the book. */
export const DROP_REASONS = ["local", "port", "repeated"] as const;
export type DropReason = (typeof DROP_REASONS)[number];

export interface Hearsay {
  readonly taken: readonly Endpoint[];
  readonly dropped: ReadonlyMap<DropReason, number>;
}

/** Below are the services of a machine: mail, names, files. Nodes listen above. */
const PORT_MIN = 1_024;
/** From the widest to the narrowest. */
const REACHES: readonly Reach[] = ["public", "local", "loopback"];

/** Of what one answer told: each place once, and of a public host only the first. */
export function judgeHearsay(told: readonly Endpoint[], takesLocal: boolean): Hearsay {
  const taken: Endpoint[] = [];
  const dropped = new Map<DropReason, number>();
  const seen = new Set<string>();
  const reasonOf = (endpoint: Endpoint): DropReason | undefined => {
    const isPublic = reachOf(endpoint.host) === "public";
    if (!isPublic && !takesLocal) return "local";
    if (endpoint.port < PORT_MIN) return "port";
    const key = isPublic ? endpoint.host : formatAddress(endpoint);
    if (seen.has(key)) return "repeated";
    seen.add(key);
    return undefined;
  };
  for (const endpoint of told) {
    const reason = reasonOf(endpoint);
    if (reason === undefined) taken.push(endpoint);
    else dropped.set(reason, (dropped.get(reason) ?? 0) + 1);
  }
  return { taken, dropped };
}

/**
 * What means the same where the asker is: of a private network or a machine only those hear who are
 * there too, and of names and of addresses at an interface of this node, which the answer has no form
 * for, nobody.
 */
export function toldTo(known: readonly Endpoint[], asker: Reach): readonly Endpoint[] {
  const narrowest = Math.max(0, REACHES.indexOf(asker));
  return known.filter(({ host }) => {
    const place = REACHES.indexOf(reachOf(host));
    return hostBytes(host) !== undefined && place >= 0 && place <= narrowest;
  });
}
