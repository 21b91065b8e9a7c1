// What peers are reported for, and what each is worth. The figures are the system's own; sync,
// handlers and peer handlers report, reputation keeps the account.

export const REPUTATION_DELTAS = Object.freeze({
  GoodBlock: 10,
  GoodTransaction: 1,
  UsefulData: 5,
  QuickResponse: 1,
  SlowResponse: -1,
  /** More of what it told before than gossip explains. */
  DuplicateData: -2,
  /** A heavier chain that it does not have. */
  UnprovenClaim: -2,
  Timeout: -2,
  ConnectionFailure: -5,
  /** It is new, and others of its address group committed proven offences lately. */
  BadNeighbours: -75,
  InvalidTransaction: -10,
  /** A rule of a service's own protocol, as the service says. */
  ServiceOffence: -10,
  ProtocolViolation: -50,
  InvalidBlock: -100,
});
export type ReputationEvent = keyof typeof REPUTATION_DELTAS;

/** What our own overload or the network between can cause. */
export const SLOWNESS: ReadonlySet<ReputationEvent> = new Set(["SlowResponse", "Timeout"]);
/** What is no proof of ill will: it bans nobody at the floor of peers, nor too many at once. */
export const EXCUSABLE: ReadonlySet<ReputationEvent> = new Set([
  "SlowResponse",
  "Timeout",
  "UnprovenClaim",
  "DuplicateData",
]);
/** Proven offences: they are counted from zero, so that no gains buy a licence for them. */
export const PROVEN_OFFENCES: ReadonlySet<ReputationEvent> = new Set([
  "InvalidTransaction",
  "ProtocolViolation",
  "InvalidBlock",
]);

/** They never bring anybody to a ban: an unreachable peer, or one with such neighbours, did nothing. */
export const NEVER_BANS: ReadonlySet<ReputationEvent> = new Set([
  "ConnectionFailure",
  "BadNeighbours",
]);

/** What a peer did, for better or worse. */
export interface Deed {
  readonly event: ReputationEvent;
  /** The rule that was broken, if one was. */
  readonly rule?: string;
  readonly detail: string;
  /** The kind of the message that showed it, and the hash or id that it is about; where known. */
  readonly kind?: string;
  readonly about?: string;
}

/** Longer texts are cut where they are kept: peers choose some of them. */
const DETAIL_MAX = 256;
const NAME_MAX = 64;

/** A copy of what is kept. */
export function keptDeed({ event, rule, detail, kind, about }: Deed): Deed {
  return {
    event,
    ...(rule === undefined ? {} : { rule: rule.slice(0, NAME_MAX) }),
    detail: detail.slice(0, DETAIL_MAX),
    ...(kind === undefined ? {} : { kind: kind.slice(0, NAME_MAX) }),
    ...(about === undefined || about === "" ? {} : { about: about.slice(0, NAME_MAX) }),
  };
}
