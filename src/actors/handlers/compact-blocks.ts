// The way of a compact block: its header is checked, the mempool gives what it has of it, its sender
// what lacks, and once the header proves to bind all of it the block is passed on, then checked as any
// other. What does not work out is fetched whole. Part of the block handler.

import { NO_DEADLINE, type AskOutcome } from "../../runtime/actor.js";
import { ITEM_LIMITS, type MessageOf } from "../../protocol/types/message.js";
import type { BlockParts, HeaderSummary } from "../../types/chain.js";
import type { FoundTransactions } from "../integration/short-id-index.js";
import type { RequestOutcome } from "../peer/ask-peer.js";
import type { SystemRouterMessage } from "../service/system-router.js";
import { check, claims, rejected, wantParent } from "./block-checks.js";
import { PER_BLOCK_MAX, type PushOrigin } from "./block-fills.js";
import type { BlockHandlerContext, BlockHandlerState } from "./block-handler-state.js";
import { mismatched, wantWhole } from "./compact-doubts.js";
import { mayWin } from "./may-win.js";
import { assembled, binds } from "./pass-on.js";

export function takeCompact(
  state: BlockHandlerState,
  message: MessageOf<"CompactBlock">,
  origin: PushOrigin,
  context: BlockHandlerContext,
): void {
  const { blocks, clock, consensus } = context.env;
  const { fetch, inHand } = state;
  const done = (): void => void origin.peerReply?.tell("Done");
  const read = consensus.rules.readHeader(message.header);
  if (!read.ok) {
    rejected(state, { origin, hash: "" }, read.fault, context, "CompactBlock");
    done();
    return;
  }
  const header = read.value;
  const { hash, previousHash } = header;
  const { peerId, from } = origin;
  if (origin.waited !== true) {
    const how = "pushed";
    state.broadcaster.tell({ type: "PeerKnows", what: "block", how, peerId, hashes: [hash] });
  }
  fetch.came(hash, true, context);
  const isSettled = blocks.has(hash) || state.invalid.has(hash);
  if (isSettled || !mayWin(header, blocks.head(), consensus)) {
    fetch.wants.arrived(hash);
    done();
    return;
  }
  if (inHand.isChecked(hash)) {
    // The copy may turn out to be a wrong one.
    fetch.announced({ peerId, from }, [hash], context);
    fetch.wants.hold(hash);
    done();
    return;
  }
  const parent = blocks.summary(previousHash);
  if (parent === undefined) {
    waitForParent(state, { header, message, origin }, context);
    return;
  }
  const checked = consensus.rules.checkHeader(message.header, parent, clock.wallMs());
  if (!checked.ok) {
    rejected(state, { origin, hash }, checked.fault, context, "CompactBlock");
    done();
    return;
  }
  const tries = state.fillTries.get(hash) ?? 0;
  const tag = tries < PER_BLOCK_MAX ? state.fills.begin({ header, message, origin }) : undefined;
  if (tag === undefined) {
    wantWhole(state, header, origin, context);
    done();
    return;
  }
  find(state, tag, context);
}

function waitForParent(
  state: BlockHandlerState,
  compact: { header: HeaderSummary; message: MessageOf<"CompactBlock">; origin: PushOrigin },
  context: BlockHandlerContext,
): void {
  const { inHand, fetch } = state;
  const { header, message, origin } = compact;
  const { hash, previousHash } = header;
  const { peerId, from } = origin;
  if (inHand.hasRoom(origin)) wantParent(state, header, origin, context);
  const isAwaited = inHand.has(previousHash) || fetch.wants.has(previousHash);
  if (isAwaited && inHand.hasRoom(origin)) {
    const on = previousHash;
    inHand.wait({ on, hash, block: message, origin: { ...origin, waited: true } });
    if (fetch.wants.has(on)) fetch.announced({ peerId, from }, [on], context);
    return;
  }
  // It is on the chain of its sender, whatever becomes of it.
  claims(state, peerId, {
    hash: previousHash,
    height: header.height - 1,
    totalDifficulty: header.totalDifficulty - header.difficulty,
  });
  state.sync.tell({ type: "BehindPeer", peerId });
  origin.peerReply?.tell("Done");
}

