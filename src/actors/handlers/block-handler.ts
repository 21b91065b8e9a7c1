// Block handler: blocks at the tip, pushed, announced or produced here. Fetches what is announced,
// has it checked in the pool and connected (block-checks.ts); leaves everything that is more than a
// step ahead to sync.
// Told by: message router, producer, the service (submissions), peer handlers (answers). Tells: system router, broadcaster,
// sync, reputation, event bus, peer handlers.

import { LRUCache } from "lru-cache";
import { COMPACT_FILL_BYTES, WANTED_ID_BYTES } from "../../config/memory-plan.js";
import { invariant, unreachable } from "../../errors.js";
import { defineActor, replyToOf, type ActorRef } from "../../runtime/actor.js";
import { handledKinds } from "../../protocol/types/message.js";
import { RESTART } from "../policies.js";
import type { RequestOutcome } from "../peer/ask-peer.js";
import type { Incoming } from "../peer/peer-handler-messages.js";
import { check, checked, connectEnded, headerOf } from "./block-checks.js";
import { BlockFills, type PushOrigin } from "./block-fills.js";
import type {
  BlockHandlerArgs,
  BlockHandlerContext,
  BlockHandlerEnv,
  BlockHandlerMessage,
  BlockHandlerState,
  BlockKind,
} from "./block-handler-state.js";
import { BlockFates } from "./block-fates.js";
import { BlocksInHand } from "./blocks-in-hand.js";
import { found, takeCompact, transactionsCame, transactionsFailed } from "./compact-blocks.js";
import { servedTransactions } from "./pass-on.js";
import { blockFetchLimits, lateLimits } from "./fetch-limits.js";
import { mayWin } from "./may-win.js";
import { PeerFetch } from "./peer-fetch.js";

/** Blocks of which is remembered what came of their compact form. */
const DOUBTED_MAX = 64;

export const blockHandler = defineActor<
  BlockHandlerArgs,
  BlockHandlerMessage,
  BlockHandlerState,
  BlockHandlerEnv
>({
  name: "block-handler",
  mailbox: {
    dataMax: 256,
    controlMax: 1_024,
    overflow: "reject",
    replyOf: replyToOf,
    isControl: ({ type }) => type !== "Incoming" && type !== "Submitted",
  },
  onFault: RESTART,

  init(context, args) {
    const kinds = [...handledKinds("blocks/1"), ...handledKinds("compact/1")];
    const handler = context.self as ActorRef<Incoming>;
    args.router.tell({ type: "Register", kinds, handler });
    const { config } = context.env;
    const fills = new BlockFills();
    return {
      ...args,
      inHand: new BlocksInHand(),
      fates: context.owns(new BlockFates(args.events)),
      fetch: new PeerFetch({
        limits: blockFetchLimits(config),
        late: lateLimits(config, "block"),
        requestOf: ({ ids, to, tag }) => {
          const hash = ids[0]!;
          return fills.request(hash, to.from.path, tag) ?? { kind: "RequestBlock", hash };
        },
      }),
      fills,
      fillTries: new LRUCache({ max: DOUBTED_MAX }),
      doubted: new LRUCache({ max: DOUBTED_MAX }),
      passedOn: new Map(),
      invalid: new LRUCache({ max: config.sync.invalidHashesMax }),
      bytesLease: context.owns(context.env.memory.lease("fetches")),
      wantedLease: context.owns(context.env.memory.lease("wanted")),
      nextTag: 1,
    };
  },

  receive(state, message, context) {
    switch (message.type) {
      case "Incoming":
        receiveIncoming(state, message, context);
        return;
      case "Produced":
      case "Submitted":
        check(state, message.block, { replyTo: message.replyTo, fetchedBytes: 0 }, context);
        return;
      case "RequestOutcome":
        fetched(state, message, context);
        return;
      case "Found":
        found(state, message.tag, message.outcome, context);
        return;
      case "Checked":
        checked(state, message.tag, message.verdict, context);
        return;
      case "ConnectOutcome":
        connectEnded(state, message, context);
        return;
      case "FetchDue":
        state.fetch.due();
        return;
      case "PeerStopped":
        state.fetch.stopped(message.path);
        return;
      default:
        unreachable(message);
    }
  },

  signal(_state, signal, context) {
    // Signals overtake messages, and its last answer may still wait.
    if (signal.type !== "terminated") return;
    context.self.tell({ type: "PeerStopped", path: signal.path });
  },

  afterBatch(state, context) {
    checkReady(state, context);
    const { fetch, fills, inHand } = state;
    fetch.proceed(context, inHand.fetchedBytes);
    fills.prune((hash) => fetch.wants.has(hash));
    const announcedBy = fetch.takeMissed();
    if (announcedBy.length > 0) {
      state.broadcaster.tell({ type: "NotPushed", what: "block", announcedBy });
    }
    const filling = fills.count * COMPACT_FILL_BYTES;
    state.bytesLease.resize(fetch.leasedBytes + inHand.fetchedBytes + filling);
    state.wantedLease.resize(fetch.offerCount * WANTED_ID_BYTES);
  },

  invariants({ inHand, fetch, fills, passedOn }) {
    inHand.invariants();
    fetch.invariants();
    fills.invariants();
    for (const hash of passedOn.keys()) invariant(inHand.isChecked(hash), "it is being checked");
  },

  atRest({ inHand, fetch, fills }) {
    inHand.atRest();
    fetch.atRest();
    fills.atRest();
  },
});

