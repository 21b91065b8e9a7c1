// Transaction handler: gathers transactions from peers and local submitters into batches for the
// pool, puts the valid ones into the mempool and has them announced.
// Told by: message router, peer handlers (answers), the service (submissions). Tells: system
// router, broadcaster, reputation, event bus, peer handlers, submitters.

import { packBytes, packedItem } from "../../bytes/packed.js";
import { sha256 } from "../../bytes/sha256.js";
import { toHex } from "../../bytes/hex.js";
import { invariant, unreachable } from "../../errors.js";
import {
  defineActor,
  NO_DEADLINE,
  replyToOf,
  type ActorRef,
  type AskOutcome,
  type Context,
} from "../../runtime/actor.js";
import { handledKinds } from "../../protocol/types/message.js";
import { RESTART } from "../policies.js";
import { firstTag } from "../tags.js";
import type { HashHex } from "../../chain/types.js";
import type { MempoolAnswer, PeerId, TransactionsVerdict } from "../../ports.js";
import type { NodeEnv } from "../env.js";
import type { EventBusMessage } from "../events/event-bus.js";
import type { AddedTransaction, MempoolChanged } from "../integration/mempool-integration.js";
import type { BroadcasterMessage } from "../peer/peer-broadcaster.js";
import type { Answer, Incoming, RequestOutcome } from "../peer/peer-handler-messages.js";
import type { ReputationMessage } from "../peer/peer-reputation.js";
import type { MessageRouterMessage } from "../service/message-router.js";
import type { SystemRouterMessage } from "../service/system-router.js";
import { blamesNobody } from "../../chain/faults.js";
import { transactionFetchLimits } from "./fetch-limits.js";
import { KnownTransactions } from "./known-transactions.js";
import { PeerFetch, type PeerFetchMessage } from "./peer-fetch.js";

type TransactionKind = "NewTransaction" | "AnnounceTransactions" | "RequestTransactions";

export type TransactionHandlerMessage =
  | Incoming<TransactionKind>
  | {
      readonly type: "Submit";
      readonly transaction: Uint8Array;
      readonly replyTo: ActorRef<SubmitOutcome>;
    }
  | {
      readonly type: "Checked";
      readonly tag: number;
      readonly verdict: TransactionsVerdict | undefined;
    }
  | {
      readonly type: "Added";
      readonly tag: number;
      readonly outcome: AskOutcome<readonly MempoolAnswer[]>;
    }
  | MempoolChanged
  | PeerFetchMessage;

/** Accepted: valid, in this node's mempool and announced; not durable, not in a block. */
export type SubmitOutcome =
  | { readonly ok: true; readonly id: HashHex }
  | { readonly ok: false; readonly id: HashHex; readonly reason: string };

export interface TransactionHandlerArgs {
  readonly router: ActorRef<MessageRouterMessage>;
  readonly system: ActorRef<SystemRouterMessage>;
  readonly broadcaster: ActorRef<BroadcasterMessage>;
  readonly reputation: ActorRef<ReputationMessage>;
  readonly events: ActorRef<EventBusMessage>;
}

export type TransactionHandlerEnv = Pick<
  NodeEnv,
  "clock" | "config" | "log" | "random" | "workers"
>;

/** One transaction on its way into the mempool. */
interface Candidate {
  readonly id: HashHex;
  readonly bytes: Uint8Array;
  readonly peerId: PeerId | undefined;
  /** Of the peer's message that it came in. */
  readonly peerReply: ActorRef<Answer> | undefined;
  readonly replyTo: ActorRef<SubmitOutcome> | undefined;
}

interface Batch {
  /** Of those that hold no credit. */
  readonly heldBytes: number;
  candidates: readonly Candidate[];
  state: "checking" | "checked" | "adding";
  /** Once checked; undefined: the pool lost it. */
  verdict: TransactionsVerdict | undefined;
}

interface State extends TransactionHandlerArgs {
  readonly known: KnownTransactions;
  readonly queue: Candidate[];
  /** In order of arrival, in which they enter the mempool: nonces that rise must not overtake. */
  readonly batches: Map<number, Batch>;
  readonly fetch: PeerFetch;
  /** Wait or are checked, and hold no credit: they were asked for, or submitted here. */
  heldBytes: number;
  nextTag: number;
}

