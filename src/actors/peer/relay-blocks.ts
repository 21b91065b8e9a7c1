// How new blocks get to the peers: pushed over eager edges, a block of this node's own to all that take
// part in trees, and announced to the others. Part of the broadcaster.

import type { HashHex, HeaderSummary } from "../../types/chain.js";
import type { PeerId } from "../../ports.js";
import type { ChainChanged, ConnectedBlock } from "../integration/chain-events.js";
import { BlockPush, compactOf, readsCompact } from "./block-push.js";
import { drawPushes } from "./draw-pushes.js";
import type {
  BroadcasterContext,
  BroadcasterState,
  ForwardedBlock,
  Peer,
} from "./broadcaster-state.js";

/** After the first teller of a block those who tell late have told. */
export const JUDGED_AFTER_MS = 1_000;

/** A single new block is pushed to some and announced to the others; a longer step only announced. */
export function relayHead(
  state: BroadcasterState,
  { head, connected }: ChainChanged,
  context: BroadcasterContext,
): void {
  for (const { header } of connected) {
    state.times.proven("block", header.hash);
    state.blockNews.proven(header.hash);
  }
  judgeLater(state, context);
  const receivers = receiversOf(state, head);
  if (receivers.length === 0) return;
  const push = connected.length === 1 ? pushOf(connected[0]!, context) : undefined;
  const rest = push === undefined ? receivers : pushBlock(state, head, push, receivers, context);
  const place = state.has.block.here(head.hash);
  for (const peer of rest) {
    state.has.block.mark(place, peer.slot);
    announceBlock(peer, head);
  }
}

/** It is pushed before it counts to those that know what that means, and told to others when it does. */
export function forwardBlock(
  state: BroadcasterState,
  { header, compact, from }: ForwardedBlock,
  context: BroadcasterContext,
): void {
  // That who sent it has it is told too, and may come later.
  const receivers = receiversOf(state, header).filter(
    (peer) => readsCompact(peer) && peer.isRelay && peer.peerId !== from,
  );
  const push = new BlockPush({ hash: header.hash, compact: () => compact });
  pushBlock(state, header, push, receivers, context, from);
}

function pushOf(
  { header, transactionIds }: ConnectedBlock,
  { env }: BroadcasterContext,
): BlockPush | undefined {
  const whole = env.blocks.block(header.hash);
  if (whole === undefined) return undefined;
  return new BlockPush({
    hash: header.hash,
    whole,
    compact: () => transactionIds && compactOf(whole, transactionIds, env),
  });
}

/** Its push found no room. */
export function blockNotPushed(peer: Peer, hash: HashHex, { env }: BroadcasterContext): void {
  const head = env.blocks.head();
  if (head.hash === hash) announceBlock(peer, head);
}

/** They take blocks, are not known to have this one, and have claimed no heavier one. */
function receiversOf({ has, peers }: BroadcasterState, header: HeaderSummary): Peer[] {
  const place = has.block.find(header.hash);
  const receivers: Peer[] = [];
  for (const peer of peers.values()) {
    if (!peer.capabilities.has("blocks/1")) continue;
    if (place !== undefined && has.block.has(place, peer.slot)) continue;
    if (peer.claimedDifficulty >= header.totalDifficulty) continue;
    receivers.push(peer);
  }
  return receivers;
}

/** Answers those that are not pushed to. */
function pushBlock(
  state: BroadcasterState,
  { hash }: HeaderSummary,
  push: BlockPush,
  receivers: readonly Peer[],
  context: BroadcasterContext,
  from?: PeerId,
): readonly Peer[] {
  const has = state.has.block;
  const tree = state.trees.block;
  const known = has.find(hash);
  // Nobody told of it: it begins here.
  const isOwn = from === undefined && (known === undefined || has.isNobodys(known));
  const place = has.here(hash);
  const relays = receivers.filter((peer) => peer.isRelay && (isOwn || tree.isOut(peer.slot)));
  const others = receivers.filter(({ isRelay }) => !isRelay);
  const { blockPushes } = context.env.config.gossip;
  const delayMsOf = ({ peerId }: Peer) => state.times.of(peerId).blockDelayMs;
  drawPushes(others, blockPushes, delayMsOf, () => context.env.random.float());
  const refused = { what: "block", to: context.self, hash } as const;
  const pushed = new Set<Peer>();
  for (const peer of [...relays, ...others.slice(0, blockPushes)]) {
    if (!push.to(peer, refused)) continue;
    has.mark(place, peer.slot);
    pushed.add(peer);
  }
  return receivers.filter((peer) => !pushed.has(peer));
}

function announceBlock({ handler }: Peer, { height, hash, totalDifficulty }: HeaderSummary): void {
  const head = { height: BigInt(height), hash, totalDifficulty };
  handler.tell({ type: "Send", message: { kind: "AnnounceBlock", ...head } });
}

export function judgeLater(
  { blockNews, timing }: BroadcasterState,
  context: BroadcasterContext,
): void {
  if (blockNews.size === 0 || timing.has("judge")) return;
  timing.add("judge");
  context.startTimer("judge", JUDGED_AFTER_MS, { type: "JudgeDue" });
}

/** JudgeDue came. */
export function judgeBlocks(state: BroadcasterState, context: BroadcasterContext): void {
  state.timing.delete("judge");
  const { nowMs } = context;
  for (const delaysMs of state.blockNews.takeJudged(nowMs)) {
    state.trees.block.judged(delaysMs, nowMs);
  }
  judgeLater(state, context);
}
