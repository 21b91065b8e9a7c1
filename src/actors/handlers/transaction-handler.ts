// Transaction handler: gathers transactions from peers and local submitters into batches for the
// pool, puts the valid ones into the mempool and has them announced.
// Told by: message router, peer handlers (answers), the service (submissions). Tells: system
// router, broadcaster, reputation, event bus, peer handlers, submitters.

import { sha256 } from "../../bytes/sha256.js";
import { toHex } from "../../bytes/hex.js";
import { KNOWN_ID_BYTES, WANTED_ID_BYTES } from "../../config/memory-plan.js";
import { invariant, unreachable } from "../../errors.js";
import { defineActor, replyToOf, type ActorRef } from "../../runtime/actor.js";
import { handledKinds } from "../../protocol/types/message.js";
import { RESTART } from "../policies.js";
import type { RequestOutcome } from "../peer/ask-peer.js";
import type { Incoming } from "../peer/peer-handler-messages.js";
import { transactionFetchLimits } from "./fetch-limits.js";
import { KnownTransactions } from "./known-transactions.js";
import { PeerFetch } from "./peer-fetch.js";
import { added, blame, checked, checkWaiting, end, heldBytesOf } from "./transaction-checks.js";
import type {
  TransactionCandidate as Candidate,
  TransactionHandlerArgs,
  TransactionHandlerContext as Ctx,
  TransactionHandlerEnv,
  TransactionHandlerMessage,
  TransactionHandlerState as State,
  TransactionKind,
} from "./transaction-handler-state.js";

/** Places in the queue for what was asked for while there was room. */
const FETCHED_QUEUE_MAX = 8_192;

export const transactionHandler = defineActor<
  TransactionHandlerArgs,
  TransactionHandlerMessage,
  State,
  TransactionHandlerEnv
