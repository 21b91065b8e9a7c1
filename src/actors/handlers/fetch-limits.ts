// What may be fetched at once of what kind, from the configuration and the limits of the wire.

import type { NetworkConfig } from "../../config.js";
import { ITEM_LIMITS, KINDS } from "../../protocol/types/message.js";
import type { FetchLimits } from "./fetch-announcer.js";

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
