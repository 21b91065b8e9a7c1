// A block is passed on before it is validated in full, once its header is checked (encoding, proof of
// work, its place on the head) and proves to bind the transactions that are here: in compact form, to
// peers that know what that means. Part of the block handler.

import { concatBytes, equalBytes } from "../../bytes/compare.js";
import { sha256 } from "../../bytes/sha256.js";
import { errorText } from "../../errors.js";
import { compactBlock } from "../../protocol/kinds/compact-form.js";
import { drawNonce } from "../../protocol/short-ids.js";
import type { MessageOf } from "../../protocol/types/message.js";
import type { PeerId } from "../../ports.js";
import type { BlockParts, HeaderSummary } from "../../types/chain.js";
import type { BlockHandlerContext, BlockHandlerState } from "./block-handler-state.js";
import type { CompactOrigin } from "./block-origin.js";

/** What binds more transactions is found out in the pool: it would hold the loop for 4 ms and more. */
const BOUND_ON_LOOP_MAX = 4_096;
const ID_BYTES = 32;

/** Undefined: only the check in the pool will tell. */
export function binds(
  { header, transactions }: BlockParts,
  ids: Uint8Array,
  { env }: BlockHandlerContext,
): boolean | undefined {
  const { rules } = env.consensus;
  if (rules.binds === undefined || transactions.length > BOUND_ON_LOOP_MAX) return undefined;
  const each = transactions.map((_, index) =>
    ids.subarray(index * ID_BYTES, (index + 1) * ID_BYTES),
  );
  return rules.binds(header, each);
}

/** Undefined: a caller's own consensus threw. */
export function assembled(
  parts: BlockParts,
  { env }: Pick<BlockHandlerContext, "env">,
): Uint8Array | undefined {
  try {
    return env.consensus.assemble(parts);
  } catch (error) {
    const fields = { call: "assemble", error: errorText(error) };
    env.log.write("error", "the consensus failed", fields);
    return undefined;
  }
}

/** Absent: the form that it came in, which was whole. */
type Passed = Pick<CompactOrigin, "parts" | "ids" | "lacked"> &
  Partial<Pick<CompactOrigin, "message">> & { readonly from: PeerId };

/** Before it is validated: its header is checked, and binds what is here. */
export function passOn(
  state: BlockHandlerState,
  header: HeaderSummary,
  { parts, ids, message, lacked, from }: Passed,
  context: BlockHandlerContext,
): void {
  const { blocks, consensus, random } = context.env;
  const head = blocks.head();
  if (header.previousHash !== head.hash || !consensus.prefers(header, head)) return;
  const nonce = message?.nonce ?? drawNonce(random);
  const same = message !== undefined && lacked.length === 0;
  const compact = same ? message : compactBlock(parts, ids, nonce, lacked);
  if (compact === undefined) return;
  state.passedOn.set(header.hash, parts.transactions);
  state.broadcaster.tell({ type: "ForwardBlock", header, compact, from });
}

/** A whole block that is about to be checked is passed on if its header binds its transactions. */
export function passWhole(
  state: BlockHandlerState,
  block: Uint8Array,
  header: HeaderSummary,
  from: PeerId,
  context: BlockHandlerContext,
): void {
  const { blocks, clock, consensus } = context.env;
  const { rules } = consensus;
  if (header.previousHash !== blocks.head().hash || rules.binds === undefined) return;
  const split = rules.splitBlock(block);
  if (!split.ok || split.value.transactions.length > BOUND_ON_LOOP_MAX) return;
  const parts = split.value;
  if (!rules.checkHeader(parts.header, blocks.head(), clock.wallMs()).ok) return;
  const ids = concatBytes(parts.transactions.map(sha256));
  if (binds(parts, ids, context) !== true) return;
  // What is not made of its header and transactions alone has no compact form.
  const again = assembled(parts, context);
  if (again === undefined || !equalBytes(again, block)) return;
  passOn(state, header, { parts, ids, lacked: [], from }, context);
}

/** Of a block that was passed on and is not stored yet; undefined: it is none, or has no such places. */
export function servedTransactions(
  { passedOn }: BlockHandlerState,
  { hash, indexes }: MessageOf<"GetBlockTransactions">,
): MessageOf<"BlockTransactions"> | undefined {
  const transactions = passedOn.get(hash);
  if (transactions === undefined || indexes.at(-1)! >= transactions.length) return undefined;
  return { kind: "BlockTransactions", transactions: indexes.map((index) => transactions[index]!) };
}
