// Mempool integration: the one owner of the mempool. Takes checked transactions, serves them to
// peers and the producer, follows the chain (mempool-follower.ts) and keeps what waits over a restart
// (mempool-keeping.ts). Says what is to be announced again, what left.
// Told by: transaction handler, producer, consensus integration, broadcaster. Tells: requesters,
// event bus, broadcaster.

import { unreachable } from "../../errors.js";
import { defineActor, replyToOf, type ActorRef, type Context } from "../../runtime/actor.js";
import { RESTART } from "../policies.js";
import type { HashHex } from "../../types/chain.js";
import type { NodeEnv } from "../env.js";
import type { EventBusMessage } from "../events/event-bus.js";
import { nextTurn } from "../next-turn.js";
import type { Prices } from "../peer/fee-floor.js";
import { itemsWithin } from "../../protocol/kinds/items.js";
import { MempoolEvents } from "./mempool-events.js";
import { guardMempool, type GuardedMempool } from "./guarded-mempool.js";
import { ShortIdIndex } from "./short-id-index.js";
import { WaitingTransactions as Waiting } from "./waiting-transactions.js";
import type { ChainChanged } from "./chain-events.js";
import type { ConsensusMessage } from "./consensus-integration.js";
import { MempoolFollower, type Followed } from "./mempool-follower.js";
import {
  MempoolKeeping,
  type KeepingEnv,
  type KeepingMessage,
  type Readmit,
} from "./mempool-keeping.js";
import type {
  AddAnswer,
  AddedTransaction,
  MempoolChanged,
  MempoolMessage,
} from "./mempool-messages.js";
import { readBlock } from "./read-blocks.js";

export type * from "./mempool-messages.js";

export interface MempoolArgs {
  readonly consensus: ActorRef<ConsensusMessage>;
  readonly events: ActorRef<EventBusMessage>;
  readonly followed: Followed;
}

export type MempoolEnv = Pick<
  NodeEnv,
  "mempool" | "blocks" | "clock" | "consensus" | "config" | "heard" | "log" | "random"
> &
  KeepingEnv;

type Selection = Extract<MempoolMessage, { type: "SelectTransactions" }>;

interface State extends MempoolArgs {
  readonly mempool: GuardedMempool;
  readonly told: MempoolEvents;
  readonly follower: MempoolFollower;
  /** Waits until the mempool has followed the chain: a block must not confirm anything twice. */
  selection: Selection | undefined;
  readonly waiting: Waiting;
  /** Absent: a restart forgets what waits. */
  readonly keeping: MempoolKeeping | undefined;
  readonly shortIds: ShortIdIndex;
}

type Ctx = Context<MempoolMessage, MempoolEnv>;

/** A minute more or less does not matter to what waited for hours. */
const EXPIRY_EVERY_MS = 60_000;
/** Until the next slice of what expires. */
const EXPIRY_SLICE_MS = 100;

