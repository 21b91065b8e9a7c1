// Block repair: a peer that leaves because of what it was served makes this node check its own blocks,
// and storage tells of a header that it found changed. Such a block is said, withheld, and fetched
// again from peers.
// Told by: registry, storage integration, peer handlers (answers), consensus (outcomes).
// Tells: storage and consensus integration (through the system router), peer handlers.

import { packOwned } from "../../bytes/packed.js";
import { invariant, unreachable } from "../../errors.js";
import { defineActor, NO_DEADLINE, type ActorRef, type Context } from "../../runtime/actor.js";
import { askConsensus } from "../ask-consensus.js";
import { RESTART } from "../policies.js";
import { blamesNobody } from "../../chain/faults.js";
import type { HashHex } from "../../types/chain.js";
import type { BlocksVerdict, PeerId } from "../../ports.js";
import type { NodeEnv } from "../env.js";
import { nextTurn } from "../next-turn.js";
import { askPeer, type RequestOutcome } from "../peer/ask-peer.js";
import type { PeerHandlerMessage } from "../peer/peer-handler-messages.js";
import type { PeerTableEvent, RegistryMessage } from "../peer/peer-table.js";
import type { SystemRouterMessage } from "../service/system-router.js";
import type { ConnectOutcome } from "./consensus-integration.js";
import type { ServedSpan } from "./served-spans.js";
import type { DamageFound } from "./storage-integration.js";

export type BlockRepairMessage =
  | PeerTableEvent
  /** What a peer that complained was served. */
  | { readonly type: "Served"; readonly peerId: PeerId; readonly spans: readonly ServedSpan[] }
  | DamageFound
  | { readonly type: "CheckOn" }
  | { readonly type: "BlockChecked"; readonly place: Place; readonly verdict: Verdict }
  | { readonly type: "CopyChecked"; readonly hash: HashHex; readonly verdict: Verdict }
  | { readonly type: "RetryDue" }
  | RequestOutcome
  | ConnectOutcome;

export interface BlockRepairArgs {
  readonly registry: ActorRef<RegistryMessage>;
  readonly system: ActorRef<SystemRouterMessage>;
}

export type BlockRepairEnv = Pick<
  NodeEnv,
  "blocks" | "clock" | "consensus" | "log" | "random" | "workers"
>;

type Verdict = BlocksVerdict | undefined;

interface Place {
  readonly height: number;
  readonly hash: HashHex;
}

interface Damaged extends Place {
  /** Its header is damaged too. */
  readonly header: boolean;
  /** Peers that did not give a sound copy. */
  readonly tried: Set<PeerId>;
  /** Of the request or commit under way. */
  tag: number | undefined;
}

interface Check {
  readonly peerId: PeerId;
  /** Ascending; whether the bodies are to be checked. */
  readonly heights: [height: number, bodies: boolean][];
  bytesLeft: number;
  checked: number;
  found: number;
}

interface State extends BlockRepairArgs {
  readonly peers: Map<PeerId, ActorRef<PeerHandlerMessage>>;
  check: Check | undefined;
  /** Monotonic time of the last check. */
  checkedMs: number;
  readonly damaged: Map<HashHex, Damaged>;
  /** The timer of the next retry runs. */
  retrying: boolean;
  nextTag: number;
}

type Ctx = Context<BlockRepairMessage, BlockRepairEnv>;

/** Identities are free, so complaints are: one in this time is followed. */
const COMPLAINT_INTERVAL_MS = 60_000;
/** Checked for one complaint: a second or two of one thread. */
const CHECK_BYTES_MAX = 8 * 1024 * 1024;
const CHECK_HEIGHTS_MAX = 4_096;
/** Headers checked in one turn, about 10 µs each. */
const SLICE_HEADERS = 64;
/** With more of them the disk is failing, and no peer can mend that. */
const DAMAGED_MAX = 64;
const RETRY_MS = 60_000;

export const blockRepair = defineActor<BlockRepairArgs, BlockRepairMessage, State, BlockRepairEnv>({
  name: "block-repair",
  mailbox: { dataMax: 64, controlMax: 16_384, overflow: "reject", isControl: () => true },
  onFault: RESTART,

  init(context, args) {
    args.registry.tell({ type: "Subscribe", subscriber: context.self });
    const state: State = {
      ...args,
      peers: new Map(),
      check: undefined,
      checkedMs: Number.NEGATIVE_INFINITY,
      damaged: new Map(),
      retrying: false,
      nextTag: 1,
    };
    // An earlier life may have had blocks withheld; the next complaint finds them again.
    withhold(state, context);
    return state;
  },

  receive(state, message, context) {
    switch (message.type) {
      case "PeerReady":
        if (!message.capabilities.has("blocks/1")) return;
        state.peers.set(message.peerId, message.handler);
        fetchAll(state, context);
        return;
      case "PeerGone":
        peerGone(state, message, context);
        return;
      case "PeerMeasured":
      case "PeerClaimed":
        return;
      case "Served":
        beginCheck(state, message, context);
        return;
      case "DamageFound":
        found(state, message.place, true, "its header changed", context);
        return;
      case "CheckOn":
        checkOn(state, context);
        return;
      case "BlockChecked":
        blockChecked(state, message.place, message.verdict, context);
        return;
      case "RequestOutcome":
        copyCame(state, message, context);
        return;
      case "CopyChecked":
        copyChecked(state, message.hash, message.verdict, context);
        return;
      case "ConnectOutcome":
        restored(state, message, context);
        return;
      case "RetryDue":
        retry(state, context);
        return;
      default:
        unreachable(message);
    }
  },

  invariants({ damaged }) {
    invariant(damaged.size <= DAMAGED_MAX, `${damaged.size} blocks are being mended`);
  },
});

