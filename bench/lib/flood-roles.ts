// The processes around a node that is flooded: honest peers that must stay, and the flood.

import { once } from "node:events";
import { startNode } from "../../src/compose.js";
import type { Network } from "../../src/network.js";
import { FLOODS, type FloodName } from "../../test/support/floods.js";
import { serveParent, serveRole } from "./child.js";

export type CrowdMethods = {
  /** Starts so many nodes and resolves to the network's id when all are connected. */
  join(task: { address: string; peers: number }): Promise<{ networkId: string }>;
  /** How often one of them was left since then. */
  finish(): { dropped: number };
};
export interface FloodPlan {
  readonly name: FloodName;
  readonly address: string;
  readonly networkId: string;
  readonly seconds: number;
  /** Every eighth connection saves up for so long. */
  readonly saveMs: number;
  /** Connections at a time. */
  readonly concurrent: number;
}
export type FlooderMethods = { flood(plan: FloodPlan): Promise<{ connections: number }> };

function crowd(): void {
  const networks: Network[] = [];
  let dropped = 0;
  const join = async (address: string): Promise<Network> => {
    const network = await startNode({
      seedPeers: [address],
      maxOutbound: 1,
      pool: { inline: true },
    });
    networks.push(network);
    await new Promise<void>((resolve) => {
      network.subscribe(["PeerConnected"], () => resolve());
    });
    network.subscribe(["PeerDisconnected"], () => dropped++);
    return network;
  };
  const methods: CrowdMethods = {
    async join({ address, peers }) {
      const [first] = await Promise.all(Array.from({ length: peers }, () => join(address)));
      return { networkId: first!.head().hash };
    },
    finish: () => ({ dropped }),
  };
  serveParent(methods, () => Promise.all(networks.map((network) => network.stop())));
}

function flooder(): void {
  const methods: FlooderMethods = {
    async flood({ name, seconds, concurrent, saveMs, ...node }) {
      let connections = 0;
      const timer = new AbortController();
      const over = once(timer.signal, "abort");
      setTimeout(() => timer.abort(), seconds * 1_000);
      const work = async (): Promise<void> => {
        while (!timer.signal.aborted) {
          const saves = connections % 8 === 0;
          const number = 1_000 + connections++;
          try {
            await FLOODS[name]({ ...node, number, saveMs: saves ? saveMs : 0, over });
          } catch {
            // Refused: others were there first.
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
        }
      };
      await Promise.all(Array.from({ length: concurrent }, work));
      return { connections };
    },
  };
  serveParent(methods, () => undefined);
}

serveRole({ crowd, flooder });
