// Storage integration: serves blocks and headers from the store within the serving caps, and keeps
// the transaction index in step with the chain.
// Told by: block and sync handlers (through the system router), consensus integration, the service.
// Tells: peer handlers (replies), requesters.

import { errorText, unreachable } from "../../errors.js";
import { defineActor, type ActorRef, type Context } from "../../runtime/actor.js";
import { RESTART } from "../policies.js";
import { fromHex, isHex } from "../../bytes/hex.js";
import type { HashHex, HeaderSummary } from "../../chain/types.js";
import type { MessageOf, RefusalReason } from "../../protocol/types/message.js";
import type { TransactionLocation, TxStore } from "../../ports.js";
import type { NodeEnv } from "../env.js";
import type { PeerHandlerMessage } from "../peer/peer-handler-messages.js";
import type { ChainChanged } from "./chain-events.js";
import type { ConsensusMessage } from "./consensus-integration.js";

export type StorageRequest = MessageOf<"RequestBlock" | "RequestBlockRange" | "RequestHeaders">;

export type StorageMessage =
  | {
      readonly type: "Serve";
      readonly request: StorageRequest;
      readonly requestId: number;
      readonly replyTo: ActorRef<PeerHandlerMessage>;
    }
  | {
      readonly type: "LocateTransaction";
      readonly id: HashHex;
      readonly replyTo: ActorRef<TransactionLocated>;
    }
  | { readonly type: "Indexed"; readonly error?: unknown }
  | ChainChanged;

/** `location` is absent when the transaction is unknown or nothing is indexed. */
export interface TransactionLocated {
  readonly location?: TransactionLocation;
}

export interface StorageArgs {
  readonly consensus: ActorRef<ConsensusMessage>;
}

export type StorageEnv = Pick<NodeEnv, "blocks" | "transactions" | "consensus" | "config" | "log">;

type Ctx = Context<StorageMessage, StorageEnv>;

/** Blocks indexed per turn when the index is behind the chain at start. */
const CATCH_UP_BLOCKS = 8;

interface State {
  /** The chain was ahead of the index at start and is being caught up with. */
  behind: boolean;
}

export const storageIntegration = defineActor<StorageArgs, StorageMessage, State, StorageEnv>({
  name: "storage",
  mailbox: {
    dataMax: 1_024,
    controlMax: 4_096,
    overflow: "reject",
    isControl: ({ type }) => type === "ChainChanged" || type === "Indexed",
  },
  onFault: RESTART,

  init(context, args) {
    args.consensus.tell({ type: "Subscribe", subscriber: context.self });
    const state = { behind: false };
    catchUp(state, context);
    return state;
  },

  receive(state, message, context) {
    const { env } = context;
    switch (message.type) {
      case "Serve": {
        const { requestId, replyTo } = message;
        replyTo.tell({ type: "Reply", requestId, message: serve(message.request, env) });
        return;
      }
      case "LocateTransaction": {
        // What is no id was never confirmed.
        const known = isHex(message.id, 32) ? env.transactions : undefined;
        const location = known?.locate(fromHex(message.id));
        message.replyTo.tell(location === undefined ? {} : { location });
        return;
      }
      case "ChainChanged":
        if (env.transactions !== undefined) index(env.transactions, message, state, context);
        return;
      case "Indexed":
        if (message.error !== undefined) {
          env.log.write("error", "indexing failed", { error: errorText(message.error) });
        } else if (state.behind) catchUp(state, context);
        return;
      default:
        unreachable(message);
    }
  },
});

type Served =
  | MessageOf<"ResponseBlock" | "ResponseBlockRange" | "ResponseHeaders">
  | MessageOf<"RequestRefused">;

function serve(request: StorageRequest, env: StorageEnv): Served {
  switch (request.kind) {
    case "RequestBlock": {
      const block = env.blocks.block(request.hash);
      return block === undefined ? refused("NotFound") : { kind: "ResponseBlock", block };
    }
    case "RequestBlockRange":
      return serveRange(request, env);
    case "RequestHeaders":
      return serveHeaders(request, env);
  }
}

function refused(reason: RefusalReason): Served {
  return { kind: "RequestRefused", reason };
}

