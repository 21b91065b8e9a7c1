// Compact forms that led to other transactions than those that their header binds: the block is fetched
// whole, and shows who lied. Part of the block handler.

import { describes, descriptionOf } from "../../protocol/kinds/compact-form.js";
import type { MessageOf } from "../../protocol/types/message.js";
import type { CheckedBlock, HeaderSummary } from "../../types/chain.js";
import { PER_BLOCK_MAX, type PushOrigin } from "./block-fills.js";
import type { BlockHandlerContext, BlockHandlerState } from "./block-handler-state.js";

/** Whoever sent the form is asked for it, for what lacks while there is a fill of its. */
export function wantWhole(
  { fetch }: BlockHandlerState,
  { hash }: HeaderSummary,
  { peerId, from }: PushOrigin,
  context: BlockHandlerContext,
): void {
  fetch.announced({ peerId, from }, [hash], context);
}

/** Its sender lied, or two transactions share a short id: the whole block says which. */
export function mismatched(
  state: BlockHandlerState,
  header: HeaderSummary,
  origin: PushOrigin,
  message: MessageOf<"CompactBlock">,
  context: BlockHandlerContext,
): void {
  const { doubted } = state;
  const { peerId } = origin;
  const before = doubted.get(header.hash) ?? [];
  if (before.length < PER_BLOCK_MAX) {
    doubted.set(header.hash, [...before, { peerId, description: descriptionOf(message) }]);
  }
  wantWhole(state, header, origin, context);
}

/** The whole block is here: whose form of it was another one's? */
export function judgeDoubted(
  { doubted, reputation }: BlockHandlerState,
  { header, headerBytes, transactionIds }: CheckedBlock,
): void {
  for (const { peerId, description } of doubted.get(header.hash) ?? []) {
    if (describes(description, headerBytes, transactionIds)) continue;
    const detail = "a compact block with other short ids than those of the block";
    reputation.tell({ type: "Broke", peerId, rule: "compact", detail });
  }
  doubted.delete(header.hash);
}
