// The same chain with its network in a thread: functions cannot be cloned, so the thread is told
// the modules that make its parts.
import { startNetworkThread } from "vibecoin-network";
import type { MembersOptions } from "./tea-chain.js";
import { keyOf, orderTea } from "./tea-order.js";

const member = keyOf(1);
const options: MembersOptions = { members: [Buffer.from(member.publicKey).toString("hex")] };
const moduleUrl = new URL("./tea-chain.js", import.meta.url).href;
const network = await startNetworkThread(
  { produce: true, producer: { emptyBlocks: false, intervalMs: 100 } },
  {
    ports: {
      consensus: { moduleUrl, exportName: "createTeaConsensus" },
      mempool: { moduleUrl, exportName: "createMembersMempool", options },
    },
    onExit: ({ error }) => console.log(error?.message ?? "the thread has ended in good order"),
  },
);
const confirmed = new Promise<string>((resolve) => {
  network.subscribe(["BlockConnected"], ({ height, transactionCount }) =>
    resolve(`block ${height} confirms ${transactionCount} transaction`),
  );
});
const taken = await network.broadcastTransaction(orderTea(member, 0));
console.log(`the member's order: ${taken.ok ? "taken" : taken.rule}`);
console.log(await confirmed);
await network.stop();
