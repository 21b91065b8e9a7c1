// Mempool integration: the one owner of the mempool. Takes checked transactions, serves them to
// peers and the producer, and follows the chain.
// Told by: transaction handler, producer, consensus integration. Tells: requesters, event bus.

import { unreachable } from "../../errors.js";
import { defineActor, type ActorRef, type Context } from "../../runtime/actor.js";
import { RESTART } from "../policies.js";
import type { HashHex, HeaderSummary } from "../../chain/types.js";
import { toHex } from "../../bytes/hex.js";
import type { MempoolAnswer, MempoolTransaction } from "../../ports.js";
import type { NodeEnv } from "../env.js";
import type { EventBusMessage } from "../events/event-bus.js";
import type { PeerHandlerMessage } from "../peer/peer-handler-messages.js";
import { transactionIdsOf, type ChainChanged } from "./chain-events.js";
import type { ConsensusMessage } from "./consensus-integration.js";

export type MempoolMessage =
  /** Transactions that passed every stateless check. */
  | {
      readonly type: "AddTransactions";
      readonly transactions: readonly MempoolTransaction[];
      readonly tag: number;
      readonly replyTo: ActorRef<AddOutcome>;
    }
  /** A peer's RequestTransactions. */
  | {
      readonly type: "ServeTransactions";
      readonly ids: readonly HashHex[];
      readonly requestId: number;
      readonly replyTo: ActorRef<PeerHandlerMessage>;
    }
  | {
      readonly type: "SelectTransactions";
      readonly bytesMax: number;
      readonly replyTo: ActorRef<SelectedTransactions>;
    }
  | ChainChanged;

/** One answer a transaction, in order. */
export interface AddOutcome {
  readonly type: "AddOutcome";
  readonly tag: number;
  readonly answers: readonly MempoolAnswer[];
}

export interface SelectedTransactions {
  readonly type: "SelectedTransactions";
  readonly transactions: readonly MempoolTransaction[];
}

export interface MempoolArgs {
  readonly consensus: ActorRef<ConsensusMessage>;
  readonly events: ActorRef<EventBusMessage>;
}

export type MempoolEnv = Pick<NodeEnv, "mempool" | "blocks" | "consensus" | "config" | "log">;

type Ctx = Context<MempoolMessage, MempoolEnv>;

export const mempoolIntegration = defineActor<MempoolArgs, MempoolMessage, MempoolArgs, MempoolEnv>(
  {
    name: "mempool",
    mailbox: {
      dataMax: 1_024,
      controlMax: 4_096,
      overflow: "reject",
      isControl: ({ type }) => type === "ChainChanged",
    },
    onFault: RESTART,

    init(context, args) {
      args.consensus.tell({ type: "Subscribe", subscriber: context.self });
      return args;
    },

    receive(state, message, context) {
      const { mempool, blocks } = context.env;
      switch (message.type) {
        case "AddTransactions": {
          const answers = message.transactions.map((transaction) => {
            const answer = mempool.add(transaction, blocks);
            if (answer.ok) accepted(state, transaction.id);
            return answer;
          });
          message.replyTo.tell({ type: "AddOutcome", tag: message.tag, answers });
          return;
        }
        case "ServeTransactions":
          serve(message, context);
          return;
        case "SelectTransactions":
          message.replyTo.tell({
            type: "SelectedTransactions",
            transactions: mempool.select(message.bytesMax, blocks),
          });
          return;
        case "ChainChanged":
          follow(message, context);
          return;
        default:
          unreachable(message);
      }
    },

    invariants: (_state, { env }) => env.mempool.invariants?.(),
  },
);

function accepted(state: MempoolArgs, id: HashHex): void {
  state.events.tell({ type: "Publish", event: { type: "TransactionAccepted", id } });
}

function serve(
  message: Extract<MempoolMessage, { type: "ServeTransactions" }>,
  { env }: Ctx,
): void {
  const { itemsMax, bytesSoftMax } = env.config.serve;
  const transactions: Uint8Array[] = [];
  let bytes = 0;
  for (const id of message.ids.slice(0, itemsMax)) {
    const transaction = env.mempool.get(id);
    if (transaction === undefined) continue;
    transactions.push(transaction);
    bytes += transaction.length;
    if (bytes >= bytesSoftMax) break;
  }
  message.replyTo.tell({
    type: "Reply",
    requestId: message.requestId,
    message: { kind: "ResponseTransactions", transactions },
  });
}

/** Confirmed transactions leave; those of abandoned blocks come back as far as they still fit. */
function follow(change: ChainChanged, { env }: Ctx): void {
  const { mempool, blocks } = env;
  // A sync connects hundreds of thousands of transactions past a mempool that holds none of them.
  if (mempool.count === 0 && change.disconnected.length === 0) return;
  const confirmed = change.connected.flatMap(transactionIdsOf);
  for (const header of change.disconnected) readd(header, new Set(confirmed), env);
  mempool.confirmed(confirmed, blocks);
}

function readd(header: HeaderSummary, confirmed: ReadonlySet<HashHex>, env: MempoolEnv): void {
  const { blocks, consensus, mempool } = env;
  const bytes = blocks.block(header.hash);
  const parts = bytes && consensus.rules.splitBlock(bytes);
  if (parts === undefined || !parts.ok) return;
  for (const transaction of parts.value.transactions) {
    const summary = consensus.rules.readTransaction(transaction);
    if (!summary.ok) continue;
    const id = toHex(summary.value.id);
    if (!confirmed.has(id)) mempool.add({ id, bytes: transaction.slice() }, blocks);
  }
}
