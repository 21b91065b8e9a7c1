// Asking one peer for headers, of an exchange that rests, and giving it up. Part of the sync service.

import type { HeaderSummary } from "../../types/chain.js";
import { ITEM_LIMITS } from "../../protocol/types/message.js";
import { askPeer } from "../peer/ask-peer.js";
import { headersToAsk } from "./header-chain.js";
import type { HeaderExchange } from "./header-exchanges.js";
import { locatorOf } from "./locator.js";
import type { SyncPeer } from "./sync-peers.js";
import { abort, type SyncContext, type SyncState } from "./sync-state.js";

/**
 * Resting → Asked, for what follows the chain so far, or our own when there is none yet. `common`: a
 * block of ours that the peer is known to have.
 */
export function askHeaders(
  state: SyncState,
  exchange: HeaderExchange,
  context: SyncContext,
  common?: HeaderSummary,
): void {
  const { blocks, clock, config } = context.env;
  const { chain, peerId, purpose } = exchange;
  const peer = state.peers.get(peerId);
  const nowMs = clock.monotonicMs();
  const headHeight = blocks.head().height;
  const limits = config.sync;
  const hears = purpose === "hear";
  const after = chain?.tip.summary ?? common;
  const own = locatorOf(hears ? belowClaim(peer, headHeight) : headHeight, hashAt(context), {
    hashesMax: ITEM_LIMITS.locatorHashesMax - 1,
    depthMax: config.chain.reorgDepthMax,
  });
  const locator = after === undefined ? own : [after.hash, ...own];
  const room = chain?.wanted ?? headersToAsk(limits, state.exchanges.share);
  const countMax = Math.min(room, exchange.countMax);
  exchange.countMax *= 2;
  if (peer === undefined) {
    headersFailed(state, exchange, "it cannot be asked for headers", context);
    return;
  }
  const tag = state.nextTag();
  const message = { kind: "RequestHeaders", locator, countMax } as const;
  askPeer({ peerId, handler: peer.handler, message, tag }, context);
  peer.askedDifficulty = peer.head.totalDifficulty;
  peer.askedMs = nowMs;
  const commonHeight = common?.height ?? -1;
  exchange.step = { name: "asked", tag, askedMs: nowMs, countMax, headHeight, commonHeight };
}

function hashAt({ env }: SyncContext): (height: number) => string | undefined {
  return (height) => env.blocks.hashAt(height);
}

/** One below what it claims of our chain, so that there is a header to be seen. */
function belowClaim(peer: SyncPeer | undefined, headHeight: number): number {
  const claimed = peer?.head.height ?? 0n;
  return Math.max(0, claimed < BigInt(headHeight) ? Number(claimed) - 1 : headHeight - 1);
}

/** The exchange ends; in a session, whose bodies can still come from others, just its headers do. */
export function headersFailed(
  state: SyncState,
  { peerId }: HeaderExchange,
  reason: string,
  context: SyncContext,
): void {
  const { session } = state;
  if (session === undefined) leaveAlone(state, peerId, context);
  else if (session.idle) abort(state, context, reason);
  else session.chain.exhausted = true;
}

/** The peer did not prove what it promised: it is left alone for a while. */
export function leaveAlone(state: SyncState, peerId: string, context: SyncContext): void {
  state.exchanges.end(peerId);
  state.peers.coolDown(peerId, context.env.clock.monotonicMs());
  state.considerDue = true;
}
