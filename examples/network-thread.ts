// A host that blocks its own loop 200 ms at a time, once with the network in a thread of its own
// and once with the network in that loop. A peer in another thread pings it meanwhile.
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { startNetwork, startNetworkThread } from "vibecoin-network";
import type { Network, NetworkThread } from "vibecoin-network";

const BLOCK_MS = 200;
const config = { bindAddr: "127.0.0.1:0" };

await measure("in a thread", await startNetworkThread(config));
await measure("in the host's loop", await startNetwork(config));

async function measure(where: string, network: Network | NetworkThread): Promise<void> {
  const blocking = setInterval(blockLoop, 1);
  const { listenAddress: address, peerId } = network;
  const peer = new Worker(new URL("./pinging-peer.js", import.meta.url), {
    workerData: { address, peerId, pings: 200, everyMs: 10 },
  });
  const [pings] = (await once(peer, "message")) as [number[]];
  clearInterval(blocking);
  const at = (part: number) => pings[Math.ceil(part * pings.length) - 1]?.toFixed(1);
  console.log(`${where}: ${pings.length} pings, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`);
  await network.stop();
}

function blockLoop(): void {
  const untilMs = performance.now() + BLOCK_MS;
  while (performance.now() < untilMs);
}