// ---- checking --------------------------------------------------------------------------------

function peerGone(
  state: State,
  { peerId, byPeer, reason }: Extract<PeerTableEvent, { type: "PeerGone" }>,
  context: Ctx,
): void {
  const handler = state.peers.get(peerId);
  if (handler === undefined) return;
  state.peers.delete(peerId);
  const refused = byPeer && (reason === "Banned" || reason === "ProtocolViolation");
  if (!refused || state.check !== undefined) return;
  if (context.env.clock.monotonicMs() - state.checkedMs < COMPLAINT_INTERVAL_MS) return;
  const { path } = handler;
  context.ask<SystemRouterMessage, readonly ServedSpan[]>(
    state.system,
    (replyTo) => ({ to: "storage", message: { type: "GetServed", path, replyTo } }),
    NO_DEADLINE,
    (outcome) => ({ type: "Served", peerId, spans: outcome.ok ? outcome.value : [] }),
  );
}

function beginCheck(
  state: State,
  { peerId, spans }: Extract<BlockRepairMessage, { type: "Served" }>,
  context: Ctx,
): void {
  if (state.check !== undefined) return;
  const heights = new Map<number, boolean>();
  for (const { fromHeight, count, bodies } of spans.toReversed()) {
    for (let height = fromHeight; height < fromHeight + count; height++) {
      if (heights.size < CHECK_HEIGHTS_MAX || heights.has(height)) {
        heights.set(height, bodies || heights.get(height) === true);
      }
    }
  }
  if (heights.size === 0) return;
  state.checkedMs = context.env.clock.monotonicMs();
  state.check = {
    peerId,
    heights: [...heights].sort(([a], [b]) => a - b),
    bytesLeft: CHECK_BYTES_MAX,
    checked: 0,
    found: 0,
  };
  checkOn(state, context);
}

/** Checks headers until a body is due, which the pool checks. */
function checkOn(state: State, context: Ctx): void {
  const { check } = state;
  if (check === undefined) return;
  for (let headers = 0; headers < SLICE_HEADERS; headers++) {
    const next = check.bytesLeft > 0 ? check.heights.shift() : undefined;
    if (next === undefined) {
      endCheck(state, check, context);
      return;
    }
    const [height, bodies] = next;
    const hash = context.env.blocks.hashAt(height);
    if (hash === undefined) continue;
    const place = { height, hash };
    check.checked++;
    if (!isHeaderSound(hash, context)) found(state, place, true, "its header changed", context);
    else if (bodies && checkBody(state, check, place, context)) return;
  }
  nextTurn(context, { type: "CheckOn" });
}

function isHeaderSound(hash: HashHex, { env }: Ctx): boolean {
  const bytes = env.blocks.headerBytes(hash);
  const header = bytes && env.consensus.rules.readHeader(bytes);
  return header !== undefined && header.ok && header.value.hash === hash;
}

/** True: the pool has it. */
function checkBody(state: State, check: Check, place: Place, context: Ctx): boolean {
  const { blocks } = context.env;
  const block = blocks.block(place.hash);
  if (block === undefined) {
    found(state, place, false, "it is not there", context);
    return false;
  }
  check.bytesLeft -= block.length;
  const message = (verdict: Verdict) => ({ type: "BlockChecked", place, verdict }) as const;
  return validate(place, block, message, context);
}

function validate(
  { height }: Place,
  block: Uint8Array,
  message: (verdict: Verdict) => BlockRepairMessage,
  context: Ctx,
): boolean {
  const { blocks, clock, workers } = context.env;
  const parent = blocks.hashAt(height - 1);
  const parentHeader = parent === undefined ? undefined : blocks.headerBytes(parent);
  if (parentHeader === undefined) return false;
  const job = { blocks: packOwned([block]), parentHeader, nowMs: clock.wallMs() };
  context.pipe(workers.validateBlocks(job), (outcome) =>
    message(outcome.ok ? outcome.value : undefined),
  );
  return true;
}

