// Transaction handler: gathers transactions from peers and local submitters into batches for the
// pool, puts the valid ones into the mempool and has them announced.
// Told by: message router, peer handlers (answers), the service (submissions). Tells: system
// router, broadcaster, reputation, event bus, peer handlers, submitters.

import { packBytes, packedItem } from "../../bytes/packed.js";
import { sha256 } from "../../bytes/sha256.js";
import { toHex } from "../../bytes/hex.js";
import { invariant, unreachable } from "../../errors.js";
import { defineActor, type ActorRef, type Context } from "../../runtime/actor.js";
import { IdCache } from "../id-cache.js";
import { RESTART } from "../policies.js";
import { firstTag } from "../tags.js";
import type { HashHex } from "../../chain/types.js";
import type { MempoolTransaction, PeerId, TransactionsVerdict } from "../../ports.js";
import type { NodeEnv } from "../env.js";
import type { EventBusMessage } from "../events/event-bus.js";
import type { AddOutcome } from "../integration/mempool-integration.js";
import type { BroadcasterMessage } from "../peer/peer-broadcaster.js";
import type { Delivery, Incoming, RequestOutcome } from "../peer/peer-handler-messages.js";
import type { ReputationMessage } from "../peer/peer-reputation.js";
import type { MessageRouterMessage } from "../service/message-router.js";
import type { SystemRouterMessage } from "../service/system-router.js";

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
  | AddOutcome;

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

interface Asked {
  readonly peerId: PeerId;
  readonly ids: readonly HashHex[];
}

interface State extends TransactionHandlerArgs {
  /** Ids that were taken up lately, valid or not. */
  readonly seen: IdCache;
  readonly queue: Candidate[];
  readonly batches: Map<number, readonly Candidate[]>;
  /** What was asked of whom, by the tag of the request. */
  readonly asked: Map<number, Asked>;
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
      asked: new Map(),
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
        const { transaction, replyTo } = message;
        take(state, transaction, { peerId: undefined, message: undefined, replyTo }, context);
        return;
      }
      case "RequestOutcome":
        fetched(state, message, context);
        return;
      case "Checked":
        checked(state, message.tag, message.verdict, context);
        return;
      case "AddOutcome":
        added(state, message);
        return;
      default:
        unreachable(message);
    }
  },

  afterBatch(state, context) {
    const { transactionBatchMax } = context.env.config.gossip;
    while (state.queue.length > 0 && state.batches.size < BATCHES_MAX) {
      const batch = state.queue.splice(0, transactionBatchMax);
      const tag = state.nextTag++;
      state.batches.set(tag, batch);
      const packed = packBytes(batch.map(({ bytes }) => bytes));
      context.pipe(context.env.workers.validateTransactions(packed), (outcome) => ({
        type: "Checked",
        tag,
        verdict: outcome.ok ? outcome.value : undefined,
      }));
    }
  },

  invariants({ queue, batches, asked }, { env }) {
    const { requestsPerPeerMax, transactionBatchMax, transactionQueueMax } = env.config.gossip;
    invariant(queue.length <= transactionQueueMax, `${queue.length} transactions wait`);
    for (const { length } of batches.values()) {
      invariant(length <= transactionBatchMax, `${length} transactions in a batch`);
    }
    const owed = new Map<PeerId, number>();
    for (const { peerId } of asked.values()) owed.set(peerId, (owed.get(peerId) ?? 0) + 1);
    for (const count of owed.values()) {
      invariant(count <= requestsPerPeerMax, `${count} requests for transactions of one peer`);
    }
  },
});

function receiveIncoming(state: State, incoming: Incoming<TransactionKind>, context: Ctx): void {
  const { message, from, peerId, requestId } = incoming;
  switch (message.kind) {
    case "NewTransaction":
      take(state, message.transaction, { peerId, message: incoming, replyTo: undefined }, context);
      return;
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

function take(
  state: State,
  bytes: Uint8Array,
  origin: Pick<Candidate, "peerId" | "message" | "replyTo">,
  context: Ctx,
): void {
  const id = toHex(sha256(bytes));
  const { peerId, message, replyTo } = origin;
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
  state.queue.push({ id, bytes, ...origin });
}

/** Asks the announcer for what nobody sent or was asked for yet. */
function announced(
  state: State,
  { message, from, peerId }: Incoming<"AnnounceTransactions">,
  context: Ctx,
): void {
  state.broadcaster.tell({ type: "PeerKnows", peerId, hashes: message.ids });
  let owed = 0;
  for (const other of state.asked.values()) if (other.peerId === peerId) owed++;
  if (owed >= context.env.config.gossip.requestsPerPeerMax) return;
  const wanted = message.ids.filter((id) => !state.seen.has(id));
  if (wanted.length === 0) return;
  for (const id of wanted) state.seen.add(id);
  const tag = state.nextTag++;
  state.asked.set(tag, { peerId, ids: wanted });
  const items = wanted.length;
  const request = { kind: "RequestTransactions", ids: wanted } as const;
  if (!from.tell({ type: "Request", message: request, tag, items, replyTo: context.self })) {
    forget(state, tag);
  }
}

/** What did not come may be asked of the next one who announces it. */
function forget(state: State, tag: number): void {
  for (const id of state.asked.get(tag)?.ids ?? []) state.seen.delete(id);
  state.asked.delete(tag);
}

function fetched(state: State, outcome: RequestOutcome, context: Ctx): void {
  forget(state, outcome.tag);
  if (!outcome.ok || outcome.message.kind !== "ResponseTransactions") return;
  for (const transaction of outcome.message.transactions) {
    const { peerId } = outcome;
    take(state, transaction, { peerId, message: undefined, replyTo: undefined }, context);
  }
}

function checked(
  state: State,
  tag: number,
  verdict: TransactionsVerdict | undefined,
  context: Ctx,
): void {
  const batch = state.batches.get(tag);
  if (batch === undefined) return;
  for (const { message } of batch) if (message !== undefined) release(message);
  if (verdict === undefined) {
    state.batches.delete(tag);
    for (const { id, replyTo } of batch) {
      state.seen.delete(id);
      replyTo?.tell({ ok: false, id, reason: "busy" });
    }
    return;
  }
  const faults = new Map(verdict.faults.map(({ index, fault }) => [index, fault]));
  const valid: Candidate[] = [];
  const transactions: MempoolTransaction[] = [];
  for (const [index, candidate] of batch.entries()) {
    const fault = faults.get(index);
    if (fault === undefined) {
      valid.push(candidate);
      // A copy: a view would keep the whole batch in memory for as long as one of it waits.
      const bytes = packedItem(verdict.transactions, index).slice();
      transactions.push({ id: candidate.id, bytes });
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
  state.batches.set(tag, valid);
  const add = { type: "AddTransactions", transactions, tag, replyTo: context.self } as const;
  if (valid.length > 0 && state.system.tell({ to: "mempool", message: add })) return;
  state.batches.delete(tag);
  for (const { id, replyTo } of valid) {
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
  for (const [index, { id, peerId, replyTo }] of batch.entries()) {
    const answer = answers[index];
    if (answer?.ok === true) {
      accepted.push(id);
      replyTo?.tell({ ok: true, id });
      if (peerId === undefined) continue;
      state.reputation.tell({ type: "Report", peerId, event: "GoodTransaction", detail: "" });
    } else {
      const reason = answer?.reason ?? "unknown";
      replyTo?.tell({ ok: false, id, reason });
      reject(state, id, reason, peerId);
    }
  }
  if (accepted.length > 0) state.broadcaster.tell({ type: "RelayTransactions", ids: accepted });
}
