// What the registry does for the operator: bans, trust, and peers that are sent away. The peer book knows
// at once and the store in the same turn; what reputation has to know too it is asked, and the operator
// hears when it answered. Should either crash meanwhile, the kernel says so.

import { unreachable } from "../../errors.js";
import type { AskOutcome } from "../../runtime/actor.js";
import type { BanRecord, PeerId } from "../../ports.js";
import type {
  CommandJudged,
  Done,
  JudgingCommand,
  OperatorMessage,
  SentAway,
} from "./operator-messages.js";
import { awayText } from "./operator-wishes.js";
import { peerAt } from "./known-endpoints.js";
import type { PeerBook } from "./peer-book.js";
import type { ReputationMessage } from "./peer-reputation.js";
import { sendOff } from "./registry-connections.js";
import { enforce, lift } from "./registry-verdicts.js";
import type { RegistryContext as Ctx, RegistryState as State } from "./registry-state.js";

/** Peers that a beginning of an id may stand for: enough to tell them apart. */
const FOUND_MAX = 16;

type Judgement = CommandJudged["outcome"] extends AskOutcome<infer T> ? T : never;

export function aboutControl(
  state: State,
  message: OperatorMessage | CommandJudged,
  context: Ctx,
): void {
  const { book } = state;
  switch (message.type) {
    case "BanPeer":
    case "UnbanPeer":
    case "TrustPeer":
    case "UntrustPeer":
      command(state, message, context);
      return;
    case "CommandJudged":
      state.commands--;
      judged(state, message.command, message.outcome, context);
      return;
    case "DisconnectPeer":
      message.replyTo.tell(sendAway(state, message, context));
      return;
    case "GetTrusted":
      message.replyTo.tell(
        [...book.trusted].map((peerId) => ({
          peerId,
          by: book.trust.isConfigured(peerId) ? "configuration" : "operator",
        })),
      );
      return;
    case "FindPeers":
      message.replyTo.tell(idsLike(book, message.beginning));
      return;
    default:
      unreachable(message);
  }
}

function idsLike(book: PeerBook, beginning: string): readonly PeerId[] {
  const ids = new Set<PeerId>();
  const see = (peerId: PeerId | undefined): void => {
    if (peerId?.startsWith(beginning) === true && ids.size < FOUND_MAX) ids.add(peerId);
  };
  for (const { peerId } of book.connections.all()) see(peerId);
  for (const peerId of book.trusted) see(peerId);
  for (const { peerId } of book.peers.all()) see(peerId);
  for (const target of book.endpoints.all()) see(peerAt(target));
  return [...ids];
}

/** Undefined: it goes on to reputation. */
function atOnce(
  { book, commands }: State,
  { type, peerId }: JudgingCommand,
  { env }: Ctx,
): Done<boolean> | undefined {
  if (peerId === env.peerId) return refusal("This is the id of the node itself");
  if (commands >= env.config.control.commandsMax) {
    return { ok: false, code: "QUEUE_FULL", why: "Too many commands wait to be carried out." };
  }
  if (type === "UnbanPeer") return undefined;
  if (book.trust.isConfigured(peerId)) {
    if (type === "TrustPeer") return { ok: true, value: false };
    return refusal("The configuration trusts this peer: take it out of trustedPeers first");
  }
  if (type === "BanPeer") {
    return book.trusted.has(peerId) ? refusal("This peer is trusted: untrust it first") : undefined;
  }
  if (type === "UntrustPeer")
    return book.trust.remove(peerId) ? undefined : { ok: true, value: false };
  const { trustedMax } = env.config;
  switch (book.trust.add(peerId)) {
    case "added":
      return undefined;
    case "trusted":
      return { ok: true, value: false };
    case "full":
      return refusal(
        `Only ${trustedMax} peers may be trusted beside those of the configuration: untrust one, or ` +
          `start the node with a higher trustedMax`,
      );
  }
}

function command(state: State, message: JudgingCommand, context: Ctx): void {
  const done = atOnce(state, message, context);
  if (done !== undefined) {
    // Its value, where it has one, is that nothing changed: no ban is answered like this.
    (message.replyTo as { tell(done: Done<boolean>): boolean }).tell(done);
    return;
  }
  state.commands++;
  const { replyTo } = message;
  context.ask<ReputationMessage, Judgement>(
    state.reputation,
    (to) => questionOf(message, to as never),
    context.env.config.calls.timeoutMs / 2,
    (outcome) => ({ type: "CommandJudged", command: message, outcome, replyTo }),
  );
}

