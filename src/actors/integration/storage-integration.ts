// Storage integration (it stores no block, consensus does): serves blocks and headers from the
// store within the serving caps, and keeps the transaction index in step with the chain
// (index-follower.ts).
// Told by: block and sync handlers (through the system router), consensus integration, the service.
// Tells: peer handlers (replies), requesters.

import { atOnce, errorText, invariant, unreachable } from "../../errors.js";
import { defineActor, replyToOf, type ActorRef, type Context } from "../../runtime/actor.js";
import { RESTART } from "../policies.js";
import { fromHex, isHex } from "../../bytes/hex.js";
import type { HashHex } from "../../types/chain.js";
import { itemsWithin } from "../../protocol/kinds/items.js";
import type { MessageOf, RefusalReason } from "../../protocol/types/message.js";
import type { PeerId, TransactionLocation } from "../../ports.js";
import type { NodeEnv } from "../env.js";
import { nextTurn } from "../next-turn.js";
import { HISTORY_AGE_MS } from "../throttle/history-budget.js";
import { isTransactionAt } from "./block-transactions.js";
import type { ChainChanged } from "./chain-events.js";
import type { ConsensusMessage } from "./consensus-integration.js";
import { IndexFollower } from "./index-follower.js";
import { readBlock, readBlocks } from "./read-blocks.js";
import { ServedSpans, type ServedSpan } from "./served-spans.js";

export type StorageRequest = MessageOf<"RequestBlock" | "RequestBlockRange" | "RequestHeaders">;