type Ctx = Context<TransactionHandlerMessage, TransactionHandlerEnv>;

/** Batches in the pool at once: enough to keep two threads busy, few enough to batch well. */
const BATCHES_MAX = 2;
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
    const { config, random } = context.env;
    args.system.tell({ to: "mempool", message: { type: "Subscribe", subscriber: context.self } });
    return {
      ...args,
      known: new KnownTransactions(),
      queue: [],
      batches: new Map(),
      fetch: new PeerFetch(transactionFetchLimits(config), firstTag(random), (ids) => ({
        kind: "RequestTransactions",
        ids,
      })),
      heldBytes: 0,
      nextTag: firstTag(context.env.random),
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
    const { transactionBatchMax, transactionQueueMax } = context.env.config.gossip;
    if (state.queue.length < transactionQueueMax) state.fetch.proceed(context, state.heldBytes);
    while (state.queue.length > 0 && state.batches.size < BATCHES_MAX) {
      const candidates = state.queue.splice(0, transactionBatchMax);
      const tag = state.nextTag++;
      const heldBytes = candidates.reduce((sum, candidate) => sum + heldBytesOf(candidate), 0);
      state.batches.set(tag, { candidates, heldBytes, state: "checking", verdict: undefined });
      const packed = packBytes(candidates.map(({ bytes }) => bytes));
      context.pipe(context.env.workers.validateTransactions(packed), (outcome) => ({
        type: "Checked",
        tag,
        verdict: outcome.ok ? outcome.value : undefined,
      }));
    }
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

/** It is out of this node's hands, or in its mempool. */
function end({ peerReply, replyTo }: Candidate, outcome: SubmitOutcome): void {
  peerReply?.tell("Done");
  replyTo?.tell(outcome);
}

function take(state: State, candidate: Candidate, context: Ctx): void {
  const { id, peerId, peerReply, replyTo } = candidate;
  // What was fetched was announced before.
  if (peerId !== undefined && peerReply !== undefined) {
    state.broadcaster.tell({ type: "PeerKnows", peerId, hashes: [id] });
  }
  if (peerId !== undefined && state.known.isInvalid(id)) {
    blame(state, peerId, "known to be invalid");
  }
  // Peers repeat each other; a user who submits again wants to know whether it is taken now.
  const known = state.known.has(id) && replyTo === undefined;
  if (known || !hasRoom(state, candidate, context)) {
    end(candidate, { ok: false, id, reason: known ? "known" : "busy" });
    return;
  }
  state.fetch.wants.arrived(id);
  state.known.add(id);
  state.queue.push(candidate);
  state.heldBytes += heldBytesOf(candidate);
}

/** What was asked for is taken, for there was room when it was: no push takes its place. */
function hasRoom({ queue }: State, { peerReply, replyTo }: Candidate, { env }: Ctx): boolean {
  const fetched = peerReply === undefined && replyTo === undefined;
  const { transactionQueueMax } = env.config.gossip;
  return queue.length < transactionQueueMax + (fetched ? FETCHED_QUEUE_MAX : 0);
}

/** What came by itself holds the credit of its lane instead. */
function heldBytesOf({ bytes, peerReply }: Candidate): number {
  return peerReply === undefined ? bytes.length : 0;
}

function announced(
  state: State,
  { message, from, peerId }: Incoming<"AnnounceTransactions">,
  context: Ctx,
): void {
  state.broadcaster.tell({ type: "PeerKnows", peerId, hashes: message.ids });
  const missing = message.ids.filter((id) => !state.known.has(id));
  state.fetch.announced(from, missing, context);
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

function checked(
  state: State,
  { tag, verdict }: Extract<TransactionHandlerMessage, { type: "Checked" }>,
  context: Ctx,
): void {
  const batch = state.batches.get(tag);
  if (batch === undefined) return;
  batch.state = "checked";
  batch.verdict = verdict;
  for (const [first, { state: phase }] of state.batches) {
    if (phase === "checking") return;
    if (phase === "checked") judge(state, first, context);
  }
}

/** Takes the valid ones of a batch to the mempool, and tells the others' submitters. */
function judge(state: State, tag: number, context: Ctx): void {
  const { candidates, verdict, heldBytes } = state.batches.get(tag)!;
  if (verdict === undefined) {
    giveUp(state, tag, candidates, "busy");
    return;
  }
  const faults = new Map(verdict.faults.map(({ index, fault }) => [index, fault]));
  const valid: Candidate[] = [];
  const transactions: AddedTransaction[] = [];
  for (const [index, candidate] of candidates.entries()) {
    const fault = faults.get(index);
    if (fault === undefined) {
      valid.push(candidate);
      // A copy: a view would keep the whole batch in memory for as long as one of it waits.
      const bytes = packedItem(verdict.transactions, index).slice();
      transactions.push({ id: candidate.id, bytes, own: candidate.replyTo !== undefined });
      continue;
    }
    const { id, peerId } = candidate;
    const reason = `${fault.rule}: ${fault.detail}`;
    end(candidate, { ok: false, id, reason });
    reject(state, id, reason, peerId);
    if (blamesNobody(fault.rule)) {
      state.known.forget(id);
      continue;
    }
    state.known.invalid(id);
    if (peerId !== undefined) blame(state, peerId, reason);
  }
  if (valid.length === 0) {
    close(state, tag);
    return;
  }
  state.batches.set(tag, { candidates: valid, heldBytes, state: "adding", verdict: undefined });
  context.ask<SystemRouterMessage, readonly MempoolAnswer[]>(
    state.system,
    (replyTo) => ({ to: "mempool", message: { type: "AddTransactions", transactions, replyTo } }),
    NO_DEADLINE,
    (outcome) => ({ type: "Added", tag, outcome }),
  );
}

/** Whoever has them may send them again. */
function giveUp(
  state: State,
  tag: number,
  candidates: readonly Candidate[],
  reason: "busy" | "failed",
): void {
  close(state, tag);
  for (const candidate of candidates) {
    const { id } = candidate;
    state.known.forget(id);
    end(candidate, { ok: false, id, reason });
  }
}

function close(state: State, tag: number): void {
  state.heldBytes -= state.batches.get(tag)?.heldBytes ?? 0;
  state.batches.delete(tag);
}

function blame({ reputation }: State, peerId: PeerId, detail: string): void {
  reputation.tell({ type: "Report", peerId, event: "InvalidTransaction", detail });
}

function reject(state: State, id: HashHex, reason: string, peerId: PeerId | undefined): void {
  const from = peerId === undefined ? {} : { peerId };
  const event = { type: "TransactionRejected", id, reason, ...from } as const;
  state.events.tell({ type: "Publish", event });
}

function added(
  state: State,
  { tag, outcome }: Extract<TransactionHandlerMessage, { type: "Added" }>,
): void {
  const batch = state.batches.get(tag);
  if (batch === undefined) return;
  if (!outcome.ok) {
    giveUp(state, tag, batch.candidates, outcome.reason === "refused" ? "busy" : "failed");
    return;
  }
  close(state, tag);
  const accepted: HashHex[] = [];
  const again: HashHex[] = [];
  for (const [index, candidate] of batch.candidates.entries()) {
    const { id, peerId, replyTo } = candidate;
    const answer = outcome.value[index];
    if (answer?.ok === true) {
      accepted.push(id);
      end(candidate, { ok: true, id });
      if (peerId === undefined) continue;
      state.reputation.tell({ type: "Report", peerId, event: "GoodTransaction", detail: "" });
    } else {
      const reason = answer?.reason ?? "unknown";
      end(candidate, { ok: false, id, reason });
      // It waits here, and its user waits for it: peers may have missed it.
      if (reason === "known" && replyTo !== undefined) again.push(id);
      // There may be room when it is announced again.
      if (reason === "full") state.known.forget(id);
      reject(state, id, reason, peerId);
    }
  }
  if (accepted.length > 0) state.broadcaster.tell({ type: "RelayTransactions", ids: accepted });
  if (again.length > 0) state.broadcaster.tell({ type: "ReturnedTransactions", ids: again });
}