function blockChecked(state: State, place: Place, verdict: Verdict, context: Ctx): void {
  const { check } = state;
  if (check === undefined) return;
  if (verdict === undefined) {
    // The pool has no room for it: the next complaint begins anew.
    state.check = undefined;
    state.checkedMs = Number.NEGATIVE_INFINITY;
    return;
  }
  const { fault, accepted } = verdict;
  if (fault !== undefined) {
    // Our clock was set back, or the rules threw: neither says that the bytes changed.
    if (!blamesNobody(fault.rule)) {
      found(state, place, false, `${fault.rule}: ${fault.detail}`, context);
    }
  } else if (accepted[0]?.header.hash !== place.hash) {
    found(state, place, false, "it has another block's header", context);
  }
  checkOn(state, context);
}

function endCheck(state: State, { peerId, checked, found: count }: Check, context: Ctx): void {
  state.check = undefined;
  if (count > 0) return;
  context.env.log.write("info", "blocks that a peer refused are sound", { peerId, checked });
}

function found(state: State, place: Place, header: boolean, why: string, context: Ctx): void {
  if (state.check !== undefined) state.check.found++;
  if (state.damaged.has(place.hash)) return;
  if (state.damaged.size >= DAMAGED_MAX) {
    const advice = "the disk may be failing: stop the node and run chain verify";
    context.env.log.write("error", "too many stored blocks are damaged", { ...place, advice });
    return;
  }
  const next = "it is withheld, and fetched again from peers";
  context.env.log.write("error", "a stored block is damaged", { ...place, why, next });
  state.damaged.set(place.hash, { ...place, header, tried: new Set(), tag: undefined });
  withhold(state, context);
  fetchAll(state, context);
  retryLater(state, context);
}

function withhold({ system, damaged }: State, { self: repair }: Ctx): void {
  const blocks = [...damaged.values()].map(({ hash, header }) => ({ hash, header }));
  system.tell({ to: "storage", message: { type: "Withhold", blocks, repair } });
}

// ---- mending ---------------------------------------------------------------------------------

/** Asks for each damaged block that is not under way, each peer once until the next retry. */
function fetchAll(state: State, context: Ctx): void {
  for (const one of state.damaged.values()) if (one.tag === undefined) fetch(state, one, context);
}

function fetch(state: State, damaged: Damaged, context: Ctx): void {
  damaged.tag = undefined;
  for (const [peerId, handler] of state.peers) {
    if (damaged.tried.has(peerId)) continue;
    damaged.tried.add(peerId);
    const tag = state.nextTag++;
    const message = { kind: "RequestBlock", hash: damaged.hash } as const;
    damaged.tag = tag;
    askPeer({ peerId, handler, message, tag }, context);
    return;
  }
}

/** Runs on whatever happens meanwhile: peers that come and go must not put it off. */
function retryLater(state: State, context: Ctx): void {
  if (state.retrying || state.damaged.size === 0) return;
  state.retrying = true;
  context.startTimer("retry", RETRY_MS, { type: "RetryDue" });
}

/** Begins anew with all of them: an answer may be lost, and storage may have begun another life. */
function retry(state: State, context: Ctx): void {
  state.retrying = false;
  if (state.damaged.size === 0) return;
  withhold(state, context);
  for (const one of state.damaged.values()) {
    one.tried.clear();
    one.tag = undefined;
  }
  fetchAll(state, context);
  retryLater(state, context);
}

function taggedWith({ damaged }: State, tag: number): Damaged | undefined {
  return [...damaged.values()].find((one) => one.tag === tag);
}

function copyCame(state: State, outcome: RequestOutcome, context: Ctx): void {
  const damaged = taggedWith(state, outcome.tag);
  if (damaged === undefined) return;
  const { hash } = damaged;
  const message = (verdict: Verdict) => ({ type: "CopyChecked", hash, verdict }) as const;
  const copy = outcome.ok && outcome.message.kind === "ResponseBlock" && outcome.message.block;
  if (copy !== false && validate(damaged, copy, message, context)) return;
  fetch(state, damaged, context);
}

function copyChecked(state: State, hash: HashHex, verdict: Verdict, context: Ctx): void {
  const damaged = state.damaged.get(hash);
  if (damaged === undefined) return;
  const block = verdict?.accepted[0];
  if (block?.header.hash !== hash) {
    fetch(state, damaged, context);
    return;
  }
  const tag = state.nextTag++;
  damaged.tag = tag;
  askConsensus(state.system, { type: "Restore", block, tag }, context);
}

function restored(state: State, outcome: ConnectOutcome, context: Ctx): void {
  const damaged = taggedWith(state, outcome.tag);
  if (damaged === undefined) return;
  if (!outcome.ok) {
    fetch(state, damaged, context);
    return;
  }
  const { height, hash } = damaged;
  state.damaged.delete(hash);
  withhold(state, context);
  context.env.log.write("warn", "a damaged block was mended", { height, hash });
}
