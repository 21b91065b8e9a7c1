// Storage integration (it stores no block, consensus does): serves blocks and headers from the
// store (serving.ts), and keeps the transaction index in step with the chain (index-follower.ts).
// Told by: block and sync handlers and block repair (through the system router), consensus
// integration, the service. Tells: peer handlers (replies), requesters, block repair.

import { atOnce, errorText, invariant, unreachable } from "../../errors.js";
import { defineActor, replyToOf, type ActorRef, type Context } from "../../runtime/actor.js";
import { RESTART } from "../policies.js";
import { fromHex, isHex } from "../../bytes/hex.js";
import type { HashHex } from "../../types/chain.js";
import { itemsWithin } from "../../protocol/kinds/items.js";
import type { MessageOf } from "../../protocol/types/message.js";
import type { PeerId, TransactionLocation } from "../../ports.js";
import type { NodeEnv } from "../env.js";
import { IdCache } from "../id-cache.js";
import { nextTurn } from "../next-turn.js";
import { HISTORY_AGE_MS } from "../throttle/history-budget.js";
import { isTransactionAt } from "./block-transactions.js";
import type { Answer } from "../peer/dealt.js";
import type { ChainChanged } from "./chain-events.js";
import type { ConsensusMessage } from "./consensus-integration.js";
import { IndexFollower } from "./index-follower.js";
import { readBlock, readBlocks } from "./read-blocks.js";
import { ServedSpans, type ServedSpan } from "./served-spans.js";
import {
  refused,
  servedBlocks,
  serveHeaders,
  theBlock,
  theRange,
  type BlocksRead,
  type Served,
} from "./serving.js";

export type StorageRequest = MessageOf<
  "RequestBlock" | "RequestBlockRange" | "RequestHeaders" | "GetBlockTransactions"
>;

export type StorageMessage =
  | {
      readonly type: "Serve";
      readonly request: StorageRequest;
      readonly peerId: PeerId;
      readonly replyTo: ActorRef<Answer>;
    }
  | {
      readonly type: "LocateTransaction";
      readonly id: HashHex;
      readonly replyTo: ActorRef<TransactionLocated>;
    }
  /** What a peer was served lately, by the path of its handler. */
  | {
      readonly type: "GetServed";
      readonly path: string;
      readonly replyTo: ActorRef<readonly ServedSpan[]>;
    }
  /** All blocks that are not to be served, for they are damaged; `header`: that one too. */
  | {
      readonly type: "Withhold";
      readonly blocks: readonly WithheldBlock[];
      /** Told of more of them. */
      readonly repair: ActorRef<DamageFound>;
    }
  | { readonly type: "IndexOn" }
  | { readonly type: "IndexedRead"; readonly block: Uint8Array | undefined }
  | ({ readonly type: "ServedRead"; readonly blocks: readonly Uint8Array[] } & Serving)
  | ({ readonly type: "LocatedRead"; readonly block: Uint8Array | undefined } & Locating)
  | { readonly type: "Indexed"; readonly error?: unknown }
  | ChainChanged;

/** A request whose blocks are being read. */
interface Serving extends Omit<BlocksRead, "blocks"> {
  /** They count against what is served of old blocks in a day. */
  readonly isHistory: boolean;
  readonly replyTo: ActorRef<Answer>;
}

/** A question whose block is being read. */
interface Locating {
  readonly location: TransactionLocation;
  readonly id: Uint8Array;
  readonly replyTo: ActorRef<TransactionLocated>;
}

/** A stored header that is not what it should be. */
export interface DamageFound {
  readonly type: "DamageFound";
  readonly place: { readonly height: number; readonly hash: HashHex };
}

export interface WithheldBlock {
  readonly hash: HashHex;
  readonly header: boolean;
}

/** `location` is absent when the transaction is unknown or nothing is indexed. */
export interface TransactionLocated {
  readonly location?: TransactionLocation;
}

export interface StorageArgs {
  readonly consensus: ActorRef<ConsensusMessage>;
}

export type StorageEnv = Pick<
  NodeEnv,
  "blocks" | "clock" | "transactions" | "consensus" | "config" | "log" | "throttle"
>;

type Ctx = Context<StorageMessage, StorageEnv>;