function find(state: BlockHandlerState, tag: number, context: BlockHandlerContext): void {
  const { key, message } = state.fills.get(tag)!;
  const { shortIds } = message;
  if (shortIds.length === 0) {
    found(state, tag, { ok: true, value: [] }, context);
    return;
  }
  context.ask<SystemRouterMessage, FoundTransactions>(
    state.system,
    (replyTo) => ({ to: "mempool", message: { type: "FindShort", key, shortIds, replyTo } }),
    NO_DEADLINE,
    (outcome) => ({ type: "Found", tag, outcome }),
  );
}

export function found(
  state: BlockHandlerState,
  tag: number,
  outcome: AskOutcome<FoundTransactions>,
  context: BlockHandlerContext,
): void {
  const fill = state.fills.get(tag);
  if (fill === undefined) return;
  const { origin, header } = fill;
  // A mempool that is away has nothing.
  fill.found(outcome.ok ? outcome.value : []);
  if (fill.lacked.length === 0) {
    filled(state, tag, origin, undefined, context);
    return;
  }
  // So many are not asked for one by one.
  if (fill.lacked.length > ITEM_LIMITS.blockTransactionsMax) state.fills.end(tag);
  wantWhole(state, header, origin, context);
  origin.peerReply?.tell("Done");
}

/** The answer with what a fill lacks. */
export function transactionsCame(
  state: BlockHandlerState,
  { tag: requestTag, peerId }: RequestOutcome,
  { transactions }: MessageOf<"BlockTransactions">,
  context: BlockHandlerContext,
): void {
  const tag = state.fills.requestEnded(requestTag);
  const fill = tag === undefined ? undefined : state.fills.get(tag);
  if (tag === undefined || fill === undefined) {
    // The block came by another way.
    state.fetch.answered(requestTag, [], context);
    return;
  }
  if (!fill.answered(transactions)) {
    gaveUp(state, tag);
    state.fetch.answered(requestTag, [], context);
    const detail = "other transactions than those that the compact block names";
    state.reputation.tell({ type: "Broke", peerId, rule: "answer", detail });
    return;
  }
  // Its message was dealt with when something of it lacked.
  const { peerReply: _answered, ...origin } = fill.origin;
  filled(state, tag, origin, requestTag, context);
}

/** It ended without what a fill lacks. */
export function transactionsFailed(
  state: BlockHandlerState,
  { tag: requestTag, peerId, reason }: RequestOutcome & { readonly ok: false },
): void {
  const tag = state.fills.requestEnded(requestTag);
  if (tag === undefined || reason === "Busy" || reason === "RateLimited") return;
  const { hash } = state.fills.get(tag)!.header;
  gaveUp(state, tag);
  if (reason !== "NotFound") return;
  const event = "UnprovenClaim";
  const detail = "passed on a block of which it does not have the transactions";
  state.reputation.tell({ type: "Report", peerId, event, rule: "compact", about: hash, detail });
}

/**
 * All transactions are here: those of the block, if the header binds them. `requestTag`: of the answer
 * that brought the last ones.
 */
function filled(
  state: BlockHandlerState,
  tag: number,
  origin: PushOrigin,
  requestTag: number | undefined,
  context: BlockHandlerContext,
): void {
  const fill = state.fills.get(tag)!;
  const { header, message, ids, lacked } = fill;
  const parts: BlockParts = {
    header: message.header,
    transactions: fill.transactions as Uint8Array[],
  };
  const isBound = binds(parts, ids, context);
  const block = isBound === false ? undefined : assembled(parts, context);
  if (requestTag !== undefined) {
    state.fetch.answered(requestTag, block === undefined ? [] : [header.hash], context);
  }
  if (block === undefined) {
    gaveUp(state, tag);
    mismatched(state, header, origin, message, context);
    origin.peerReply?.tell("Done");
    return;
  }
  state.fills.end(tag);
  const compact = { message, parts, ids, lacked, isBound: isBound === true };
  check(state, block, { ...origin, fetchedBytes: block.length, compact }, context);
}

function gaveUp({ fills, fillTries }: BlockHandlerState, tag: number): void {
  const { hash } = fills.get(tag)!.header;
  fills.end(tag);
  fillTries.set(hash, (fillTries.get(hash) ?? 0) + 1);
}
