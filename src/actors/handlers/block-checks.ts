// The way of a block that is here: split on the loop, checked in the pool, connected. Part of the
// block handler.

import { packBytes } from "../../bytes/packed.js";
import { blamesNobody } from "../../chain/faults.js";
import type { Fault, HashHex, HeaderSummary } from "../../types/chain.js";
import type { BlocksVerdict, PeerId } from "../../ports.js";
import { askConsensus } from "../ask-consensus.js";
import type { ConnectOutcome } from "../integration/consensus-integration.js";
import type {
  BlockHandlerContext,
  BlockHandlerEnv,
  BlockHandlerState,
} from "./block-handler-state.js";
import type { BlockOrigin, ProducedOutcome } from "./block-origin.js";
import type { PushOrigin } from "./block-fills.js";
import type { CheckedJob } from "./blocks-in-hand.js";
import { judgeDoubted, mismatched } from "./compact-doubts.js";
import { mayWin } from "./may-win.js";
import { passOn, passWhole } from "./pass-on.js";

/**
 * The most that an orphan may have, which holds the credit that its parent needs: more than a compact
 * block does, a quarter of a first window.
 */
const ORPHAN_BYTES_MAX = 65_536;

/** Splits on the loop, checks in the pool. */
export function check(
  state: BlockHandlerState,
  block: Uint8Array,
  origin: BlockOrigin,
  context: BlockHandlerContext,
): void {
  const { blocks, clock, config, consensus, workers } = context.env;
  const { inHand, fetch } = state;
  const { peerId } = origin;
  const header = headerOf(block, context.env);
  if (!header.ok) {
    rejected(state, { origin, hash: "" }, header.fault, context);
    origin.peerReply?.tell("Done");
    return;
  }
  const { hash, previousHash } = header.value;
  const drop = (reason: string): void => {
    origin.peerReply?.tell("Done");
    settle(origin, { ok: false, reason });
  };
  if (peerId !== undefined && origin.compact === undefined) {
    claimed(state, peerId, header.value, origin);
  }
  fetch.came(hash, peerId !== undefined && origin.fetchedBytes === 0, context);
  // A peer's block that cannot win with the next one is sync's affair once its branch is heavier.
  const isKnown = blocks.has(hash);
  if (isKnown || (peerId !== undefined && !mayWin(header.value, blocks.head(), consensus))) {
    fetch.wants.arrived(hash);
    drop(isKnown ? "known" : "lighter");
    return;
  }
  // An answer so late that its room was given to others has none.
  const freeBytes = config.gossip.blockFetchBytesMax - fetch.leasedBytes - inHand.fetchedBytes;
  if (!inHand.hasRoom(origin) || origin.fetchedBytes > freeBytes) {
    if (!inHand.has(hash)) fetch.wants.letGo(hash);
    stillClaims(state, header.value, origin);
    drop("busy");
    return;
  }
  // Its body need not be that of the copy that is checked.
  const parentHeader = blocks.headerBytes(previousHash);
  if (block.length <= ORPHAN_BYTES_MAX) wantParent(state, header.value, origin, context);
  const isAwaited = inHand.has(previousHash) || fetch.wants.has(previousHash);
  if (inHand.isChecked(hash) || (parentHeader === undefined && isAwaited)) {
    const on = inHand.isChecked(hash) ? hash : previousHash;
    inHand.wait({ on, hash, block, origin: { ...origin, waited: true } });
    fetch.wants.hold(hash);
    // Whoever has it has its parent too.
    const { from } = origin;
    if (peerId !== undefined && from !== undefined && on !== hash && fetch.wants.has(on)) {
      fetch.announced({ peerId, from }, [on], context);
    }
    return;
  }
  if (parentHeader === undefined) {
    fetch.wants.arrived(hash);
    if (peerId !== undefined) state.sync.tell({ type: "BehindPeer", peerId });
    drop("orphan");
    return;
  }
  const tag = state.nextTag++;
  inHand.check(tag, { hash, header: header.value, origin });
  state.fates.received(header.value, peerId);
  fetch.wants.hold(hash);
  // Before the pool has it: whoever gets it loses no time meanwhile.
  const { compact } = origin;
  if (peerId !== undefined) {
    if (compact === undefined) passWhole(state, block, header.value, peerId, context);
    else if (compact.isBound) passOn(state, header.value, { ...compact, from: peerId }, context);
  }
  const job = { blocks: packBytes([block]), parentHeader, nowMs: clock.wallMs() };
  context.pipe(workers.validateBlocks(job), (outcome) => ({
    type: "Checked",
    tag,
    verdict: outcome.ok ? outcome.value : undefined,
  }));
}