/** Eight syncing peers' windows of headers; 100 bytes each. */
const SOUND_HEADERS_MAX = 16_384;
/** Blocks given to the index that it did not acknowledge yet. */
const WRITES_MAX = 64;

interface State {
  /** Absent: nothing is indexed. */
  readonly follower: IndexFollower | undefined;
  readonly served: ServedSpans;
  /** Headers that were found to be what they should be, in this life. */
  readonly sound: IdCache;
  /** Told of those that are not; absent: it has not started. */
  repair: ActorRef<DamageFound> | undefined;
  /** Blocks that are not served; true: nor are their headers. */
  withheld: ReadonlyMap<HashHex, boolean>;
  /** A turn of the follower is due. */
  due: boolean;
  writes: number;
  /** The index refused: it is asked again when the chain moves. */
  failed: boolean;
}

export const storageIntegration = defineActor<StorageArgs, StorageMessage, State, StorageEnv>({
  name: "storage",
  mailbox: {
    dataMax: 1_024,
    controlMax: 4_096,
    overflow: "reject",
    replyOf: replyToOf,
    isControl: ({ type }) => type !== "Serve" && type !== "LocateTransaction",
  },
  onFault: RESTART,

  init(context, args) {
    args.consensus.tell({ type: "Subscribe", subscriber: context.self });
    const { transactions, blocks, log } = context.env;
    const follower = transactions && new IndexFollower(transactions, context.env);
    const state: State = {
      follower,
      served: new ServedSpans(),
      sound: new IdCache(SOUND_HEADERS_MAX),
      repair: undefined,
      withheld: new Map(),
      due: false,
      writes: 0,
      failed: false,
    };
    if (follower?.behind === true) {
      const fields = { indexedHeight: follower.height, height: blocks.head().height };
      log.write("info", "transactions are indexed", fields);
    }
    indexOn(state, context);
    return state;
  },

  atRest({ writes }) {
    invariant(writes === 0, `${writes} writes of the index are under way`);
  },

  receive(state, message, context) {
    const { env } = context;
    switch (message.type) {
      case "Serve":
        serve(state, message, context);
        return;
      case "ServedRead":
        reply(state, message.replyTo, servedBlocks(message, env), message.isHistory);
        return;
      case "GetServed":
        message.replyTo.tell(state.served.of(message.path));
        return;
      case "Withhold":
        state.repair = message.repair;
        state.withheld = new Map(message.blocks.map(({ hash, header }) => [hash, header]));
        return;
      case "LocateTransaction":
        locate(message, context);
        return;
      case "LocatedRead": {
        const { location, block, id, replyTo } = message;
        replyTo.tell(isTransactionAt(block, location.index, id, env) ? { location } : {});
        return;
      }
      case "ChainChanged":
        if (state.follower === undefined) return;
        state.failed = false;
        follow(state, () => state.follower!.changed(message, state.writes === 0), context);
        return;
      case "IndexOn":
        state.due = false;
        if (!state.failed) follow(state, () => state.follower!.step(), context);
        return;
      case "IndexedRead":
        state.due = false;
        state.follower!.read(message.block);
        follow(state, () => state.follower!.step(), context);
        return;
      case "Indexed":
        state.writes--;
        if (message.error !== undefined) indexFailed(state, message.error, context);
        else indexOn(state, context);
        return;
      default:
        unreachable(message);
    }
  },
});

type Serve = Extract<StorageMessage, { type: "Serve" }>;

function serve(state: State, { request, peerId, replyTo }: Serve, context: Ctx): void {
  const { env } = context;
  if (request.kind === "RequestHeaders") {
    const { withheld } = state;
    const isSound = (hash: HashHex, header: Uint8Array): boolean =>
      isHeaderSound(state, hash, header, env);
    reply(state, replyTo, serveHeaders(request, env, { withheld, isSound }));
    return;
  }
  const { hashes, fromHeight, bytesMax } =
    request.kind === "RequestBlockRange" ? theRange(request, env) : theBlock(request, env);
  const withheld = hashes.findIndex((hash) => state.withheld.has(hash));
  const served = withheld < 0 ? hashes : hashes.slice(0, withheld);
  if (served.length === 0) {
    reply(state, replyTo, refused("NotFound"));
    return;
  }
  const isHistory = isOld(served[0]!, env) && !env.throttle.trusted.has(peerId);
  if (isHistory && env.throttle.history.isUsedUp(env.clock.monotonicMs())) {
    reply(state, replyTo, refused("RateLimited"));
    return;
  }
  context.pipe(readBlocks(env.blocks, served, bytesMax), (outcome) => ({
    type: "ServedRead",
    blocks: outcome.ok ? itemsWithin(outcome.value, bytesMax) : [],
    request,
    fromHeight,
    isHistory,
    replyTo,
  }));
}

