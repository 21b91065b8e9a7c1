// What the registry makes of the verdicts of reputation: the peer book keeps them, whoever is banned
// goes, and the event bus hears of it. That a ban ended by itself nobody has to tell: the book is
// restored after any crash, and knows.

import { unreachable } from "../../errors.js";
import type { PeerId } from "../../ports.js";
import type { ReputationVerdict } from "./peer-reputation.js";
import { close } from "./registry-connections.js";
import { banText } from "./reputation-ledger.js";
import { momentOf, type RegistryContext, type RegistryState } from "./registry-state.js";

export function aboutVerdicts(
  state: RegistryState,
  message: ReputationVerdict,
  context: RegistryContext,
): void {
  const { book, events } = state;
  switch (message.type) {
    case "PeerBanned":
      book.banned(message.ban, momentOf(context));
      endBans(state, context);
      events.tell({ type: "Publish", event: { type: "PeerBanned", ...message.ban } });
      close(state, message.ban.peerId, { reason: "Banned", detail: banText(message.ban) });
      return;
    case "BanForgotten":
      if (book.banForgotten(message.peerId)) publishEnd(state, message.peerId);
      return;
    case "PeerJudged":
      book.judged(message.peerId, message, context.env.clock.monotonicMs());
      return;
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
  for (const peerId of book.takeChanged()) {
    const record = book.recordOf(peerId);
    if (record === undefined) store.delete(peerId);
    else store.put(record);
  }
}
