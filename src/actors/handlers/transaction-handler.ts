// Transaction handler: gathers transactions from peers and local submitters into batches for the
// pool, puts the valid ones into the mempool and has them announced.
// Told by: message router, peer handlers (answers), the service (submissions). Tells: system
// router, broadcaster, reputation, event bus, peer handlers, submitters.

import { sha256 } from "../../bytes/sha256.js";
import { toHex } from "../../bytes/hex.js";
import {
  KNOWN_ID_BYTES,
  SUBMITTED_TRANSACTIONS_MAX,
  WANTED_ID_BYTES,
} from "../../config/memory-plan.js";
import { invariant, unreachable } from "../../errors.js";
import { defineActor, replyToOf, type ActorRef } from "../../runtime/actor.js";
import { handledKinds } from "../../protocol/types/message.js";
import { isHeard } from "../events/heard.js";
import { RESTART } from "../policies.js";
import type { PeerId } from "../../ports.js";
import type { HashHex, ShortId } from "../../types/chain.js";
import type { RequestOutcome } from "../peer/ask-peer.js";
import type { Incoming } from "../peer/peer-handler-messages.js";
import { CheckBudget } from "./check-budget.js";
import { lateLimits, shortIdFetchLimits, transactionFetchLimits } from "./fetch-limits.js";
import { KnownTransactions } from "./known-transactions.js";
import { PeerFetch } from "./peer-fetch.js";
import {
  added,
  blame,
  checked,
  checkWaiting,
  end,
  forsake,
  heldBytesOf,
} from "./transaction-checks.js";
import type {
  Rank,
  TransactionCandidate as Candidate,
  TransactionHandlerArgs,
  TransactionHandlerContext as Ctx,
  TransactionHandlerEnv,
  TransactionHandlerMessage,
  TransactionHandlerState as State,
  TransactionKind,
} from "./transaction-handler-state.js";

/** How often the log says that some were not checked. */
const UNCHECKED_TOLD_MS = 10_000;
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
    // What it cannot take yet waits at the router, which weighs its kinds.
    dataMax: 256,
    // What is submitted has room whatever peers send, and a bound where it is handed in.
    controlMax: 1_024 + SUBMITTED_TRANSACTIONS_MAX,
    overflow: "reject",
    replyOf: replyToOf,
    isControl: ({ type }) => type !== "Incoming",
  },
  onFault: RESTART,

  init(context, args) {
    const kinds = [...handledKinds("transactions/1"), "AnnounceShortIds"] as const;
    args.router.tell({ type: "Register", kinds, handler: context.self as ActorRef<Incoming> });
    const { config } = context.env;
    args.system.tell({ to: "mempool", message: { type: "Subscribe", subscriber: context.self } });
    const state: State = {
      ...args,
      heard: context.env.heard,
      known: new KnownTransactions(context.env.shortIdKey),
      budget: new CheckBudget(config),
      queues: { own: [], known: [], stranger: [] },
      unchecked: 0,
      uncheckedToldMs: Number.NEGATIVE_INFINITY,
      batches: new Map(),
      fetch: new PeerFetch({
        limits: transactionFetchLimits(config),
        late: lateLimits(config, "transaction"),
        requestOf: ({ ids }) => ({ kind: "RequestTransactions", ids }),
      }),
      shortFetch: new PeerFetch({
        limits: shortIdFetchLimits(config),
        late: lateLimits(config, "transaction"),
        series: 1,
        requestOf: ({ ids }) => ({ kind: "RequestShortIds", ids }),
      }),
      heldBytes: 0,
      ownBytes: 0,
      bytesLease: context.owns(context.env.memory.lease("fetches")),
      wantedLease: context.owns(context.env.memory.lease("wanted")),
      knownLease: context.owns(context.env.memory.lease("knownIds")),
      nextTag: 1,
    };
    context.owns({ release: () => forsake(state) });
    return state;
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
        state.shortFetch.due();
        return;
      case "PeerStopped":
        state.fetch.stopped(message.path);
        state.shortFetch.stopped(message.path);
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
    const { dropAll } = context.env.config.overload;
    const { fetch, known, shortFetch } = state;
    if (waitingOf(state) < dropAll) {
      const heldBytes = state.heldBytes + state.ownBytes;
      fetch.proceed(context, heldBytes + shortFetch.leasedBytes);
      shortFetch.proceed(context, heldBytes + fetch.leasedBytes);
    }
    const announcedBy = shortFetch.takeMissed();
    if (announcedBy.length > 0) {
      state.broadcaster.tell({ type: "NotPushed", what: "transaction", announcedBy });
    }
    checkWaiting(state, context);
    state.bytesLease.resize(fetchedBytes(state) + state.heldBytes + state.ownBytes);
    state.wantedLease.resize((fetch.offerCount + shortFetch.offerCount) * WANTED_ID_BYTES);
    state.knownLease.resize(known.size * KNOWN_ID_BYTES);
  },

  invariants({ queues, batches, fetch, shortFetch, heldBytes, ownBytes }, { env }) {
    const { transactionBatchMax } = env.config.gossip;
    // Those that came by themselves are no more than the router lets be open.
    const { dropAll } = env.config.overload;
    const { own, known, stranger } = queues;
    const waiting = known.length + stranger.length;
    invariant(waiting <= dropAll + FETCHED_QUEUE_MAX, `${waiting} of peers wait`);
    invariant(own.length <= SUBMITTED_TRANSACTIONS_MAX, `${own.length} submitted ones wait`);
    let held = heldIn(known) + heldIn(stranger);
    let submitted = heldIn(own);
    for (const { rank, candidates, heldBytes: bytes } of batches.values()) {
      const { length } = candidates;
      invariant(length <= transactionBatchMax, `${length} transactions in a batch`);
      if (rank === "own") submitted += bytes;
      else held += bytes;
    }
    invariant(held === heldBytes && submitted === ownBytes, "what is held is counted");
    fetch.invariants();
    shortFetch.invariants();
  },

  atRest(state) {
    const { queues, batches, fetch, shortFetch, heldBytes, ownBytes } = state;
    const waiting = waitingOf(state) + queues.own.length;
    invariant(waiting === 0, `${waiting} transactions wait`);
    invariant(batches.size === 0, `${batches.size} batches have places`);
    invariant(heldBytes + ownBytes === 0, `${heldBytes + ownBytes} bytes are held`);
    fetch.atRest();
    shortFetch.atRest();
  },
});