/**
 * Whoever syncs from this node would ban it for a header that its disk changed: none is served of which
 * that is not known. Each is checked once, in microseconds.
 */
function isHeaderSound(state: State, hash: HashHex, header: Uint8Array, env: StorageEnv): boolean {
  if (state.sound.has(hash)) return true;
  const read = env.consensus.rules.readHeader(header);
  if (read.ok && read.value.hash === hash) {
    state.sound.add(hash);
    return true;
  }
  const height = env.blocks.summary(hash)?.height;
  if (height === undefined) return false;
  // It is told once: until the repair answers it is withheld here.
  state.withheld = new Map([...state.withheld, [hash, true]]);
  state.repair?.tell({ type: "DamageFound", place: { height, hash } });
  return false;
}

function isOld(hash: HashHex, { blocks, clock }: StorageEnv): boolean {
  const header = blocks.summary(hash);
  return header !== undefined && clock.wallMs() - header.timestampMs >= HISTORY_AGE_MS;
}

/** `isHistory`: its connection counts what leaves of it, for it may leave unread. */
function reply(
  { served }: State,
  replyTo: Serve["replyTo"],
  { message, span }: Served,
  isHistory = false,
): void {
  if (span !== undefined) served.add(replyTo.path, span);
  const isRefused = message.kind === "RequestRefused";
  replyTo.tell(isHistory && !isRefused ? { history: message } : message);
}

/** The index gives a hint; the block says whether it is right. */
function locate(
  { id: hex, replyTo }: Extract<StorageMessage, { type: "LocateTransaction" }>,
  context: Ctx,
): void {
  const { blocks, transactions } = context.env;
  // What is no id was never confirmed.
  const id = isHex(hex, 32) ? fromHex(hex) : undefined;
  const location = id && hinted(() => transactions?.locate(id), context.env);
  if (location === undefined) {
    replyTo.tell({});
    return;
  }
  context.pipe(readBlock(blocks, location.blockHash), (outcome) => ({
    type: "LocatedRead",
    block: outcome.ok ? outcome.value : undefined,
    location,
    id: id!,
    replyTo,
  }));
}

/** A caller's own index may throw: that costs the question, not everybody's. */
function hinted<T>(ask: () => T, { log }: Pick<NodeEnv, "log">): T | undefined {
  try {
    return atOnce(ask());
  } catch (error) {
    log.write("error", "the transaction index failed", { error: errorText(error) });
    return undefined;
  }
}

function follow(state: State, work: () => readonly Promise<void>[], context: Ctx): void {
  let writes: readonly Promise<void>[];
  try {
    writes = work();
  } catch (error) {
    // A caller's own index may throw; the chain goes on without it.
    indexFailed(state, error, context);
    return;
  }
  for (const write of writes) {
    state.writes++;
    context.pipe(write, (outcome) =>
      outcome.ok ? { type: "Indexed" } : { type: "Indexed", error: outcome.error },
    );
  }
  indexOn(state, context);
}

/** Has the follower go on in the next turn, if there is something to do. */
function indexOn(state: State, context: Ctx): void {
  if (state.due || state.failed || state.writes >= WRITES_MAX) return;
  if (state.follower?.behind !== true) return;
  state.due = true;
  const { wanted } = state.follower;
  if (wanted === undefined) nextTurn(context, { type: "IndexOn" });
  else {
    context.pipe(readBlock(context.env.blocks, wanted), (outcome) => ({
      type: "IndexedRead",
      block: outcome.ok ? outcome.value : undefined,
    }));
  }
}

function indexFailed(state: State, error: unknown, { env }: Ctx): void {
  // Once for all the blocks that were under way.
  if (!state.failed) env.log.write("error", "indexing failed", { error: errorText(error) });
  state.failed = true;
}
