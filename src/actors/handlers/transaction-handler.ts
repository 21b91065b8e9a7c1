// Transaction handler: gathers transactions from peers and local submitters into batches for the
// pool, puts the valid ones into the mempool and has them announced.
// Told by: message router, peer handlers (answers), the service (submissions). Tells: system
// router, broadcaster, reputation, event bus, peer handlers, submitters.

import { packBytes, packedItem } from "../../bytes/packed.js";
import { sha256 } from "../../bytes/sha256.js";
import { toHex } from "../../bytes/hex.js";
import { invariant, unreachable } from "../../errors.js";
import { defineActor, replyToOf, type ActorRef, type Context } from "../../runtime/actor.js";
import { IdCache } from "../id-cache.js";
import { RESTART } from "../policies.js";
import { firstTag } from "../tags.js";
import type { HashHex } from "../../chain/types.js";
import type { PeerId, TransactionsVerdict } from "../../ports.js";
import type { NodeEnv } from "../env.js";
import type { EventBusMessage } from "../events/event-bus.js";
import type { AddedTransaction, AddOutcome } from "../integration/mempool-integration.js";
import type { BroadcasterMessage } from "../peer/peer-broadcaster.js";
import type { Delivery, Incoming, RequestOutcome } from "../peer/peer-handler-messages.js";
import type { ReputationMessage } from "../peer/peer-reputation.js";
import type { MessageRouterMessage } from "../service/message-router.js";
import type { SystemRouterMessage } from "../service/system-router.js";
import { TransactionWants, type PlannedRequest } from "./transaction-wants.js";

type TransactionKind = "NewTransaction" | "AnnounceTransactions" | "RequestTransactions";

export type TransactionHandlerMessage =
  | Incoming<TransactionKind>
  | {
      readonly type: "Submit";
      readonly transaction: Uint8Array;
      readonly replyTo: ActorRef<SubmitOutcome>;
    }
  | RequestOutcome
  | {
      readonly type: "Checked";
      readonly tag: number;
      readonly verdict: TransactionsVerdict | undefined;
    }
  | AddOutcome
  /** A peer handler stopped, after all that it told. */
  | { readonly type: "PeerStopped"; readonly path: string };

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

export type TransactionHandlerEnv = Pick<NodeEnv, "config" | "log" | "random" | "workers">;

/** One transaction on its way into the mempool. */
interface Candidate {
  readonly id: HashHex;
  readonly bytes: Uint8Array;
  readonly peerId: PeerId | undefined;
  /** The message whose credit it holds. */
  readonly message: Delivery | undefined;
  readonly replyTo: ActorRef<SubmitOutcome> | undefined;
}

interface Batch {
  candidates: readonly Candidate[];
  state: "checking" | "checked" | "adding";
  /** Once checked; undefined: the pool lost it. */
  verdict: TransactionsVerdict | undefined;
}

interface State extends TransactionHandlerArgs {
  /** Ids of bodies that were taken up lately, valid or not. */
  readonly seen: IdCache;
  readonly queue: Candidate[];
  /** In order of arrival, in which they enter the mempool: nonces that rise must not overtake. */
  readonly batches: Map<number, Batch>;
  readonly wants: TransactionWants;
  nextTag: number;
  /** Refused because the queue was full. */
  dropped: number;
}

type Ctx = Context<TransactionHandlerMessage, TransactionHandlerEnv>;

