// Block producer: builds blocks on the head and searches their proof of work in the pool. Whatever
// becomes of a block, and whatever a caller's own consensus throws, it goes on.
// Told by: consensus integration (new heads), mempool integration, event bus (sync's state), block
// handler. Tells: block handler, which treats own blocks as it treats a peer's; mempool integration.

import { errorText, unreachable } from "../../errors.js";
import type { Consensus, MempoolTransaction } from "../../ports.js";
import { defineActor, NO_DEADLINE, type ActorRef } from "../../runtime/actor.js";
import type { Breach } from "../../types/breach.js";
import type { Fault, HashHex, RuleName } from "../../types/chain.js";
import type { NetworkEvent } from "../events/event-types.js";
import type { BlockHandlerMessage } from "../handlers/block-handler-state.js";
import type { ProducedOutcome } from "../handlers/block-origin.js";
import { RESTART } from "../policies.js";
import type { SystemRouterMessage } from "../service/system-router.js";
import type {
  ProducerArgs,
  ProducerContext,
  ProducerEnv,
  ProducerMessage,
  ProducerState,
  SyncNews,
  Template,
} from "./block-producer-state.js";
import { isBlock, roomOf, thoseThatFit } from "./block-room.js";
import { SelectionTrial } from "./selection-trial.js";
import { SyncPause } from "./sync-pause.js";

export type { ProducerArgs, ProducerEnv, ProducerMessage } from "./block-producer-state.js";

/** A template older than this is built anew, for its timestamp and newer transactions. */
const TEMPLATE_MS = 2_000;
const RETRY_MS = 250;
/** After a refused block, when there is something left to leave out. */
const RETRY_WITH_LESS_MS = 10;
/** Between two tries when nothing is left to leave out, or until the consensus has its turn. */
const WAIT_MAX_MS = 60_000;
/** Rules may throw at a block in the pool, which tells nothing but that it lost the block. */
const LOST_MAX = 3;
/** A search that ends sooner gets more nonces: its trip to a busy pool takes as long. */
const SEARCH_MIN_MS = 3;
/** With so many times the nonces it is no search at all: it has nothing to find yet. */
const ATTEMPTS_GROWTH_MAX = 1_024;
const PAUSE_MIN_MS = 10;
/** What they say of a block has nothing to do with its transactions. */
const HEADER_RULES: ReadonlySet<RuleName> = new Set([
  "link",
  "height",
  "time",
  "difficulty",
  "total-difficulty",
  "proof-of-work",
  "future",
]);

export const blockProducer = defineActor<ProducerArgs, ProducerMessage, ProducerState, ProducerEnv>(
  {
    name: "producer",
    mailbox: {
      dataMax: 1_024,
      controlMax: 1_024,
      overflow: "dropOldest",
      isControl: ({ type }) => CONTROL.has(type),
    },
    onFault: RESTART,

    init(context, args) {
      args.consensus.tell({ type: "Subscribe", subscriber: context.self });
      args.events.tell({
        type: "Subscribe",
        // Of these types alone.
        subscriber: context.self as ActorRef<NetworkEvent>,
        types: ["SyncStarted", "SyncProgressed", "SyncFinished", "SyncFailed"],
      });
      const { intervalMs, emptyBlocks, attemptsPerTask } = context.env.config.producer;
      const state: ProducerState = {
        ...args,
        round: 0,
        pause: new SyncPause(),
        template: undefined,
        search: { nonce: 0n, attempts: attemptsPerTask, startedMs: 0, pauseMs: 0 },
        made: undefined,
        trial: new SelectionTrial({ emptyBlocks, patienceMs: intervalMs }),
        lost: 0,
      };
      begin(state, context);
      return state;
    },

    receive(state, message, context) {
      switch (message.type) {
        case "ChainChanged":
          begin(state, context);
          return;
        case "BeginDue": {
          // A sync that went on meanwhile prolonged the pause.
          const pauseMs = state.pause.leftMs(context.env.clock.monotonicMs());
          if (pauseMs > 0) beginIn(pauseMs, context);
          else select(state, context);
          return;
        }
        case "Selected":
          if (message.transactions !== undefined) build(state, message.transactions, context);
          return;
        case "Sealed":
          if (message.round === state.round) sealed(state, message.header, context);
          return;
        case "SealFailed":
          if (message.round !== state.round) return;
          context.env.log.write("debug", "sealing failed", { error: String(message.error) });
          beginIn(RETRY_MS, context);
          return;
        case "SealDue":
          if (message.round === state.round) seal(state, context);
          return;
        case "Ended":
          ended(state, message.tag, message.outcome, context);
          return;
        case "SyncStarted":
        case "SyncProgressed":
        case "SyncFinished":
        case "SyncFailed":
          syncChanged(state, message.type, context);
          return;
        default:
          unreachable(message);
      }
    },
  },
);