>({
  name: "transaction-handler",
  mailbox: {
    dataMax: 8_192,
    controlMax: 1_024,
    overflow: "reject",
    replyOf: replyToOf,
    isControl: ({ type }) => type !== "Incoming" && type !== "Submit",
  },
  onFault: RESTART,

  init(context, args) {
    const kinds = handledKinds("transactions/1");
    args.router.tell({ type: "Register", kinds, handler: context.self as ActorRef<Incoming> });
    const { config } = context.env;
    args.system.tell({ to: "mempool", message: { type: "Subscribe", subscriber: context.self } });
    return {
      ...args,
      known: new KnownTransactions(),
      queue: [],
      batches: new Map(),
      fetch: new PeerFetch(transactionFetchLimits(config), (ids) => ({
        kind: "RequestTransactions",
        ids,
      })),
      heldBytes: 0,
      bytesLease: context.owns(context.env.memory.lease("fetches")),
      wantedLease: context.owns(context.env.memory.lease("wanted")),
      knownLease: context.owns(context.env.memory.lease("knownIds")),
      nextTag: 1,
    };
  },

  receive(state, message, context) {
    switch (message.type) {
      case "Incoming":
        receiveIncoming(state, message, context);
        return;
      case "Submit": {
        const { transaction: bytes, replyTo } = message;
        const id = toHex(sha256(bytes));
        take(state, { id, bytes, peerId: undefined, peerReply: undefined, replyTo }, context);
        return;
      }
      case "RequestOutcome":
        fetched(state, message, context);
        return;
      case "Checked":
        checked(state, message, context);
        return;
      case "Added":
        added(state, message);
        return;
      case "ReturnedTransactions":
        for (const id of message.ids) state.known.add(id);
        return;
      case "EvictedTransactions":
        for (const id of message.ids) state.known.forget(id);
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
    // Signals overtake messages, and its last answers may still wait.
    if (signal.type !== "terminated") return;
    context.self.tell({ type: "PeerStopped", path: signal.path });
  },

  afterBatch(state, context) {
    const { transactionQueueMax } = context.env.config.gossip;
    if (state.queue.length < transactionQueueMax) state.fetch.proceed(context, state.heldBytes);
    checkWaiting(state, context);
    const { fetch, known } = state;
    state.bytesLease.resize(fetch.leasedBytes + state.heldBytes);
    state.wantedLease.resize(fetch.offerCount * WANTED_ID_BYTES);
    state.knownLease.resize(known.size * KNOWN_ID_BYTES);
  },

  invariants({ queue, batches, fetch, heldBytes }, { env }) {
    const { transactionBatchMax, transactionQueueMax } = env.config.gossip;
    const queueMax = transactionQueueMax + FETCHED_QUEUE_MAX;
    invariant(queue.length <= queueMax, `${queue.length} transactions wait`);
    let held = queue.reduce((sum, candidate) => sum + heldBytesOf(candidate), 0);
    for (const { candidates, heldBytes: bytes } of batches.values()) {
      const { length } = candidates;
      invariant(length <= transactionBatchMax, `${length} transactions in a batch`);
      held += bytes;
    }
    invariant(held === heldBytes, "what is held is counted");
    fetch.invariants();
  },

  atRest({ queue, batches, fetch, heldBytes }) {
    invariant(queue.length === 0, `${queue.length} transactions wait`);
    invariant(batches.size === 0, `${batches.size} batches have places`);
    invariant(heldBytes === 0, `${heldBytes} bytes are held`);
    fetch.atRest();
  },
});

function receiveIncoming(state: State, incoming: Incoming<TransactionKind>, context: Ctx): void {
  const { message, peerId, replyTo } = incoming;
  switch (message.kind) {
    case "NewTransaction": {
      const bytes = message.transaction;
      const id = toHex(sha256(bytes));
      take(state, { id, bytes, peerId, peerReply: replyTo, replyTo: undefined }, context);
      return;
    }
    case "AnnounceTransactions":
      announced(state, incoming as Incoming<"AnnounceTransactions">, context);
      replyTo.tell("Done");
      return;
    case "RequestTransactions": {
      const serve = { type: "ServeTransactions", ids: message.ids, replyTo } as const;
      context.forward(state.system, { to: "mempool", message: serve }, replyTo);
      return;
    }
    default:
      unreachable(message);
  }
}

function take(state: State, candidate: Candidate, context: Ctx): void {
  const { id, peerId, peerReply, replyTo } = candidate;
  // What was fetched was announced before.
  if (peerId !== undefined && peerReply !== undefined) {
    state.broadcaster.tell({ type: "PeerKnows", what: "transaction", peerId, hashes: [id] });
  }
  if (peerId !== undefined && state.known.isInvalid(id)) {
    blame(state, candidate, { detail: "known to be invalid" });
  }
  // Peers repeat each other; a user who submits again wants to know whether it is taken now.
  const known = state.known.has(id) && replyTo === undefined;
  if (known || !hasRoom(state, candidate, context)) {
    end(candidate, { ok: false, id, rule: known ? "known" : "busy", detail: "" });
    return;
  }
  state.fetch.wants.arrived(id);
  state.known.add(id);
  state.queue.push(candidate);
  state.heldBytes += heldBytesOf(candidate);
}

/**
 * What was asked for is taken, for there was room when it was: no push takes its place. Only an
 * answer that is so late that its room was given to others has none.
 */
function hasRoom({ fetch, heldBytes, queue }: State, candidate: Candidate, { env }: Ctx): boolean {
  const { peerReply, replyTo } = candidate;
  const fetched = peerReply === undefined && replyTo === undefined;
  const { submittedBytesMax, transactionFetchBytesMax, transactionQueueMax } = env.config.gossip;
  const bytes = heldBytesOf(candidate);
  const bytesMax = transactionFetchBytesMax + (fetched ? 0 : submittedBytesMax);
  if (bytes > 0 && heldBytes + fetch.leasedBytes + bytes > bytesMax) return false;
  return queue.length < transactionQueueMax + (fetched ? FETCHED_QUEUE_MAX : 0);
}

function announced(
  state: State,
  { message, from, peerId }: Incoming<"AnnounceTransactions">,
  context: Ctx,
): void {
  state.broadcaster.tell({ type: "PeerKnows", what: "transaction", peerId, hashes: message.ids });
  const missing = message.ids.filter((id) => !state.known.has(id));
  state.fetch.announced({ peerId, from }, missing, context);
}

function fetched(state: State, outcome: RequestOutcome, context: Ctx): void {
  if (!outcome.ok || outcome.message.kind !== "ResponseTransactions") {
    if (!outcome.ok) state.fetch.failed(outcome, context);
    return;
  }
  const { tag, peerId } = outcome;
  const { transactions } = outcome.message;
  const ids = transactions.map((transaction) => toHex(sha256(transaction)));
  const asked = state.fetch.answered(tag, ids, context);
  for (const [index, bytes] of transactions.entries()) {
    const id = ids[index]!;
    if (asked?.has(id) !== true) continue;
    take(state, { id, bytes, peerId, peerReply: undefined, replyTo: undefined }, context);
  }
}