/** Batches in the pool at once: enough to keep two threads busy, few enough to batch well. */
const BATCHES_MAX = 2;
const SEEN_MAX = 65_536;

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
    const kinds = ["NewTransaction", "AnnounceTransactions", "RequestTransactions"] as const;
    args.router.tell({ type: "Register", kinds, handler: context.self as ActorRef<Incoming> });
    return {
      ...args,
      seen: new IdCache(SEEN_MAX),
      queue: [],
      batches: new Map(),
      wants: new TransactionWants(
        context.env.config.gossip.requestsPerPeerMax,
        firstTag(context.env.random),
      ),
      nextTag: firstTag(context.env.random),
      dropped: 0,
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
        take(state, { id, bytes, peerId: undefined, message: undefined, replyTo }, context);
        return;
      }
      case "RequestOutcome":
        fetched(state, message, context);
        return;
      case "Checked":
        checked(state, message, context);
        return;
      case "AddOutcome":
        added(state, message);
        return;
      case "PeerStopped":
        for (const tag of state.wants.tagsOf(message.path)) {
          ask(state, state.wants.ended(tag, 0), context);
        }
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
    const { transactionBatchMax } = context.env.config.gossip;
    while (state.queue.length > 0 && state.batches.size < BATCHES_MAX) {
      const candidates = state.queue.splice(0, transactionBatchMax);
      const tag = state.nextTag++;
      state.batches.set(tag, { candidates, state: "checking", verdict: undefined });
      const packed = packBytes(candidates.map(({ bytes }) => bytes));
      context.pipe(context.env.workers.validateTransactions(packed), (outcome) => ({
        type: "Checked",
        tag,
        verdict: outcome.ok ? outcome.value : undefined,
      }));
    }
  },

  invariants({ queue, batches, wants }, { env }) {
    const { transactionBatchMax, transactionQueueMax } = env.config.gossip;
    invariant(queue.length <= transactionQueueMax, `${queue.length} transactions wait`);
    for (const { candidates } of batches.values()) {
      const { length } = candidates;
      invariant(length <= transactionBatchMax, `${length} transactions in a batch`);
    }
    wants.invariants();
  },

  atRest({ queue, batches, wants }) {
    invariant(queue.length === 0, `${queue.length} transactions wait`);
    invariant(batches.size === 0, `${batches.size} batches have places`);
    wants.atRest();
  },
});

function receiveIncoming(state: State, incoming: Incoming<TransactionKind>, context: Ctx): void {
  const { message, from, peerId, requestId } = incoming;
  switch (message.kind) {
    case "NewTransaction": {
      const bytes = message.transaction;
      const id = toHex(sha256(bytes));
      take(state, { id, bytes, peerId, message: incoming, replyTo: undefined }, context);
      return;
    }
    case "AnnounceTransactions":
      announced(state, incoming as Incoming<"AnnounceTransactions">, context);
      release(incoming);
      return;
    case "RequestTransactions": {
      const { ids } = message;
      const serve = { type: "ServeTransactions", ids, requestId, replyTo: from } as const;
      if (!state.system.tell({ to: "mempool", message: serve })) {
        const busy = { kind: "RequestRefused", reason: "Busy" } as const;
        from.tell({ type: "Reply", requestId, message: busy });
      }
      release(incoming);
      return;
    }
    default:
      unreachable(message);
  }
}

function release({ from, lane, bytes }: Delivery): void {
  from.tell({ type: "Consumed", lane, bytes });
}

function take(state: State, candidate: Candidate, context: Ctx): void {
  const { id, peerId, message, replyTo } = candidate;
  state.wants.arrived(id);
  // What was fetched was announced before.
  if (peerId !== undefined && message !== undefined) {
    state.broadcaster.tell({ type: "PeerKnows", peerId, hashes: [id] });
  }
  // Peers repeat each other; a user who submits again wants to know whether it is taken now.
  const known = state.seen.has(id) && replyTo === undefined;
  if (known || state.queue.length >= context.env.config.gossip.transactionQueueMax) {
    if (!known) state.dropped++;
    if (message !== undefined) release(message);
    replyTo?.tell({ ok: false, id, reason: known ? "known" : "busy" });
    return;
  }
  state.seen.add(id);
  state.queue.push(candidate);
}

/** Asks the announcer for what nobody sent or was asked for yet. */
function announced(
  state: State,
  { message, from, peerId }: Incoming<"AnnounceTransactions">,
  context: Ctx,
): void {
  state.broadcaster.tell({ type: "PeerKnows", peerId, hashes: message.ids });
  const unseen = message.ids.filter((id) => !state.seen.has(id));
  const request = state.wants.announced({ peerId, from }, unseen);
  if (request !== undefined) ask(state, [request], context);
}

