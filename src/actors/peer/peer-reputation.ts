// Reputation: judges peers. Keeps every peer's score and bans, and tells those who act on them and
// store them. Told by: peer handlers, handlers, sync, registry. Tells: its subscribers (the registry).
// Before a slow peer pays, it asks whether this node itself is at fault.

import { unreachable } from "../../errors.js";
import { defineActor, replyToOf, type ActorRef, type Context } from "../../runtime/actor.js";
import { ESCALATE } from "../policies.js";
import type { BanRecord, PeerId } from "../../ports.js";
import type { NodeEnv } from "../env.js";
import type { OperatorBan } from "./ban-list.js";
import type { Moment } from "./moment.js";
import type { Farewell } from "./peer-handler-messages.js";
import type { PeerDeeds } from "./peer-deeds.js";
import { SLOWNESS, type Deed } from "./reputation-events.js";
import { ReputationLedger, type PeerExplanation, type Verdict } from "./reputation-ledger.js";
import { Slowness, type OwnState } from "./slowness.js";

export type ReputationMessage =
  | ({ readonly type: "Report"; readonly peerId: PeerId } & Deed)
  /** Whoever dealt with a message of it found a violation: the end of its connection. */
  | {
      readonly type: "Broke";
      readonly peerId: PeerId;
      /** Of the wire, or of a service's protocol. */
      readonly rule: string;
      readonly detail: string;
    }
  | { readonly type: "Subscribe"; readonly subscriber: ActorRef<ReputationVerdict> }
  /** How many peers are ready: slowness bans nobody when few are left. */
  | { readonly type: "PeersCounted"; readonly ready: number }
  /** What the operator decides: answered once subscribers were told. */
  | {
      readonly type: "Ban";
      readonly peerId: PeerId;
      readonly ban: OperatorBan;
      /** Undefined: so many of theirs are in force that there is no room for another one. */
      readonly replyTo: ActorRef<BanRecord | undefined>;
    }
  /** Resets the score, too; answered with whether there was a ban. Absent: nobody waits for it. */
  | { readonly type: "Unban"; readonly peerId: PeerId; readonly replyTo?: ActorRef<boolean> }
  /** Trusted peers are not banned, and lose a tenth of what others do. Lifts a ban. */
  | { readonly type: "Trust"; readonly peerId: PeerId; readonly replyTo?: ActorRef<boolean> }
  | { readonly type: "Distrust"; readonly peerId: PeerId; readonly replyTo?: ActorRef<boolean> }
  | {
      readonly type: "Explain";
      readonly peerId: PeerId;
      readonly replyTo: ActorRef<PeerExplanation>;
    }
  | { readonly type: "GetBans"; readonly replyTo: ActorRef<readonly BanRecord[]> }
  /** Bans of an earlier run, in whatever state they are stored: a subscriber's, told at its start. */
  | { readonly type: "RestoreBans"; readonly bans: readonly BanRecord[] }
  /** A ban is to be forgotten. */
  | { readonly type: "BansDue" }
  /** Whose fault it was that peers were slow shows by now. */
  | { readonly type: "SlownessDue" };

export type ReputationVerdict =
  | { readonly type: "PeerBanned"; readonly ban: BanRecord }
  /** It was lifted, or is one of too many, or over for so long that the next is no longer for it. */
  | { readonly type: "BanForgotten"; readonly peerId: PeerId }
  | ({ readonly type: "PeerJudged"; readonly peerId: PeerId } & Verdict)
  /** What it brought and broke so far. */
  | { readonly type: "PeerDid"; readonly peerId: PeerId; readonly deeds: PeerDeeds }
  /** It broke a rule that ends its connection. */
  | ({ readonly type: "Disconnect"; readonly peerId: PeerId } & Farewell);

export interface ReputationArgs {
  readonly mailboxMax: number;
}

export type ReputationEnv = Pick<NodeEnv, "clock" | "health" | "log"> & {
  /** The pool that this node's work waits for; absent: there is none. */
  readonly workers?: Pick<NodeEnv["workers"], "load">;
  readonly config: Pick<NodeEnv["config"], "reputation" | "trustedPeers">;
};

interface State {
  readonly ledger: ReputationLedger;
  /** By path. */
  readonly subscribers: Map<string, ActorRef<ReputationVerdict>>;
  /** Whose deeds are to be told at the end of this batch. */
  readonly active: Set<PeerId>;
  readonly slowness: Slowness;
  readyPeers: number;
}

/** Those who fail together fail within so long. */
const SLOWNESS_HELD_MS = 2_000;

