// What a peer brought and broke, counted from the reports that make its score, so that there is one
// way of telling. Reputation counts; the registry is told, and keeps it for whoever chooses between
// peers. Pure.

import { PROVEN_OFFENCES, REPUTATION_DELTAS, type ReputationEvent } from "./reputation-events.js";

/** Counts over all connections of a peer, for as long as its account is kept. */
export interface PeerDeeds {
  /** Blocks that were new and joined the chain, from this peer first; a synced range counts as one. */
  readonly usefulBlocks: number;
  /** Transactions that were new and taken into the mempool, from this peer first. */
  readonly usefulTransactions: number;
  /** Monotonic time of the last of each; absent: there was none. */
  readonly usefulBlockMs?: number;
  readonly usefulTransactionMs?: number;
  /** Blocks and transactions that broke a rule. */
  readonly invalid: number;
  /** Broken rules of the wire, and of services' protocols. */
  readonly violations: number;
  /** What its proven offences cost, not decayed. */
  readonly offencePoints: number;
}

export const NO_DEEDS: PeerDeeds = Object.freeze({
  usefulBlocks: 0,
  usefulTransactions: 0,
  invalid: 0,
  violations: 0,
  offencePoints: 0,
});

/** The same object when the event is none that counts. */
export function afterEvent(deeds: PeerDeeds, event: ReputationEvent, nowMs: number): PeerDeeds {
  switch (event) {
    case "GoodBlock":
    case "UsefulData":
      return { ...deeds, usefulBlocks: deeds.usefulBlocks + 1, usefulBlockMs: nowMs };
    case "GoodTransaction": {
      const usefulTransactions = deeds.usefulTransactions + 1;
      return { ...deeds, usefulTransactions, usefulTransactionMs: nowMs };
    }
    case "InvalidBlock":
    case "InvalidTransaction":
      return { ...deeds, invalid: deeds.invalid + 1, ...offence(deeds, event) };
    case "ProtocolViolation":
    case "ServiceOffence":
      return { ...deeds, violations: deeds.violations + 1, ...offence(deeds, event) };
    default:
      return deeds;
  }
}

function offence({ offencePoints }: PeerDeeds, event: ReputationEvent) {
  const points = PROVEN_OFFENCES.has(event) ? -REPUTATION_DELTAS[event] : 0;
  return { offencePoints: offencePoints + points };
}
