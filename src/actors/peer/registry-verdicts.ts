// What the registry makes of the verdicts of reputation: the peer book keeps them, whoever is banned
// goes, and the event bus hears of it. That a ban ended by itself nobody has to tell: the book is
// restored after any crash, and knows.

import { unreachable } from "../../errors.js";
import type { BanRecord, PeerId } from "../../ports.js";
import type { ReputationVerdict } from "./peer-reputation.js";
import { close, sendOff } from "./registry-connections.js";
import { banText, isByOperator } from "./ban-list.js";
import { momentOf, type RegistryContext, type RegistryState } from "./registry-state.js";

export function aboutVerdicts(
  state: RegistryState,
  message: ReputationVerdict,
  context: RegistryContext,
): void {
  const { book, events } = state;
  switch (message.type) {
    case "PeerBanned":
      events.tell({ type: "Publish", event: { type: "PeerBanned", ...message.ban } });
      enforce(state, message.ban, context);
      return;
    case "BanForgotten":
      lift(state, message.peerId);
      return;
    case "PeerJudged": {
      const { peerId, class: standing, score } = message;
      const event = { type: "ReputationChanged", peerId, standing, score } as const;
      events.tell({ type: "Publish", event });
      book.judged(peerId, message, context.env.clock.monotonicMs());
      return;
    }
    case "PeerDid":
      book.did(message.peerId, message.deeds, context.env.clock.monotonicMs());
      return;
    case "Disconnect":
      close(state, message.peerId, message);
      return;
    default:
      unreachable(message);
  }
}

/** The book keeps the ban, and whoever is banned goes. */
export function enforce(state: RegistryState, ban: BanRecord, context: RegistryContext): void {
  const { peerId } = ban;
  state.book.banned(ban, momentOf(context));
  endBans(state, context);
  if (isByOperator(ban)) {
    // Why is between the operator and the log.
    const farewell = { reason: "Banned", detail: "by the operator" } as const;
    sendOff(state, peerId, { farewell, gone: { reason: "Banned", detail: banText(ban) } }, context);
  } else close(state, peerId, { reason: "Banned", detail: banText(ban) });
}

export function lift(state: RegistryState, peerId: PeerId): void {
  if (state.book.banForgotten(peerId)) publishEnd(state, peerId);
}

/** Says which bans are over, and wakes for the next. At its start also those of an earlier run. */
export function endBans(state: Pick<RegistryState, "book" | "events">, ctx: RegistryContext): void {
  const { peers } = state.book;
  const nowMs = ctx.env.clock.monotonicMs();
  for (const peerId of peers.takeUnbanned(nowMs)) publishEnd(state, peerId);
  const waitMs = peers.untilUnbannedMs(nowMs);
  if (waitMs === undefined) ctx.cancelTimer("bans");
  else ctx.startTimer("bans", waitMs, { type: "BansDue" });
}

function publishEnd({ events }: Pick<RegistryState, "events">, peerId: PeerId): void {
  events.tell({ type: "Publish", event: { type: "PeerUnbanned", peerId } });
}

/** What the store is to hold of whom something changed: in the same turn, so that no crash is between. */
export function keepChanges({ book, store }: RegistryState): void {
  for (const peerId of book.records.takeChanged()) {
    const record = book.records.recordOf(peerId);
    if (record === undefined) store.delete(peerId);
    else store.put(record);
  }
}
