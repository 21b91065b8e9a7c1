// Attacks before there is a peer: raw connections and TLS handshakes.

import type { Drill } from "../drill.js";
import { oneGroup } from "../field.js";

export const CONNECTING: readonly Drill[] = [
  {
    name: "connection-flood",
    threat: "one address opens connections as fast as it can, to take the places of others",
    expects: { gone: ["address-rate"], withinMs: 6_000 },
    newcomer: true,
    async attack(field) {
      await field.repeat(16, async () => {
        const socket = field.tcp(oneGroup(1));
        await field.ended(socket);
      });
    },
  },
];