/** Of peers. */
function waitingOf({ queues: { known, stranger } }: State): number {
  return known.length + stranger.length;
}

/** The most that unanswered requests may bring. */
function fetchedBytes({ fetch, shortFetch }: State): number {
  return fetch.leasedBytes + shortFetch.leasedBytes;
}

function heldIn(candidates: readonly Candidate[]): number {
  return candidates.reduce((sum, candidate) => sum + heldBytesOf(candidate), 0);
}

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
    case "AnnounceShortIds":
      announcedShort(state, incoming as Incoming<"AnnounceShortIds">, context);
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
  const short = state.known.shortOf(id);
  const isPush = peerId !== undefined && peerReply !== undefined;
  for (const teller of state.shortFetch.came(short, isPush, context)) {
    peerKnows(state, teller, "announced", [id]);
  }
  // What was fetched was announced before.
  if (isPush) peerKnows(state, peerId, "pushed", [id]);
  if (peerId !== undefined && state.known.isInvalid(id)) {
    blame(state, candidate, { detail: "known to be invalid" });
  }
  // Peers repeat each other; a user who submits again wants to know whether it is taken now.
  const known = state.known.has(id) && replyTo === undefined;
  const rank =
    known || !hasRoom(state, candidate, context) ? undefined : rankOf(state, candidate, context);
  if (rank === undefined) {
    end(candidate, { ok: false, id, rule: known ? "known" : "busy", detail: "" });
    return;
  }
  candidate.rank = rank;
  state.fetch.wants.arrived(id);
  state.shortFetch.wants.arrived(short);
  state.known.add(id, short);
  state.queues[rank].push(candidate);
  if (isHeard(state, "TransactionReceived")) {
    const from = peerId === undefined ? {} : { peerId };
    const event = { type: "TransactionReceived", id, ...from } as const;
    state.events.tell({ type: "Publish", event });
  }
  if (rank === "own") state.ownBytes += heldBytesOf(candidate);
  else state.heldBytes += heldBytesOf(candidate);
}