export type StorageMessage =
  | {
      readonly type: "Serve";
      readonly request: StorageRequest;
      readonly peerId: PeerId;
      readonly replyTo: ActorRef<Answer["message"]>;
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
  | { readonly type: "Withhold"; readonly blocks: readonly WithheldBlock[] }
  | { readonly type: "IndexOn" }
  | { readonly type: "IndexedRead"; readonly block: Uint8Array | undefined }
  | ({ readonly type: "ServedRead"; readonly blocks: readonly Uint8Array[] } & Serving)
  | ({ readonly type: "LocatedRead"; readonly block: Uint8Array | undefined } & Locating)
  | { readonly type: "Indexed"; readonly error?: unknown }
  | ChainChanged;

/** A request whose blocks are being read. */
interface Serving {
  readonly request: MessageOf<"RequestBlock" | "RequestBlockRange">;
  /** Of the first block; absent: it is not on the chain. */
  readonly fromHeight: number | undefined;
  /** They count against what is served of old blocks in a day. */
  readonly isHistory: boolean;
  readonly replyTo: ActorRef<Answer["message"]>;
}

/** A question whose block is being read. */
interface Locating {
  readonly location: TransactionLocation;
  readonly id: Uint8Array;
  readonly replyTo: ActorRef<TransactionLocated>;
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

/** Blocks given to the index that it did not acknowledge yet. */
const WRITES_MAX = 64;

interface State {
  /** Absent: nothing is indexed. */
  readonly follower: IndexFollower | undefined;
  readonly served: ServedSpans;
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
        if (message.isHistory) countHistory(message.blocks, env);
        reply(state, message.replyTo, servedBlocks(message));
        return;
      case "GetServed":
        message.replyTo.tell(state.served.of(message.path));
        return;
      case "Withhold":
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

interface Answer {
  readonly message:
    | MessageOf<"ResponseBlock" | "ResponseBlockRange" | "ResponseHeaders">
    | MessageOf<"RequestRefused">;
  /** What of the canonical chain it holds. */
  readonly span?: ServedSpan;
}

type Withheld = State["withheld"];

type Serve = Extract<StorageMessage, { type: "Serve" }>;

function serve(state: State, { request, peerId, replyTo }: Serve, context: Ctx): void {
  const { env } = context;
  if (request.kind === "RequestHeaders") {
    reply(state, replyTo, serveHeaders(request, state.withheld, env));
    return;
  }
  const { hashes, fromHeight, bytesMax } =
    request.kind === "RequestBlock" ? theBlock(request, env) : theRange(request, env);
  const withheld = hashes.findIndex((hash) => state.withheld.has(hash));
  const served = withheld < 0 ? hashes : hashes.slice(0, withheld);
  if (served.length === 0) {
    reply(state, replyTo, refused("NotFound"));
    return;
  }
  const isHistory = isOld(served[0]!, env) && !env.throttle.history.trusted.has(peerId);
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

function isOld(hash: HashHex, { blocks, clock }: StorageEnv): boolean {
  const header = blocks.summary(hash);
  return header !== undefined && clock.wallMs() - header.timestampMs >= HISTORY_AGE_MS;
}

function countHistory(blocks: readonly Uint8Array[], { clock, throttle }: StorageEnv): void {
  const bytes = blocks.reduce((sum, { length }) => sum + length, 0);
  throttle.history.used(bytes, clock.monotonicMs());
}

function reply({ served }: State, replyTo: Serve["replyTo"], { message, span }: Answer): void {
  if (span !== undefined) served.add(replyTo.path, span);
  replyTo.tell(message);
}

function refused(reason: RefusalReason): Answer {
  return { message: { kind: "RequestRefused", reason } };
}

interface Wanted {
  readonly hashes: readonly HashHex[];
  readonly fromHeight: number | undefined;
  readonly bytesMax: number;
}

function theBlock({ hash }: MessageOf<"RequestBlock">, { blocks }: StorageEnv): Wanted {
  const height = blocks.summary(hash)?.height;
  const isCanonical = height !== undefined && blocks.hashAt(height) === hash;
  const hashes = height === undefined ? [] : [hash];
  return { hashes, fromHeight: isCanonical ? height : undefined, bytesMax: 1 };
}

/** A prefix of the range: at least one block, then until the soft limit is reached. */
function theRange(request: MessageOf<"RequestBlockRange">, { blocks, config }: StorageEnv): Wanted {
  const { itemsMax, bytesSoftMax } = config.serve;
  const { fromHeight, count, lastHash } = request;
  const hashes: HashHex[] = [];
  const isOurs = blocks.hashAt(fromHeight + count - 1) === lastHash;
  const end = isOurs ? fromHeight + Math.min(count, itemsMax) : fromHeight;
  for (let height = fromHeight; height < end; height++) {
    const hash = blocks.hashAt(height);
    if (hash === undefined) break;
    hashes.push(hash);
  }
  return { hashes, fromHeight, bytesMax: bytesSoftMax };
}

function servedBlocks({
  request,
  blocks,
  fromHeight,
}: Omit<Serving, "replyTo"> & {
  readonly blocks: readonly Uint8Array[];
}): Answer {
  const [block] = blocks;
  if (block === undefined) return refused("NotFound");
  const span = fromHeight === undefined ? {} : { span: spanOf(fromHeight, blocks.length) };
  return request.kind === "RequestBlock"
    ? { message: { kind: "ResponseBlock", block }, ...span }
    : { message: { kind: "ResponseBlockRange", blocks }, ...span };
}

function spanOf(fromHeight: number, count: number): ServedSpan {
  return { fromHeight, count, bodies: true };
}

/**
 * Canonical headers after the newest locator hash that is canonical here; genesis always is. At
 * least one, if there are any, then until the soft limit is reached.
 */
function serveHeaders(
  request: MessageOf<"RequestHeaders">,
  withheld: Withheld,
  env: StorageEnv,
): Answer {
  const { blocks: store } = env;
  const { bytesSoftMax } = env.config.serve;
  const known = request.locator
    .map((hash) => store.summary(hash))
    .find((header) => header !== undefined && store.hashAt(header.height) === header.hash);
  if (known === undefined) return refused("NotFound");
  const last = Math.min(store.head().height, known.height + request.countMax);
  const found: Uint8Array[] = [];
  let bytes = 0;
  for (let height = known.height + 1; height <= last; height++) {
    const hash = store.hashAt(height);
    if (hash === undefined || withheld.get(hash) === true) break;
    const header = store.headerBytes(hash);
    if (header === undefined) break;
    if (found.length > 0 && bytes + header.length > bytesSoftMax) break;
    found.push(header);
    bytes += header.length;
  }
  const headers = itemsWithin(found, bytesSoftMax);
  const span = { fromHeight: known.height + 1, count: headers.length, bodies: false };
  return { message: { kind: "ResponseHeaders", headers }, span };
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