export const peerReputation = defineActor<ReputationArgs, ReputationMessage, State, ReputationEnv>({
  name: "reputation",
  source: { moduleUrl: import.meta.url, exportName: "peerReputation" },
  mailbox: (args) => ({
    dataMax: args.mailboxMax,
    controlMax: args.mailboxMax,
    overflow: "dropOldest",
    replyOf: replyToOf,
    isControl: ({ type }) => type !== "Report" && type !== "Broke",
  }),
  onFault: ESCALATE,

  init({ env }) {
    const { reputation, trustedPeers } = env.config;
    return {
      ledger: new ReputationLedger(reputation, trustedPeers, [], momentOf(env)),
      subscribers: new Map(),
      active: new Set(),
      slowness: new Slowness(reputation),
      readyPeers: 0,
    };
  },

  receive(state, message, context) {
    const { env } = context;
    switch (message.type) {
      case "Report":
        if (!SLOWNESS.has(message.event)) record(state, message, context);
        else if (state.slowness.hold(message, ownState(env))) {
          context.startTimer("slowness", SLOWNESS_HELD_MS, { type: "SlownessDue" });
        }
        return;
      case "SlownessDue":
        judgeSlowness(state, context);
        return;
      case "Broke": {
        const { peerId, rule, detail } = message;
        record(state, { peerId, event: "ProtocolViolation", rule, detail }, context);
        tellAll(state, { type: "Disconnect", peerId, reason: "ProtocolViolation", rule, detail });
        return;
      }
      case "Subscribe":
        state.subscribers.set(message.subscriber.path, message.subscriber);
        context.watch(message.subscriber);
        for (const ban of state.ledger.inForce(momentOf(env))) {
          message.subscriber.tell({ type: "PeerBanned", ban });
        }
        return;
      case "RestoreBans":
        state.ledger.restore(message.bans, momentOf(env));
        keepStep(state, context);
        for (const ban of state.ledger.inForce(momentOf(env))) {
          tellAll(state, { type: "PeerBanned", ban });
        }
        return;
      case "PeersCounted":
        state.readyPeers = message.ready;
        return;
      case "Ban":
        message.replyTo.tell(ban(state, message, context));
        return;
      case "Unban":
      case "Trust":
      case "Distrust": {
        const wasBanned = pardon(state, message, context);
        message.replyTo?.tell(wasBanned);
        return;
      }
      case "BansDue":
        keepStep(state, context);
        return;
      case "Explain":
        message.replyTo.tell(state.ledger.explain(message.peerId, momentOf(env)));
        return;
      case "GetBans":
        message.replyTo.tell(state.ledger.bans(momentOf(env)));
        return;
      default:
        unreachable(message);
    }
  },

  signal(state, signal) {
    if (signal.type === "terminated") state.subscribers.delete(signal.path);
  },

  // A batch of transactions of one peer is told once.
  afterBatch(state) {
    for (const peerId of state.active) {
      tellAll(state, { type: "PeerDid", peerId, deeds: state.ledger.deedsOf(peerId) });
    }
    state.active.clear();
  },

  invariants({ ledger }) {
    ledger.invariants();
  },
});

/** Charges what was held, or nobody. */
function judgeSlowness(state: State, context: Context<ReputationMessage, ReputationEnv>): void {
  const { env } = context;
  const nowMs = env.clock.monotonicMs();
  const { charged, excuse, excused } = state.slowness.judge(ownState(env), state.readyPeers, nowMs);
  for (const report of charged) record(state, report, context);
  if (excused === undefined) return;
  env.log.write("warn", "slowness of peers is our own fault", { excuse, excused });
}

function ownState({ health, workers }: ReputationEnv): OwnState {
  return { loopDelayMs: health.loopDelayMs(), pool: workers?.load() };
}

function record(
  state: State,
  { peerId, ...deed }: Deed & { readonly peerId: PeerId },
  context: Context<ReputationMessage, ReputationEnv>,
): void {
  const { env } = context;
  const now = momentOf(env);
  const before = state.ledger.deedsOf(peerId);
  const ban = state.ledger.record(peerId, deed, now, state.readyPeers);
  if (state.ledger.deedsOf(peerId) !== before) state.active.add(peerId);
  const verdict = state.ledger.takeVerdict(peerId, now.monotonicMs);
  if (verdict !== undefined) tellAll(state, { type: "PeerJudged", peerId, ...verdict });
  if (ban === undefined) return;
  env.log.write("warn", "peer banned", { ...ban });
  // Whoever gives way to it is told first: nobody has to keep more than the most.
  keepStep(state, context);
  tellAll(state, { type: "PeerBanned", ban });
}

/** As the operator wants it. */
function ban(
  state: State,
  { peerId, ban }: Extract<ReputationMessage, { type: "Ban" }>,
  context: Context<ReputationMessage, ReputationEnv>,
): BanRecord | undefined {
  const spoken = state.ledger.banByOperator(peerId, ban, momentOf(context.env));
  if (spoken === undefined) return undefined;
  keepStep(state, context);
  tellAll(state, { type: "PeerBanned", ban: spoken });
  return spoken;
}

/** Answers whether a ban was lifted. */
function pardon(
  state: State,
  { type, peerId }: Extract<ReputationMessage, { type: "Unban" | "Trust" | "Distrust" }>,
  context: Context<ReputationMessage, ReputationEnv>,
): boolean {
  if (type === "Distrust") {
    state.ledger.distrust(peerId);
    return false;
  }
  const hadScore = state.ledger.score(peerId, context.env.clock.monotonicMs()) !== 0;
  const wasBanned = type === "Trust" ? state.ledger.trust(peerId) : state.ledger.unban(peerId);
  keepStep(state, context);
  if (hadScore || wasBanned) tellAll(state, { type: "PeerJudged", peerId, ...FRESH });
  return wasBanned;
}

/** Of a peer that nothing is known of. */
const FRESH: Verdict = { class: "good", score: 0, lastsMs: Number.POSITIVE_INFINITY };

/** Tells which bans are forgotten, and wakes for the next: when one ends, who stores it knows. */
function keepStep(state: State, context: Context<ReputationMessage, ReputationEnv>): void {
  const { env } = context;
  const { ledger } = state;
  const nowMs = env.clock.monotonicMs();
  for (const peerId of ledger.takeForgotten(nowMs)) {
    tellAll(state, { type: "BanForgotten", peerId });
  }
  const waitMs = ledger.untilNextMs(nowMs);
  if (waitMs === undefined) context.cancelTimer("bans");
  else context.startTimer("bans", waitMs, { type: "BansDue" });
}

function momentOf(env: ReputationEnv): Moment {
  return { monotonicMs: env.clock.monotonicMs(), wallMs: env.clock.wallMs() };
}

function tellAll(state: State, verdict: ReputationVerdict): void {
  for (const subscriber of state.subscribers.values()) subscriber.tell(verdict);
}