/**
 * What was asked for is taken, for there was room when it was: no push takes its place. Only an
 * answer that is so late that its room was given to others has none. Of what is pushed the router
 * hands on no more than there is room for. What is submitted here has room of its own, and what
 * nobody else has.
 */
function hasRoom(state: State, candidate: Candidate, { env }: Ctx): boolean {
  const { peerReply, replyTo } = candidate;
  const { submittedBytesMax, transactionFetchBytesMax } = env.config.gossip;
  const { heldBytes, ownBytes } = state;
  const bytes = heldBytesOf(candidate);
  const wouldBe = heldBytes + ownBytes + fetchedBytes(state) + bytes;
  if (replyTo !== undefined) {
    if (state.queues.own.length >= SUBMITTED_TRANSACTIONS_MAX) return false;
    const isFree = wouldBe <= transactionFetchBytesMax + submittedBytesMax;
    return isFree || ownBytes + bytes <= submittedBytesMax;
  }
  if (peerReply !== undefined) return true;
  const { dropAll } = env.config.overload;
  return wouldBe <= transactionFetchBytesMax && waitingOf(state) < dropAll + FETCHED_QUEUE_MAX;
}

/** Undefined: nothing more of whoever brought it is checked for now. */
function rankOf(state: State, candidate: Candidate, { env }: Ctx): Rank | undefined {
  const { peerId } = candidate;
  if (peerId === undefined) return "own";
  if (env.throttle.trusted.has(peerId)) return "known";
  const nowMs = env.clock.monotonicMs();
  candidate.key = env.groups?.nameOf(peerId) ?? peerId;
  const rank = state.budget.admit(candidate.key, nowMs);
  if (rank !== undefined) return rank;
  state.unchecked++;
  if (nowMs - state.uncheckedToldMs >= UNCHECKED_TOLD_MS) {
    const { unchecked: count } = state;
    env.log.write("warn", "transactions are not checked", { count, group: candidate.key });
    state.unchecked = 0;
    state.uncheckedToldMs = nowMs;
  }
  return undefined;
}

function announced(
  state: State,
  { message, from, peerId }: Incoming<"AnnounceTransactions">,
  context: Ctx,
): void {
  peerKnows(state, peerId, "announced", message.ids);
  const missing = message.ids.filter((id) => !state.known.has(id));
  state.fetch.announced({ peerId, from }, missing, context);
}

/** Of those that are not here it is said that the peer has them when their bodies come. */
function announcedShort(
  state: State,
  { message, from, peerId }: Incoming<"AnnounceShortIds">,
  context: Ctx,
): void {
  const known: HashHex[] = [];
  const missing: ShortId[] = [];
  for (const short of message.ids) {
    const id = state.known.idOf(short);
    if (id === undefined) missing.push(short);
    else known.push(id);
  }
  peerKnows(state, peerId, "announced", known);
  state.shortFetch.heard({ peerId, from }, missing, context);
}

function peerKnows(
  { broadcaster }: State,
  peerId: PeerId,
  how: "announced" | "pushed",
  hashes: readonly HashHex[],
): void {
  if (hashes.length === 0) return;
  broadcaster.tell({ type: "PeerKnows", what: "transaction", how, peerId, hashes });
}

function fetched(state: State, outcome: RequestOutcome, context: Ctx): void {
  const { tag, peerId } = outcome;
  const isShort = state.shortFetch.owns(tag);
  const fetch = isShort ? state.shortFetch : state.fetch;
  if (!outcome.ok) {
    fetch.failed(outcome, context);
    return;
  }
  if (!("transactions" in outcome.message)) return;
  const { transactions } = outcome.message;
  const ids = transactions.map((transaction) => toHex(sha256(transaction)));
  const keys = isShort ? ids.map((id) => state.known.shortOf(id)) : ids;
  const asked = fetch.answered(tag, keys, context);
  for (const [index, bytes] of transactions.entries()) {
    const id = ids[index]!;
    if (asked?.has(keys[index]!) !== true) continue;
    take(state, { id, bytes, peerId, peerReply: undefined, replyTo: undefined }, context);
  }
}