const CONTROL: ReadonlySet<ProducerMessage["type"]> = new Set([
  "Sealed",
  "SealFailed",
  "SealDue",
  "BeginDue",
  "Ended",
]);

function select(state: ProducerState, context: ProducerContext): void {
  const bytesMax = roomOf(context.env);
  // Stands until the answer is here.
  beginIn(RETRY_MS, context);
  context.ask<SystemRouterMessage, readonly MempoolTransaction[]>(
    state.system,
    (replyTo) => ({ to: "mempool", message: { type: "SelectTransactions", bytesMax, replyTo } }),
    NO_DEADLINE,
    (outcome) => ({ type: "Selected", transactions: outcome.ok ? outcome.value : undefined }),
  );
}

/** A new head: the search on the old one is void; the next block is due an interval after it. */
function begin(state: ProducerState, context: ProducerContext): void {
  state.round++;
  beginIn(dueInMs(state, context), context);
}

/** What is under way goes on unless the pause begins or ends with this. */
function syncChanged(state: ProducerState, type: SyncNews, context: ProducerContext): void {
  const { pause } = state;
  const nowMs = context.env.clock.monotonicMs();
  const paused = pause.leftMs(nowMs) > 0;
  if (type === "SyncStarted") pause.started(nowMs);
  else if (type === "SyncProgressed") pause.progressed(nowMs);
  else pause.ended(type === "SyncFinished");
  if (paused !== pause.leftMs(nowMs) > 0) begin(state, context);
}

function dueInMs({ pause }: ProducerState, { env }: ProducerContext): number {
  const pauseMs = pause.leftMs(env.clock.monotonicMs());
  if (pauseMs > 0) return pauseMs;
  const { intervalMs } = env.config.producer;
  const dueMs = env.blocks.head().timestampMs + intervalMs - env.clock.wallMs();
  // Far in the future only when the clocks disagree: never wait longer than one interval.
  return Math.min(Math.max(0, dueMs), intervalMs);
}

function beginIn(delayMs: number, context: ProducerContext): void {
  context.startTimer("begin", delayMs, { type: "BeginDue" });
}

/** An interval, which may be none, and never so short that waiting is work. */
function pauseMs({ env }: ProducerContext): number {
  return Math.max(RETRY_MS, env.config.producer.intervalMs);
}

function build(
  state: ProducerState,
  selected: readonly MempoolTransaction[],
  context: ProducerContext,
): void {
  const { blocks, clock, config, consensus } = context.env;
  state.round++;
  state.template = undefined;
  const fitting = thoseThatFit(selected, roomOf(context.env));
  const chosen = state.trial.choose(fitting, clock.monotonicMs());
  if (chosen.length === 0 && !config.producer.emptyBlocks) {
    beginIn(pauseMs(context), context);
    return;
  }
  const bodies = chosen.map(({ bytes }) => bytes);
  const wallMs = clock.wallMs();
  let parts: ReturnType<Consensus["template"]>;
  try {
    parts = consensus.template(blocks.head(), bodies, wallMs) ?? undefined;
    const isAnswer = parts === undefined || "notBeforeMs" in parts || isBlock(parts);
    if (!isAnswer) throw new TypeError("neither a block nor a time");
  } catch (error) {
    failed(state, "template", chosen, error, context);
    return;
  }
  if (parts === undefined || "notBeforeMs" in parts) {
    const waitMs = parts === undefined ? pauseMs(context) : parts.notBeforeMs - wallMs;
    // Not for ever, should it be no time at all: a wrong number, or the wall clock was set.
    beginIn(Math.min(Math.max(RETRY_MS, waitMs || 0), WAIT_MAX_MS), context);
    return;
  }
  const idOf = new Map(chosen.map(({ bytes, id }) => [bytes, id]));
  state.template = { parts, ids: parts.transactions.map((bytes) => idOf.get(bytes)) };
  search(state, context);
}

function search(state: ProducerState, context: ProducerContext): void {
  const { config, random } = context.env;
  state.search = {
    // Producers on one head search apart.
    nonce: BigInt(random.uint32()) << 16n,
    attempts: config.producer.attemptsPerTask,
    startedMs: 0,
    pauseMs: 0,
  };
  beginIn(TEMPLATE_MS, context);
  seal(state, context);
}

function seal({ template, search, round }: ProducerState, context: ProducerContext): void {
  const { clock, workers } = context.env;
  if (template === undefined) return;
  const { nonce: nonceStart, attempts } = search;
  search.nonce += BigInt(attempts);
  search.startedMs = clock.monotonicMs();
  // The pool takes bytes by transfer: the header is sent as a copy.
  const job = { header: template.parts.header.slice(), nonceStart, attempts };
  context.pipe(workers.seal(job), (outcome) =>
    outcome.ok
      ? { type: "Sealed", round, header: outcome.value }
      : { type: "SealFailed", round, error: outcome.error },
  );
}