function ask(state: State, requests: readonly PlannedRequest[], context: Ctx): void {
  for (const { tag, to, ids } of requests) {
    const message = { kind: "RequestTransactions", ids } as const;
    const items = ids.length;
    const request = { type: "Request", message, tag, items, replyTo: context.self } as const;
    // It may stop with the request in its mailbox; or is gone: the next announcer, of which there
    // are few.
    if (to.from.tell(request)) context.watch(to.from);
    else ask(state, state.wants.ended(tag, 0), context);
  }
}

function fetched(state: State, outcome: RequestOutcome, context: Ctx): void {
  const { tag, peerId } = outcome;
  const transactions =
    outcome.ok && outcome.message.kind === "ResponseTransactions"
      ? outcome.message.transactions
      : [];
  const ids = transactions.map((transaction) => toHex(sha256(transaction)));
  const asked = state.wants.askedAmong(tag, ids);
  for (const [index, bytes] of transactions.entries()) {
    const id = ids[index]!;
    if (!asked.has(id)) continue;
    take(state, { id, bytes, peerId, message: undefined, replyTo: undefined }, context);
  }
  ask(state, state.wants.ended(tag, asked.size), context);
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
  const { candidates, verdict } = state.batches.get(tag)!;
  for (const { message } of candidates) if (message !== undefined) release(message);
  if (verdict === undefined) {
    giveUp(state, tag, candidates);
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
    const { id, peerId, replyTo } = candidate;
    const reason = `${fault.rule}: ${fault.detail}`;
    replyTo?.tell({ ok: false, id, reason });
    reject(state, id, reason, peerId);
    if (peerId === undefined) continue;
    const event = "InvalidTransaction";
    state.reputation.tell({ type: "Report", peerId, event, detail: reason });
  }
  state.batches.set(tag, { candidates: valid, state: "adding", verdict: undefined });
  const add = { type: "AddTransactions", transactions, tag, replyTo: context.self } as const;
  if (valid.length > 0 && state.system.tell({ to: "mempool", message: add })) return;
  giveUp(state, tag, valid);
}

/** Whoever has them may send them again. */
function giveUp(state: State, tag: number, candidates: readonly Candidate[]): void {
  state.batches.delete(tag);
  for (const { id, replyTo } of candidates) {
    state.seen.delete(id);
    replyTo?.tell({ ok: false, id, reason: "busy" });
  }
}

function reject(state: State, id: HashHex, reason: string, peerId: PeerId | undefined): void {
  const from = peerId === undefined ? {} : { peerId };
  const event = { type: "TransactionRejected", id, reason, ...from } as const;
  state.events.tell({ type: "Publish", event });
}

function added(state: State, { tag, answers }: AddOutcome): void {
  const batch = state.batches.get(tag);
  if (batch === undefined) return;
  state.batches.delete(tag);
  const accepted: HashHex[] = [];
  const again: HashHex[] = [];
  for (const [index, { id, peerId, replyTo }] of batch.candidates.entries()) {
    const answer = answers[index];
    if (answer?.ok === true) {
      accepted.push(id);
      replyTo?.tell({ ok: true, id });
      if (peerId === undefined) continue;
      state.reputation.tell({ type: "Report", peerId, event: "GoodTransaction", detail: "" });
    } else {
      const reason = answer?.reason ?? "unknown";
      replyTo?.tell({ ok: false, id, reason });
      // It waits here, and its user waits for it: peers may have missed it.
      if (reason === "known" && replyTo !== undefined) again.push(id);
      // There may be room when it is announced again.
      if (reason === "full") state.seen.delete(id);
      reject(state, id, reason, peerId);
    }
  }
  if (accepted.length > 0) state.broadcaster.tell({ type: "RelayTransactions", ids: accepted });
  if (again.length > 0) state.broadcaster.tell({ type: "ReturnedTransactions", ids: again });
}
