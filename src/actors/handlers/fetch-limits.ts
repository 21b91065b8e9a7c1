// What may be fetched at once of what kind, from the configuration and the limits of the wire.

import {
  BLOCK_OFFERS_MAX,
  LATE_BLOCKS_MAX,
  LATE_IDS_MAX,
  SHORT_OFFERS_MAX,
} from "../../config/memory-plan.js";
import type { NetworkConfig } from "../../config.js";
import { ITEM_LIMITS, KINDS } from "../../protocol/types/message.js";
import type { FetchLimits } from "./fetch-announcer.js";
import type { LateLimits } from "./late-ids.js";

/** The tip is one block ahead: more than a few of one peer are forks, or lies. */
const BLOCKS_PER_PEER_MAX = 4;
const OFFERS_PER_PEER_MAX = 32;

export function blockFetchLimits({ gossip }: Pick<NetworkConfig, "gossip">): FetchLimits {
  return {
    idsPerRequestMax: 1,
    requestsPerAnnouncerMax: BLOCKS_PER_PEER_MAX,
    bodyBytesMax: KINDS.ResponseBlock.payloadBytesMax,
    answerBytesMax: KINDS.ResponseBlock.payloadBytesMax,
    bytesMax: gossip.blockFetchBytesMax,
    offersPerAnnouncerMax: OFFERS_PER_PEER_MAX,
    offersMax: BLOCK_OFFERS_MAX,
    patienceMinMs: gossip.blockPatienceMs,
  };
}

export function transactionFetchLimits({ gossip }: Pick<NetworkConfig, "gossip">): FetchLimits {
  return {
    idsPerRequestMax: ITEM_LIMITS.requestedTransactionsMax,
    requestsPerAnnouncerMax: gossip.requestsPerPeerMax,
    bodyBytesMax: KINDS.NewTransaction.payloadBytesMax,
    answerBytesMax: KINDS.ResponseTransactions.payloadBytesMax,
    bytesMax: gossip.transactionFetchBytesMax,
    offersPerAnnouncerMax: gossip.wantedPerPeerMax,
    offersMax: gossip.wantedMax,
    patienceMinMs: gossip.transactionPatienceMs,
  };
}

/** Those that are announced by short ids. */
export function shortIdFetchLimits(config: Pick<NetworkConfig, "gossip">): FetchLimits {
  return { ...transactionFetchLimits(config), offersMax: SHORT_OFFERS_MAX };
}

export function lateLimits(
  { gossip }: Pick<NetworkConfig, "gossip">,
  what: "block" | "transaction",
): LateLimits {
  return {
    // Short ids are told by who takes part in a tree; a head may be announced by anybody.
    arePushed: what === "transaction",
    waitMinMs: what === "block" ? gossip.blockWaitMinMs : gossip.pushWaitMinMs,
    waitMaxMs: gossip.pushWaitMaxMs,
    perPeerMax: what === "block" ? LATE_BLOCKS_MAX : LATE_IDS_MAX,
  };
}