/** Takes up the blocks that waited for what has come, or does not come any more. */
function checkReady(state: BlockHandlerState, context: BlockHandlerContext): void {
  const ready = state.inHand.takeReady((hash) => state.fetch.wants.has(hash));
  for (const { block, origin } of ready) {
    if (block instanceof Uint8Array) check(state, block, origin, context);
    else takeCompact(state, block, origin as PushOrigin, context);
  }
}

function receiveIncoming(
  state: BlockHandlerState,
  incoming: Incoming<BlockKind>,
  context: BlockHandlerContext,
): void {
  const { message, from, peerId, replyTo } = incoming;
  switch (message.kind) {
    case "RequestBlock": {
      const serve = { type: "Serve", request: message, peerId, replyTo } as const;
      context.forward(state.system, { to: "storage", message: serve }, replyTo);
      return;
    }
    case "AnnounceBlock":
      state.broadcaster.tell({
        type: "PeerKnows",
        what: "block",
        how: "announced",
        peerId,
        hashes: [message.hash],
      });
      announced(state, incoming as Incoming<"AnnounceBlock">, context);
      replyTo.tell("Done");
      return;
    case "NewBlock":
      check(state, message.block, { peerId, from, peerReply: replyTo, fetchedBytes: 0 }, context);
      return;
    case "CompactBlock":
      takeCompact(state, message, { peerId, from, peerReply: replyTo, fetchedBytes: 0 }, context);
      return;
    case "GetBlockTransactions": {
      const answer = servedTransactions(state, message);
      if (answer !== undefined) {
        replyTo.tell(answer);
        return;
      }
      const serve = { type: "Serve", request: message, peerId, replyTo } as const;
      context.forward(state.system, { to: "storage", message: serve }, replyTo);
      return;
    }
    default:
      unreachable(message);
  }
}

/** Fetches an announced block when it is the next one; anything further is a case for sync. */
function announced(
  state: BlockHandlerState,
  { message, from, peerId }: Incoming<"AnnounceBlock">,
  context: BlockHandlerContext,
): void {
  const { blocks, consensus } = context.env;
  const { fetch, inHand } = state;
  const { hash, totalDifficulty } = message;
  if (blocks.has(hash)) return;
  const head = blocks.head();
  if (!mayWin({ hash, height: Number(message.height), totalDifficulty }, head, consensus)) return;
  if (message.height > BigInt(head.height) + 1n) {
    state.sync.tell({ type: "BehindPeer", peerId });
    return;
  }
  // Of a block that is checked it is remembered too: the copy may turn out to be a wrong one.
  if (inHand.has(hash)) {
    fetch.announced({ peerId, from }, [hash], context);
    fetch.wants.hold(hash);
  } else fetch.heard({ peerId, from }, [hash], context);
}

function fetched(
  state: BlockHandlerState,
  outcome: RequestOutcome,
  context: BlockHandlerContext,
): void {
  const { tag, peerId } = outcome;
  const { fetch } = state;
  if (!outcome.ok) {
    transactionsFailed(state, outcome);
    fetch.failed(outcome, context);
    return;
  }
  if (outcome.message.kind === "BlockTransactions") {
    transactionsCame(state, outcome, outcome.message, context);
    return;
  }
  if (outcome.message.kind !== "ResponseBlock") return;
  const { block } = outcome.message;
  const header = headerOf(block, context.env);
  const hashes = header.ok ? [header.value.hash] : [];
  const asked = fetch.answered(tag, hashes, context);
  // It came from a peer that left.
  if (asked === undefined) return;
  if (header.ok && asked.size === 0) {
    const detail = "another block than the one asked for";
    state.reputation.tell({ type: "Broke", peerId, rule: "answer", detail });
    return;
  }
  check(state, block, { peerId, fetchedBytes: block.length }, context);
}