/**
 * A pushed block whose parent alone is missing waits for it, among the places of its sender, who is
 * asked for the parent once; what is further ahead is a case for sync.
 */
export function wantParent(
  { fetch, inHand }: BlockHandlerState,
  { height, previousHash }: HeaderSummary,
  { peerId, from, waited }: BlockOrigin,
  context: BlockHandlerContext,
): void {
  const { blocks } = context.env;
  if (peerId === undefined || from === undefined || waited === true) return;
  if (height !== blocks.head().height + 2 || blocks.has(previousHash)) return;
  if (!inHand.has(previousHash)) fetch.announced({ peerId, from }, [previousHash], context);
}

export function headerOf(block: Uint8Array, { consensus }: Pick<BlockHandlerEnv, "consensus">) {
  const parts = consensus.rules.splitBlock(block);
  return parts.ok ? consensus.rules.readHeader(parts.value.header) : parts;
}

export function checked(
  state: BlockHandlerState,
  tag: number,
  verdict: BlocksVerdict | undefined,
  context: BlockHandlerContext,
): void {
  const job = state.inHand.job(tag);
  if (job === undefined) return;
  const { hash, origin } = job;
  if (verdict === undefined) {
    // The pool is full or lost the bytes: the block comes again by announcement or by sync.
    end(state, tag, "again");
    stillClaims(state, job.header, origin);
    settle(origin, { ok: false, reason: "lost" });
    if (origin.peerId !== undefined) {
      state.sync.tell({ type: "BehindPeer", peerId: origin.peerId });
    }
    return;
  }
  const block = verdict.accepted[0];
  if (block !== undefined) judgeDoubted(state, block);
  if (verdict.fault !== undefined || block === undefined) {
    const { compact } = origin;
    if (compact?.isBound === false && verdict.fault?.rule === "root") {
      end(state, tag, "again");
      mismatched(state, job.header, origin as PushOrigin, compact.message, context);
      return;
    }
    if (verdict.fault !== undefined) rejected(state, { hash, origin }, verdict.fault, context);
    if (compact?.isBound === true && verdict.fault !== undefined) {
      // There is no other body.
      if (!blamesNobody(verdict.fault.rule)) state.invalid.set(hash, true);
      end(state, tag, "over");
      return;
    }
    // Another copy may have the true body.
    const { rule } = verdict.fault ?? { rule: "future" };
    end(state, tag, blamesNobody(rule) ? "over" : "again");
    return;
  }
  state.fates.validated(hash);
  const from = origin.peerId === undefined ? {} : { peerId: origin.peerId };
  askConsensus(state.system, { type: "Connect", blocks: [block], ...from, tag }, context);
}

export function connectEnded(
  state: BlockHandlerState,
  outcome: ConnectOutcome,
  context: BlockHandlerContext,
): void {
  const checkedJob = state.inHand.job(outcome.tag);
  if (checkedJob !== undefined) state.fates.connected(checkedJob.hash, outcome);
  const isBusy = !outcome.ok && outcome.reason === "busy";
  const job = end(state, outcome.tag, isBusy ? "again" : "over");
  if (job === undefined) return;
  const { hash, header, origin } = job;
  const { peerId } = origin;
  if (outcome.ok || outcome.reason !== "fault") stillClaims(state, header, origin);
  if (outcome.ok) settle(origin, { ok: true });
  else if (outcome.reason !== "fault") settle(origin, { ok: false, reason: outcome.reason });
  if (outcome.ok) {
    // What only stands beside the chain has not proven good for anything.
    if (peerId === undefined || !isCanonical(hash, context.env)) return;
    state.reputation.tell({ type: "Report", peerId, event: "GoodBlock", about: hash, detail: "" });
  } else if (outcome.reason === "fault") {
    rejected(state, job, outcome.fault, context);
    if (!blamesNobody(outcome.fault.rule)) state.invalid.set(hash, true);
  } else if (outcome.reason === "orphan" && peerId !== undefined) {
    state.sync.tell({ type: "BehindPeer", peerId });
  }
}