function sealed(
  state: ProducerState,
  header: Uint8Array | undefined,
  context: ProducerContext,
): void {
  if (header === undefined) {
    searchOn(state, context);
    return;
  }
  const { parts, ids } = state.template!;
  const tag = state.round++;
  state.template = undefined;
  let block: Uint8Array;
  try {
    block = context.env.consensus.assemble({ header, transactions: parts.transactions });
    if (!(block instanceof Uint8Array)) throw new TypeError("not the bytes of a block");
  } catch (error) {
    failed(
      state,
      "assemble",
      ids.flatMap((id) => (id === undefined ? [] : [{ id }])),
      error,
      context,
    );
    return;
  }
  state.made = { tag, ids };
  context.ask<BlockHandlerMessage, ProducedOutcome>(
    state.blockHandler,
    (replyTo) => ({ type: "Produced", block, replyTo }),
    NO_DEADLINE,
    (outcome) => ({ type: "Ended", tag, outcome: outcome.ok ? outcome.value : UNHEARD }),
  );
}

/** A consensus without a search may say at once that it has no seal yet: that is no busy loop. */
function searchOn(state: ProducerState, context: ProducerContext): void {
  const { search, round } = state;
  const { clock, config } = context.env;
  const isSearch = clock.monotonicMs() - search.startedMs >= SEARCH_MIN_MS;
  const attemptsMax = config.producer.attemptsPerTask * ATTEMPTS_GROWTH_MAX;
  if (isSearch || search.attempts < attemptsMax) {
    if (!isSearch) search.attempts *= 2;
    seal(state, context);
    return;
  }
  search.pauseMs = Math.min(Math.max(PAUSE_MIN_MS, 2 * search.pauseMs), RETRY_MS);
  context.startTimer("seal", search.pauseMs, { type: "SealDue", round });
}

const FAILED_ALONE: Breach = { rule: "refused", detail: "an own block failed for it" };

// ---- what became of a block ------------------------------------------------------------------

/** The block handler could not take it, or crashed with it. */
const UNHEARD: ProducedOutcome = { ok: false, reason: "busy" };

function ended(
  state: ProducerState,
  tag: number,
  outcome: ProducedOutcome,
  context: ProducerContext,
): void {
  const { made } = state;
  if (tag !== made?.tag) return;
  state.made = undefined;
  if (outcome.ok) {
    state.lost = 0;
    refuse(state, state.trial.passed(made.ids.length), FAILED_ALONE);
    return;
  }
  const { reason, fault } = outcome;
  state.lost = reason === "lost" ? state.lost + 1 : 0;
  if (fault === undefined && state.lost < LOST_MAX) return;
  state.lost = 0;
  const ids = made.ids.filter((id) => id !== undefined);
  refused(
    state,
    ids,
    fault ?? { rule: "consensus-failed", detail: "the pool lost it" },
    context,
    made.ids,
  );
}

/** The consensus threw: as if the block that it was to make had been refused. */
function failed(
  state: ProducerState,
  call: string,
  transactions: readonly { readonly id: HashHex }[],
  error: unknown,
  context: ProducerContext,
): void {
  const fault = { rule: "consensus-failed", detail: `${call} threw: ${errorText(error)}` } as const;
  refused(
    state,
    transactions.map(({ id }) => id),
    fault,
    context,
  );
}

function refused(
  state: ProducerState,
  ids: readonly HashHex[],
  fault: Fault,
  context: ProducerContext,
  inBlock: Template["ids"] = ids,
): void {
  const { rule, detail, transaction } = fault;
  const { clock, log } = context.env;
  const named = transaction === undefined ? undefined : inBlock[transaction];
  log.write("warn", "own block refused", { rule, detail, transactions: ids.length });
  let waitMs = pauseMs(context);
  if (!HEADER_RULES.has(rule)) {
    const judged = rule !== "consensus-failed";
    const guilty = state.trial.refused({ ids, named, judged }, clock.monotonicMs());
    refuse(state, guilty, { rule, detail });
    const { blocked } = state.trial;
    waitMs = blocked === 0 ? RETRY_WITH_LESS_MS : RETRY_MS * 2 ** Math.min(blocked, 16);
  }
  // The head may have changed meanwhile.
  beginIn(Math.max(dueInMs(state, context), Math.min(waitMs, WAIT_MAX_MS)), context);
}

/** No block can hold them: they leave the mempool, and their submitters hear why. */
function refuse(state: ProducerState, ids: readonly HashHex[], breach: Breach): void {
  if (ids.length === 0) return;
  const message = { type: "RefuseTransactions", ids, breach } as const;
  state.system.tell({ to: "mempool", message });
}
