// What the registry makes of figures: what peers claim, and what is measured of them.

import { unreachable } from "../../errors.js";
import { measure } from "./peer-entry.js";
import type { RegistryMessage } from "./peer-table.js";
import { announce, type RegistryState as State } from "./registry-state.js";

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