/** `again`: whoever else announced it may be asked for it. */
function end(
  { inHand, fetch, fates, passedOn }: BlockHandlerState,
  tag: number,
  fate: "over" | "again",
): CheckedJob<BlockOrigin> | undefined {
  const job = inHand.end(tag);
  if (job === undefined) return undefined;
  // Where nothing was said of it before.
  fates.dropped(job.hash, "lost");
  passedOn.delete(job.hash);
  job.origin.peerReply?.tell("Done");
  if (fate === "over") fetch.wants.arrived(job.hash);
  else if (!inHand.has(job.hash)) fetch.wants.letGo(job.hash);
  return job;
}

function settle({ replyTo }: BlockOrigin, outcome: ProducedOutcome): void {
  replyTo?.tell(outcome);
}

function isCanonical(hash: HashHex, { blocks }: Pick<BlockHandlerEnv, "blocks">): boolean {
  const height = blocks.summary(hash)?.height;
  return height !== undefined && blocks.hashAt(height) === hash;
}

/** Whoever sends a block claims it as its head. */
function claimed(
  state: BlockHandlerState,
  peerId: PeerId,
  { hash, height, totalDifficulty }: HeaderSummary,
  { fetchedBytes, waited }: BlockOrigin,
): void {
  // Of what was announced, or waited, it was said before.
  if (fetchedBytes === 0 && waited !== true) {
    const how = "pushed";
    state.broadcaster.tell({ type: "PeerKnows", what: "block", how, peerId, hashes: [hash] });
  }
  claims(state, peerId, { hash, height, totalDifficulty });
}

/** It says that this is on its chain. */
export function claims(
  { registry }: BlockHandlerState,
  peerId: PeerId,
  { hash, height, totalDifficulty }: Pick<HeaderSummary, "hash" | "height" | "totalDifficulty">,
): void {
  const head = { height: BigInt(height), hash, totalDifficulty };
  registry.tell({ type: "HeadClaimed", peerId, head });
}

/** Of a block that came in compact form, and was not judged here or proved valid. */
function stillClaims(
  state: BlockHandlerState,
  header: HeaderSummary,
  { peerId, compact }: BlockOrigin,
): void {
  if (peerId !== undefined && compact !== undefined) claims(state, peerId, header);
}

/**
 * Peers send whole only what they validated, so an invalid block is its sender's fault: all but one
 * from the future, which the sender's clock allowed, and one at which our own consensus threw. Its
 * sender's claim brings it again later, by sync. Who sends the compact form has checked the header,
 * and is blamed for nothing else.
 */
export function rejected(
  state: BlockHandlerState,
  { hash, origin }: Pick<CheckedJob<BlockOrigin>, "hash" | "origin">,
  fault: Fault,
  context: BlockHandlerContext,
  kind = origin.fetchedBytes > 0 ? "ResponseBlock" : "NewBlock",
): void {
  const { peerId } = origin;
  const { rule, detail } = fault;
  settle(origin, { ok: false, reason: rule, fault });
  context.env.log.write("warn", "block rejected", { hash, rule, detail, peerId });
  const from = peerId === undefined ? {} : { peerId };
  const event = { type: "BlockRejected", hash, rule, detail, ...from } as const;
  state.events.tell({ type: "Publish", event });
  state.fates.told(hash);
  if (origin.compact !== undefined) return;
  if (peerId === undefined || blamesNobody(rule)) return;
  const blame = { type: "Report", peerId, event: "InvalidBlock", kind, about: hash } as const;
  state.reputation.tell({ ...blame, rule, detail });
}
