// What the registry makes of figures: what peers claim, and what is measured of them.

import { unreachable } from "../../errors.js";
import { measure, reportOf } from "./peer-entry.js";
import type { PeerReport, RegistryMessage } from "./peer-table.js";
import {
  announce,
  type RegistryContext as Ctx,
  type RegistryState as State,
} from "./registry-state.js";

type FiguresMessage = Extract<
  RegistryMessage,
  { type: "HandlerMeasured" | "GossipMeasured" | "HeadClaimed" }
>;

export function aboutFigures(state: State, message: FiguresMessage): void {
  const { book } = state;
  switch (message.type) {
    case "HandlerMeasured": {
      const entry = book.connections.get(message.connectionId);
      if (entry === undefined) return;
      measure(entry, { measured: message.performance });
      const { peerId, performance } = entry;
      announce(state, { type: "PeerMeasured", peerId, performance });
      return;
    }
    case "GossipMeasured":
      for (const [peerId, gossip] of message.figures) {
        const entry = book.connections.readyOf(peerId);
        if (entry !== undefined) measure(entry, { gossip });
      }
      return;
    case "HeadClaimed": {
      const { peerId } = message;
      const entry = book.claimed(peerId, message.head);
      if (entry?.head === undefined) return;
      announce(state, { type: "PeerClaimed", peerId, head: entry.head });
      return;
    }
    default:
      unreachable(message);
  }
}

/** Of all that are ready, as operators see them. */
export function reports({ book }: State, { env: { clock } }: Ctx): readonly PeerReport[] {
  const nowMs = clock.monotonicMs();
  return [...book.connections.all()].flatMap((entry) => {
    const trusted = book.trusted.has(entry.peerId);
    const peerClass = book.peers.judgementOf(entry.peerId, nowMs)?.class ?? "good";
    return reportOf(entry, { trusted, class: peerClass }, clock) ?? [];
  });
}
