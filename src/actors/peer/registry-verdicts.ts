// What the registry makes of the verdicts of reputation: the peer book keeps them, whoever is banned
// goes, and the event bus hears of it.

import { unreachable } from "../../errors.js";
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
      events.tell({ type: "Publish", event: { type: "PeerBanned", ...message.ban } });
      close(state, message.ban.peerId, { reason: "Banned", detail: banText(message.ban) });
      return;
    case "PeerUnbanned": {
      const { peerId } = message;
      if (!book.unbanned(peerId)) return;
      events.tell({ type: "Publish", event: { type: "PeerUnbanned", peerId } });
      return;
    }
    case "BanForgotten":
      book.banForgotten(message.peerId);
      return;
    case "PeerJudged":
      book.judged(message.peerId, message, context.env.clock.monotonicMs());
      return;
    case "Disconnect":
      close(state, message.peerId, message);
      return;
    default:
      unreachable(message);
  }
}

/** What the store is to hold of whom something changed: in the same turn, so that no crash is between. */
export function keepChanges({ book, store }: RegistryState): void {
  for (const peerId of book.takeChanged()) {
    const record = book.recordOf(peerId);
    if (record === undefined) store.delete(peerId);
    else store.put(record);
  }
}