export const mempoolIntegration = defineActor<MempoolArgs, MempoolMessage, State, MempoolEnv>({
  name: "mempool",
  mailbox: {
    dataMax: 1_024,
    controlMax: 4_096,
    overflow: "reject",
    replyOf: replyToOf,
    isControl: ({ type }) => CONTROL.has(type),
  },
  onFault: RESTART,

  init(context, args) {
    args.consensus.tell({ type: "Subscribe", subscriber: context.self });
    const { clock, config, log } = context.env;
    const mempool = guardMempool(context.env.mempool, log);
    const waiting = new Waiting(config, mempool, clock.monotonicMs());
    expireLater(context, EXPIRY_EVERY_MS);
    announceAgainLater(context);
    const told = new MempoolEvents(args.events, context.env, mempool);
    const follower = new MempoolFollower(mempool, context.env, args.followed, (ids, block) =>
      told.confirmed(ids, block),
    );
    // Blocks came, or left, while an earlier start of this actor crashed.
    if (follower.behind) nextTurn(context, { type: "FollowOn" });
    const keeping = MempoolKeeping.open(mempool, waiting, context);
    for (const subscriber of args.followed.subscribers.values()) context.watch(subscriber);
    const shortIds = new ShortIdIndex(context.env.random.uint32(), mempool);
    for (const id of mempool.ids()) shortIds.add(id);
    const selection = undefined;
    return { ...args, mempool, told, follower, selection, waiting, keeping, shortIds };
  },

  receive(state, message, context) {
    const { clock } = context.env;
    const { mempool, waiting } = state;
    switch (message.type) {
      case "AddTransactions":
        message.replyTo.tell(
          message.transactions.map((transaction) => add(state, transaction, context)),
        );
        break;
      case "ServeTransactions":
        serve(message, mempool, context);
        return;
      case "SelectTransactions":
        // One producer asks, again when it hears nothing: the last question counts.
        if (state.follower.behind) state.selection = message;
        else select(state, message, context);
        break;
      case "RefuseTransactions":
        state.told.refused(message.ids, message.breach);
        waiting.refuse(message.ids, clock.monotonicMs());
        return;
      case "FindShort": {
        message.replyTo.tell(state.shortIds.find(message.key, message.shortIds));
        return;
      }
      case "GetSize":
        message.replyTo.tell({ count: mempool.count, bytes: mempool.bytes });
        return;
      case "GetFloor":
        message.replyTo.tell(mempool.floor(clock.monotonicMs()));
        return;
      case "ListWaiting":
        message.replyTo.tell(priced(state, waiting.list(message.from, message.countMax)));
        return;
      case "Subscribe":
        state.followed.subscribers.set(message.subscriber.path, message.subscriber);
        context.watch(message.subscriber);
        return;
      case "ExpiryDue": {
        const expired = waiting.expire(clock.monotonicMs());
        state.told.dropped(expired, { rule: "expired", detail: "" });
        expireLater(context, expired.length > 0 ? EXPIRY_SLICE_MS : EXPIRY_EVERY_MS);
        return;
      }
      case "AgainDue":
        returned(state, waiting.dueAgain(clock.monotonicMs()));
        announceAgainLater(context);
        return;
      case "ChainChanged":
        if (!changed(state, message)) return;
        follow(state, context);
        break;
      case "FollowedRead":
        state.follower.read(message.block);
        follow(state, context);
        break;
      case "FollowOn":
        follow(state, context);
        break;
      case "KeepNow":
        state.keeping?.writeAll(context);
        message.replyTo.tell("Kept");
        return;
      case "KeepDue":
      case "KeepWritten":
      case "RereadDue":
      case "Reread":
      case "RereadChecked":
        reread(state, message, context);
        break;
      default:
        unreachable(message);
    }
    const dropped = mempool.takeDropped();
    for (const { id, reason: rule } of dropped) state.told.dropped([id], { rule, detail: "" });
    const evicted = dropped.filter(({ reason }) => reason === "evicted");
    tellAll(state, { type: "EvictedTransactions", ids: evicted.map(({ id }) => id) });
  },

  signal(state, signal) {
    if (signal.type === "terminated") state.followed.subscribers.delete(signal.path);
  },

  invariants(state, { env }) {
    env.mempool.invariants?.();
    state.waiting.invariants();
    state.keeping?.invariants();
    state.shortIds.invariants();
  },
});

const CONTROL: ReadonlySet<MempoolMessage["type"]> = new Set([
  "ChainChanged",
  "FindShort",
  "RefuseTransactions",
  "Subscribe",
  "ExpiryDue",
  "AgainDue",
  "FollowOn",
  "FollowedRead",
  "KeepNow",
  "KeepDue",
  "KeepWritten",
  "RereadDue",
  "Reread",
  "RereadChecked",
]);

/** `sinceMs`: since when it waits; absent: it is new. */
function add(
  { mempool, waiting, keeping, shortIds, told }: State,
  transaction: AddedTransaction,
  context: Ctx,
  sinceMs?: number,
): AddAnswer {
  const { id, own } = transaction;
  const { env } = context;
  const nowMs = env.clock.monotonicMs();
  if (waiting.isRefused(id, nowMs)) return { ok: false, reason: "refused" };
  const answer = mempool.add(transaction, env.blocks, nowMs);
  if (!answer.ok) return answer;
  waiting.accepted(id, own, { nowMs, sinceMs: sinceMs ?? nowMs });
  shortIds.add(id);
  // What was read from the store lies there.
  if (sinceMs === undefined) keeping?.accepted(id, context);
  told.accepted(id);
  const price = mempool.priceOf(id);
  return price === undefined ? { ok: true } : { ok: true, price };
}