function questionOf(message: JudgingCommand, replyTo: never): ReputationMessage {
  const { type, peerId } = message;
  switch (type) {
    case "BanPeer": {
      const { lastsMs, reason: detail } = message;
      return { type: "Ban", peerId, ban: { lastsMs, detail }, replyTo };
    }
    case "UnbanPeer":
      return { type: "Unban", peerId, replyTo };
    case "TrustPeer":
      return { type: "Trust", peerId, replyTo };
    case "UntrustPeer":
      return { type: "Distrust", peerId, replyTo };
  }
}

/** An answer overtakes the verdicts that were told before it: what they say is done here. */
function judged(
  state: State,
  message: JudgingCommand,
  outcome: CommandJudged["outcome"],
  context: Ctx,
): void {
  const { peerId } = message;
  if (!outcome.ok) {
    const why = `The command is not known to be carried out: reputation ${outcome.reason}.`;
    message.replyTo.tell({ ok: false, code: "TIMEOUT", why });
    return;
  }
  if (message.type === "BanPeer") {
    const ban = outcome.value as BanRecord | undefined;
    if (ban === undefined) {
      message.replyTo.tell(
        refusal("So many bans are the operator's that no more are kept: unban some"),
      );
      return;
    }
    enforce(state, ban, context);
    const { untilWallMs, detail } = ban;
    say("a peer was banned by the operator", message, context, { untilWallMs, reason: detail });
    message.replyTo.tell({ ok: true, value: ban });
    return;
  }
  let changed = true;
  const nowMs = context.env.clock.monotonicMs();
  switch (message.type) {
    case "UnbanPeer":
      // Also of what keeps out its whole address group: the operator wants it here.
      changed = comesBack(state, peerId, context) || outcome.value === true;
      changed = state.book.pardonGroup(peerId, nowMs) || changed;
      say("a peer was unbanned by the operator", message, context, { wasBanned: changed });
      break;
    case "TrustPeer":
      comesBack(state, peerId, context);
      say("a peer is trusted by the operator", message, context);
      break;
    case "UntrustPeer":
      makeRoom(state, peerId, context);
      say("a peer is no longer trusted by the operator", message, context);
      break;
  }
  message.replyTo.tell({ ok: true, value: changed });
}

/** It may come back. Answers whether it was sent away. */
function comesBack(state: State, peerId: PeerId, { env }: Ctx): boolean {
  const wasAway = state.book.absences.end(peerId, env.clock.monotonicMs());
  lift(state, peerId);
  return wasAway;
}

/** Of a peer that was trusted: it stays if there is a slot for it. */
function makeRoom(state: State, peerId: PeerId, context: Ctx): void {
  const { book } = state;
  const { maxInbound, maxOutbound } = context.env.config;
  for (const direction of ["inbound", "outbound"] as const) {
    const others = new Set<PeerId>();
    let isHere = false;
    for (const entry of book.connections.open()) {
      if (entry.direction !== direction) continue;
      if (entry.peerId === peerId) isHere = true;
      else if (!book.trusted.has(entry.peerId)) others.add(entry.peerId);
    }
    if (!isHere || others.size < (direction === "inbound" ? maxInbound : maxOutbound)) continue;
    const farewell = { reason: "TooManyConnections", detail: "it is trusted no longer" } as const;
    sendOff(state, peerId, { farewell }, context);
  }
}

function sendAway(
  state: State,
  message: Extract<OperatorMessage, { type: "DisconnectPeer" }>,
  context: Ctx,
): Done<SentAway> {
  const { peerId, awayMs } = message;
  const nowMs = context.env.clock.monotonicMs();
  // Before its connections end, or it would be dialed again at once.
  state.book.absences.begin(peerId, nowMs + awayMs, nowMs);
  const detail = awayText(awayMs);
  const farewell = { reason: "Banned", detail } as const;
  const connections = sendOff(
    state,
    peerId,
    { farewell, gone: { reason: "Operator", detail } },
    context,
  );
  say("a peer was sent away by the operator", message, context, { awayMs, connections });
  return { ok: true, value: { connections, awayMs } };
}

function say(
  what: string,
  { peerId, by }: { readonly peerId: PeerId; readonly by: string },
  { env }: Ctx,
  fields: Readonly<Record<string, unknown>> = {},
): void {
  env.log.write("info", what, { peerId, by, ...fields });
}

function refusal(sentence: string): Done<never> {
  return { ok: false, code: "REFUSED", why: `${sentence}.` };
}