/** A prefix of the range: at least one block, then until the soft limit is reached. */
function serveRange(request: MessageOf<"RequestBlockRange">, env: StorageEnv): Served {
  const { itemsMax, bytesSoftMax } = env.config.serve;
  const { fromHeight, count, lastHash } = request;
  if (env.blocks.hashAt(fromHeight + count - 1) !== lastHash) return refused("NotFound");
  const blocks: Uint8Array[] = [];
  let bytes = 0;
  for (let height = fromHeight; height < fromHeight + Math.min(count, itemsMax); height++) {
    const hash = env.blocks.hashAt(height);
    const block = hash === undefined ? undefined : env.blocks.block(hash);
    if (block === undefined) break;
    if (blocks.length > 0 && bytes + block.length > bytesSoftMax) break;
    blocks.push(block);
    bytes += block.length;
  }
  return blocks.length === 0 ? refused("NotFound") : { kind: "ResponseBlockRange", blocks };
}

/**
 * Canonical headers after the newest locator hash that is canonical here; genesis always is. At
 * least one, if there are any, then until the soft limit is reached.
 */
function serveHeaders(request: MessageOf<"RequestHeaders">, env: StorageEnv): Served {
  const { blocks: store } = env;
  const { bytesSoftMax } = env.config.serve;
  const known = request.locator
    .map((hash) => store.summary(hash))
    .find((header) => header !== undefined && store.hashAt(header.height) === header.hash);
  if (known === undefined) return refused("NotFound");
  const last = Math.min(store.head().height, known.height + request.countMax);
  const headers: Uint8Array[] = [];
  let bytes = 0;
  for (let height = known.height + 1; height <= last; height++) {
    const hash = store.hashAt(height);
    const header = hash === undefined ? undefined : store.headerBytes(hash);
    if (header === undefined) break;
    if (headers.length > 0 && bytes + header.length > bytesSoftMax) break;
    headers.push(header);
    bytes += header.length;
  }
  return { kind: "ResponseHeaders", headers };
}

function index(store: TxStore, change: ChainChanged, state: State, context: Ctx): void {
  for (const { hash, height } of change.disconnected) {
    const ids = idsOf(hash, context.env);
    const block = { blockHash: hash, height, transactionIds: ids };
    context.pipe(store.disconnect(block), indexed);
  }
  // What is connected is reached by catching up, from the height that is left.
  if (state.behind) return;
  for (const { header, transactionIds } of change.connected) {
    const block = { blockHash: header.hash, height: header.height, transactionIds };
    context.pipe(store.connect(block), indexed);
  }
}

/** Indexes the next blocks that a crash or an index switched on later left out. */
function catchUp(state: State, context: Ctx): void {
  const { transactions: store, blocks } = context.env;
  if (store === undefined) return;
  const from = store.indexedHeight() + 1;
  const head: HeaderSummary = blocks.head();
  const to = Math.min(head.height, from + CATCH_UP_BLOCKS - 1);
  state.behind = from <= head.height;
  if (!state.behind) return;
  const jobs: Promise<void>[] = [];
  for (let height = from; height <= to; height++) {
    const blockHash = blocks.hashAt(height)!;
    const transactionIds = idsOf(blockHash, context.env);
    jobs.push(store.connect({ blockHash, height, transactionIds }));
  }
  context.pipe(
    Promise.all(jobs).then(() => undefined),
    indexed,
  );
}

function indexed(outcome: { ok: boolean; error?: unknown }): StorageMessage {
  return outcome.ok ? { type: "Indexed" } : { type: "Indexed", error: outcome.error };
}

function idsOf(hash: HashHex, { blocks, consensus }: StorageEnv): Uint8Array {
  const bytes = blocks.block(hash);
  const parts = bytes && consensus.rules.splitBlock(bytes);
  if (parts === undefined || !parts.ok) return new Uint8Array(0);
  const ids = new Uint8Array(32 * parts.value.transactions.length);
  for (const [place, transaction] of parts.value.transactions.entries()) {
    const summary = consensus.rules.readTransaction(transaction);
    if (summary.ok) ids.set(summary.value.id, 32 * place);
  }
  return ids;
}
