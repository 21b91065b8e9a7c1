// A chain of one's own: another network, so another genesis block, and a mempool of its own.
import { startEnhancedNetwork } from "vibecoin-network";
import { createMembersMempool, createTeaConsensus } from "./tea-chain.js";
import { keyOf, orderTea } from "./tea-order.js";

const [member, stranger] = [keyOf(1), keyOf(2)];
const members = [Buffer.from(member.publicKey).toString("hex")];
const network = await startEnhancedNetwork(
  { produce: true, producer: { emptyBlocks: false, intervalMs: 100 } },
  { consensus: createTeaConsensus(), mempool: createMembersMempool({ members }) },
);
const confirmed = new Promise<string>((resolve) => {
  network.subscribe(["BlockConnected"], ({ height, transactionCount }) =>
    resolve(`block ${height} confirms ${transactionCount} transaction`),
  );
});
const refused = await network.broadcastTransaction(orderTea(stranger, 0));
console.log(`the stranger's order: ${refused.ok ? "taken" : refused.rule}`);
const taken = await network.broadcastTransaction(orderTea(member, 0));
console.log(`the member's order: ${taken.ok ? "taken" : taken.rule}`);
console.log(await confirmed);
await network.stop();