/** What is kept over a restart; what waits again after one is announced as what came back. */
function reread(state: State, message: KeepingMessage, context: Ctx): void {
  const readmit: Readmit = (kept, { sinceMs }) => add(state, kept, context, sinceMs).ok;
  returned(state, state.keeping?.about(message, readmit, context) ?? []);
}

function returned(state: State, ids: readonly HashHex[]): void {
  tellAll(state, priced(state, { type: "ReturnedTransactions", ids }));
}

/** With what they pay: a peer may take none that pay so little. */
function priced<T extends { readonly ids: readonly HashHex[] }>(
  { mempool }: State,
  told: T,
): T & { readonly prices: Prices } {
  return { ...told, prices: told.ids.map((id) => mempool.priceOf(id)) };
}

function tellAll({ followed: { subscribers } }: State, change: MempoolChanged): void {
  if (change.ids.length === 0) return;
  for (const subscriber of subscribers.values()) subscriber.tell(change);
}

function select({ mempool, waiting }: State, { bytesMax, replyTo }: Selection, { env }: Ctx): void {
  const nowMs = env.clock.monotonicMs();
  const selected = mempool.select(bytesMax, env.blocks, nowMs);
  replyTo.tell(selected.filter(({ id }) => !waiting.isRefused(id, nowMs)));
}

/** False: it is on its way along the chain, and goes on by itself. */
function changed({ follower }: State, message: ChainChanged): boolean {
  const { behind } = follower;
  follower.changed(message);
  return !behind;
}

/** A slice of what the chain changed; the rest in the next turns. */
function follow(state: State, context: Ctx): void {
  const nowMs = context.env.clock.monotonicMs();
  const ids = state.follower.slice(nowMs);
  for (const id of ids) {
    state.waiting.accepted(id, false, { nowMs, sinceMs: nowMs });
    state.keeping?.accepted(id, context);
    state.shortIds.add(id);
  }
  state.told.returned(ids);
  returned(state, ids);
  const { wanted } = state.follower;
  if (wanted !== undefined) {
    context.pipe(readBlock(context.env.blocks, wanted), (outcome) => ({
      type: "FollowedRead",
      block: outcome.ok ? outcome.value : undefined,
    }));
    return;
  }
  if (state.follower.behind) {
    nextTurn(context, { type: "FollowOn" });
    return;
  }
  const { selection } = state;
  state.selection = undefined;
  if (selection !== undefined) select(state, selection, context);
}

function expireLater(context: Ctx, delayMs: number): void {
  context.startTimer("expiry", delayMs, { type: "ExpiryDue" });
}

/** Drawn from around the mean: nodes that started together do not speak together. */
function announceAgainLater(context: Ctx): void {
  const { config, random } = context.env;
  const delayMs = config.gossip.announceAgainMs * (0.5 + random.float());
  context.startTimer("again", delayMs, { type: "AgainDue" });
}

function serve(
  message: Extract<MempoolMessage, { type: "ServeTransactions" }>,
  mempool: GuardedMempool,
  { env }: Ctx,
): void {
  const { itemsMax, bytesSoftMax } = env.config.serve;
  const found: Uint8Array[] = [];
  let bytes = 0;
  // One that is asked for twice is sent once.
  for (const id of new Set(message.ids.slice(0, itemsMax))) {
    const transaction = mempool.get(id);
    if (transaction === undefined) continue;
    bytes += transaction.length;
    if (found.length > 0 && bytes > bytesSoftMax) break;
    found.push(transaction);
  }
  const transactions = itemsWithin(found, bytesSoftMax);
  message.replyTo.tell({ kind: message.answeredBy ?? "ResponseTransactions", transactions });
}
