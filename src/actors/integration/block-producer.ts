// Block producer: builds blocks on the head and searches their proof of work in the pool.
// Told by: consensus integration (new heads), mempool integration, event bus (sync's state).
// Tells: block handler, which treats its own blocks as it treats a peer's.

import { unreachable } from "../../errors.js";
import { defineActor, type ActorRef, type Context } from "../../runtime/actor.js";
import { RESTART } from "../policies.js";
import type { BlockParts } from "../../chain/types.js";
import type { NodeEnv } from "../env.js";
import type { EventBusMessage } from "../events/event-bus.js";
import type { NetworkEvent } from "../events/event-types.js";
import type { BlockHandlerMessage } from "../handlers/block-handler.js";
import type { SystemRouterMessage } from "../service/system-router.js";
import type { ChainChanged } from "./chain-events.js";
import type { ConsensusMessage } from "./consensus-integration.js";
import type { SelectedTransactions } from "./mempool-integration.js";

export type ProducerMessage =
  | { readonly type: "BeginDue" }
  | SelectedTransactions
  | { readonly type: "Sealed"; readonly round: number; readonly header: Uint8Array | undefined }
  | { readonly type: "SealFailed"; readonly round: number; readonly error: unknown }
  | ChainChanged
  | NetworkEvent;

export interface ProducerArgs {
  readonly consensus: ActorRef<ConsensusMessage>;
  readonly system: ActorRef<SystemRouterMessage>;
  readonly blockHandler: ActorRef<BlockHandlerMessage>;
  readonly events: ActorRef<EventBusMessage>;
}

export type ProducerEnv = Pick<
  NodeEnv,
  "blocks" | "clock" | "config" | "consensus" | "log" | "random" | "workers"
>;

interface State extends ProducerArgs {
  /** Every new head or template begins a round; what earlier rounds bring is stale. */
  round: number;
  syncing: boolean;
  parts: BlockParts | undefined;
  nonce: bigint;
}

type Ctx = Context<ProducerMessage, ProducerEnv>;

/** A template older than this is built anew, for its timestamp and newer transactions. */
const TEMPLATE_MS = 2_000;
/**
 * A sync that connects no block for so long does not keep us from producing: the better chain that
 * it follows may never come.
 */
const SYNC_PATIENCE_MS = 5_000;
const RETRY_MS = 250;

export const blockProducer = defineActor<ProducerArgs, ProducerMessage, State, ProducerEnv>({
  name: "producer",
  mailbox: {
    dataMax: 1_024,
    controlMax: 1_024,
    overflow: "dropOldest",
    isControl: ({ type }) => type === "Sealed" || type === "SealFailed" || type === "BeginDue",
  },
  onFault: RESTART,

  init(context, args) {
    args.consensus.tell({ type: "Subscribe", subscriber: context.self });
    args.events.tell({
      type: "Subscribe",
      subscriber: context.self,
      types: ["SyncStarted", "SyncFinished", "SyncFailed"],
    });
    const state = { ...args, round: 0, syncing: false, parts: undefined, nonce: 0n };
    begin(state, context);
    return state;
  },

  receive(state, message, context) {
    switch (message.type) {
      case "ChainChanged":
        begin(state, context);
        return;
      case "BeginDue":
        select(state, context);
        return;
      case "SelectedTransactions":
        build(state, message, context);
        return;
      case "Sealed":
        if (message.round === state.round) sealed(state, message.header, context);
        return;
      case "SealFailed":
        if (message.round !== state.round) return;
        context.env.log.write("debug", "sealing failed", { error: String(message.error) });
        retry(context);
        return;
      case "SyncStarted":
        state.syncing = true;
        begin(state, context);
        return;
      case "SyncFinished":
      case "SyncFailed":
        state.syncing = false;
        begin(state, context);
        return;
      case "ListenerBound":
      case "ConnectionRefused":
      case "PeerConnected":
      case "PeerDisconnected":
      case "PeerBanned":
      case "PeerUnbanned":
      case "BlockConnected":
      case "BlockDisconnected":
      case "BlockRejected":
      case "TransactionAccepted":
      case "TransactionRejected":
      case "SyncProgressed":
        return;
      default:
        unreachable(message);
    }
  },
});

function select(state: State, context: Ctx): void {
  const bytesMax = context.env.consensus.blockBytesMax;
  const request = { type: "SelectTransactions", bytesMax, replyTo: context.self } as const;
  state.system.tell({ to: "mempool", message: request });
  // Stands until the answer comes, which a restart of the mempool's actor would lose.
  retry(context);
}

/** A new head: the search on the old one is void; the next block is due an interval after it. */
function begin(state: State, context: Ctx): void {
  const { blocks, clock, config } = context.env;
  state.round++;
  if (state.syncing) {
    context.startTimer("begin", SYNC_PATIENCE_MS, { type: "BeginDue" });
    return;
  }
  const dueMs = blocks.head().timestampMs + config.producer.intervalMs - clock.wallMs();
  // Far in the future only when the clocks disagree: never wait longer than one interval.
  const waitMs = Math.min(Math.max(0, dueMs), config.producer.intervalMs);
  context.startTimer("begin", waitMs, { type: "BeginDue" });
}

function retry(context: Ctx): void {
  context.startTimer("begin", RETRY_MS, { type: "BeginDue" });
}

function build(state: State, selected: SelectedTransactions, context: Ctx): void {
  const { blocks, clock, config, consensus, random } = context.env;
  state.round++;
  if (selected.transactions.length === 0 && !config.producer.emptyBlocks) {
    context.startTimer("begin", config.producer.intervalMs, { type: "BeginDue" });
    return;
  }
  const bodies = selected.transactions.map(({ bytes }) => bytes);
  state.parts = consensus.template(blocks.head(), bodies, clock.wallMs());
  // Producers on one head search apart.
  state.nonce = BigInt(random.uint32()) << 16n;
  context.startTimer("begin", TEMPLATE_MS, { type: "BeginDue" });
  seal(state, context);
}

function seal(state: State, context: Ctx): void {
  const { config, workers } = context.env;
  const { round, parts, nonce } = state;
  if (parts === undefined) return;
  const attempts = config.producer.attemptsPerTask;
  state.nonce += BigInt(attempts);
  // The pool takes bytes by transfer: the header is sent as a copy.
  const job = { header: parts.header.slice(), nonceStart: nonce, attempts };
  context.pipe(workers.seal(job), (outcome) =>
    outcome.ok
      ? { type: "Sealed", round, header: outcome.value }
      : { type: "SealFailed", round, error: outcome.error },
  );
}

function sealed(state: State, header: Uint8Array | undefined, context: Ctx): void {
  if (header === undefined) {
    seal(state, context);
    return;
  }
  const { transactions } = state.parts!;
  const block = context.env.consensus.assemble({ header, transactions });
  state.round++;
  state.parts = undefined;
  state.blockHandler.tell({ type: "Produced", block });
}
