// The quotas of kinds in items and bytes: what the settings say of each, and what peers may send that
// know of no quotas. Pure.

import type { NetworkConfig } from "../../config.js";
import type { KindRule, Quota } from "../kinds/kind.js";
import type { OwnRule } from "../kinds/own.js";
import { UINT32_MAX } from "../kinds/fields.js";
import { LEAST_RATES, type FullRate } from "../kinds/limits.js";
import { KINDS, MESSAGE_KINDS } from "../types/message.js";
import type { ToldQuota } from "../types/node-info.js";
import { RateLimit } from "./rate-limit.js";

export type QuotaSettings = Pick<NetworkConfig, "receive" | "serve">;

/** The most that an address takes in an answer, and more. */
const ADDRESS_BYTES = 64;

/** What the settings allow; undefined: the kind is not counted by them. */
export function quotaOf(rule: KindRule, settings: QuotaSettings): FullRate | undefined {
  const { quota } = rule;
  return quota === undefined ? undefined : rateOf(quota, rule, settings);
}

/** What is taken of a peer that cannot be told: no less than docs/protocol.md promises it. */
export function leastQuotaOf(rule: KindRule, settings: QuotaSettings): FullRate | undefined {
  const own = quotaOf(rule, settings);
  const least = (LEAST_RATES as Readonly<Record<string, FullRate>>)[rule.quota ?? ""];
  if (own === undefined || least === undefined) return own;
  return {
    itemsPerSecond: Math.max(own.itemsPerSecond, least.itemsPerSecond),
    burstItems: Math.max(own.burstItems, least.burstItems),
    bytesPerSecond: Math.max(own.bytesPerSecond, least.bytesPerSecond),
    burstBytes: Math.max(own.burstBytes, least.burstBytes),
  };
}

/** All that a peer is told of, by `limits/1`. */
export function toldQuotas(settings: QuotaSettings): readonly ToldQuota[] {
  return MESSAGE_KINDS.flatMap((kind) => {
    const rule = KINDS[kind];
    const rate = quotaOf(rule, settings);
    return rate === undefined ? [] : [{ kind: rule.code, ...rate }];
  });
}

/** One that lets nothing through means nothing, and is ignored. */
export function isQuota(rate: FullRate): boolean {
  const { itemsPerSecond, burstItems, bytesPerSecond, burstBytes } = rate;
  return Math.min(itemsPerSecond, burstItems, bytesPerSecond, burstBytes) > 0;
}

function rateOf(quota: Quota, rule: KindRule, { receive, serve }: QuotaSettings): FullRate {
  switch (quota) {
    case "blocks":
      return {
        itemsPerSecond: serve.blocksPerSecond,
        burstItems: serve.blocksBurst,
        bytesPerSecond: serve.blockBytesPerSecond,
        burstBytes: serve.blockBytesBurst,
      };
    case "headers":
      return {
        itemsPerSecond: serve.headersPerSecond,
        burstItems: serve.headersBurst,
        bytesPerSecond: serve.headerBytesPerSecond,
        burstBytes: serve.headerBytesBurst,
      };
    case "transactions":
      return {
        itemsPerSecond: serve.transactionsPerSecond,
        burstItems: serve.transactionsBurst,
        bytesPerSecond: serve.transactionBytesPerSecond,
        burstBytes: serve.transactionBytesBurst,
      };
    case "addresses": {
      const { addressesPerSecond, addressesBurst } = serve;
      return {
        itemsPerSecond: addressesPerSecond,
        burstItems: addressesBurst,
        bytesPerSecond: times(addressesPerSecond, ADDRESS_BYTES),
        burstBytes: times(addressesBurst, ADDRESS_BYTES),
      };
    }
    case "pushedBlocks":
      return {
        itemsPerSecond: receive.blocksPerSecond,
        burstItems: receive.blocksBurst,
        bytesPerSecond: receive.blockBytesPerSecond,
        burstBytes: receive.blockBytesBurst,
      };
    case "pushedTransactions":
      return {
        itemsPerSecond: receive.transactionsPerSecond,
        burstItems: receive.transactionsBurst,
        bytesPerSecond: receive.transactionBytesPerSecond,
        burstBytes: receive.transactionBytesBurst,
      };
    case "announcedBlocks":
      return byItems(rule, receive.announcedBlocksPerSecond, receive.announcedBlocksBurst);
    case "announcedShortIds":
    case "announcedTransactions": {
      const { announcedTransactionsPerSecond, announcedTransactionsBurst } = receive;
      return byItems(rule, announcedTransactionsPerSecond, announcedTransactionsBurst);
    }
    case "feeFloors":
      return LEAST_RATES.feeFloors;
    case "relayEdges":
      return byItems(rule, receive.relayEdgesPerSecond, receive.relayEdgesBurst);
  }
}

/** Of a service's kind: both sides know it. */
export function ownRateOf(rule: OwnRule): FullRate | undefined {
  const { rate } = rule;
  return rate === undefined ? undefined : byItems(rule, rate.itemsPerSecond, rate.burstItems);
}

/** Each item is a few bytes: as many as the largest payload has for one. */
function byItems(
  { body, payloadBytesMax }: KindRule,
  itemsPerSecond: number,
  burstItems: number,
): FullRate {
  const count = body.form === "items" ? body.shape.countMax : 1;
  const bytesEach = Math.ceil(payloadBytesMax / count);
  return {
    itemsPerSecond,
    burstItems,
    bytesPerSecond: Math.min(UINT32_MAX, itemsPerSecond * bytesEach),
    // One message of the largest size always fits.
    burstBytes: Math.min(UINT32_MAX, Math.max(payloadBytesMax, burstItems * bytesEach)),
  };
}

/** The bytes of a quota alone. */
export function bytesLimit(rate: FullRate, rateTimes = 1, burstTimes = rateTimes): RateLimit {
  return new RateLimit({
    itemsPerSecond: times(rate.bytesPerSecond, rateTimes),
    burstItems: times(rate.burstBytes, burstTimes),
  });
}

/** So many times a rate, and so many times its burst, as far as quotas can say it. */
export function timesRate(rate: FullRate, rateTimes: number, burstTimes: number): FullRate {
  return {
    itemsPerSecond: times(rate.itemsPerSecond, rateTimes),
    burstItems: times(rate.burstItems, burstTimes),
    bytesPerSecond: times(rate.bytesPerSecond, rateTimes),
    burstBytes: times(rate.burstBytes, burstTimes),
  };
}

function times(value: number, factor: number): number {
  return Math.min(UINT32_MAX, value * factor);
}
