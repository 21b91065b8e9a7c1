// The library in ten lines: one node produces blocks, another one syncs from it.
import { startNetwork } from "vibecoin-network";

const producer = await startNetwork({ bindAddr: "127.0.0.1:0", produce: true });
const network = await startNetwork({ seedPeers: [producer.listenAddress!] });
const height = await new Promise<number>((resolve) => {
  network.subscribe(["BlockConnected"], (block) => block.height >= 3 && resolve(block.height));
});
const { peers } = await network.status();
console.log(`height ${height}, ${peers.length} peer, head ${network.head().hash}`);
await Promise.all([network.stop(), producer.stop()]);
