// A process whose network takes transactions and says so; its test ends it. Arguments: the data
// directory, then how many senders, and how many transactions of each.

import { startNetwork } from "../../src/index.js";
import { makeKey, makeTransaction } from "../support/chain.js";

const [dataDir, senders, perSender] = process.argv.slice(2);
const network = await startNetwork({ dataDir: dataDir!, bindAddr: "tcp://127.0.0.1:0" });
let accepted = 0;
for (let nonce = 0; nonce < Number(perSender); nonce++) {
  const outcomes = Array.from({ length: Number(senders) }, (_, sender) =>
    network.broadcastTransaction(makeTransaction(makeKey(sender), nonce)),
  );
  for (const { ok } of await Promise.all(outcomes)) accepted += ok ? 1 : 0;
}
process.stdout.write(`${JSON.stringify({ msg: "all taken", accepted })}\n`);
