// Peers that want a mempool for themselves, or have others carry bytes for nothing, at the wire.

import test, { type ExecutionContext } from "ava";
import { genesisOf } from "../../src/compose.js";
import type { Network } from "../../src/network.js";
import { makeKey, makeTransaction, transactionId } from "../support/chain.js";
import { handshakeInfo, identityOf, RawPeer } from "../support/raw-peer.js";
import { consensus, nextEvent, startTestNode, until } from "./nodes.js";

const NETWORK_ID = genesisOf(consensus).header.hash;
const HIGHEST = 2n ** 64n - 1n;

async function joined(t: ExecutionContext, node: Network, number: number): Promise<RawPeer> {
  const peer = await RawPeer.connect({
    address: node.listenAddress!,
    identity: identityOf(number),
  });
  t.teardown(() => peer.destroy());
  const ready = nextEvent(node, "PeerConnected", ({ peerId }) => peerId === peer.peerId);
  peer.send(handshakeInfo(NETWORK_ID));
  await ready;
  return peer;
}

/** What became of each transaction that was sent so far. */
function judged(node: Network): Map<string, string> {
  const verdicts = new Map<string, string>();
  node.subscribe(["TransactionAccepted", "TransactionRejected"], (event) => {
    verdicts.set(event.id, event.type === "TransactionAccepted" ? "accepted" : event.rule);
  });
  return verdicts;
}

test("a mempool full of one sender's transactions at the highest price takes another's cheap one", async (t) => {
  const countMax = 64;
  const mempool = { countMax, perSenderMax: countMax };
  const node = await startTestNode(t, { bindAddr: "tcp://127.0.0.1:0", mempool });
  const verdicts = judged(node);
  const greedy = await joined(t, node, 1);
  for (let nonce = 0; nonce < countMax; nonce++) {
    const transaction = makeTransaction(makeKey(1), nonce, { gasPrice: HIGHEST });
    greedy.send({ kind: "NewTransaction", transaction });
  }
  await until(() => verdicts.size === countMax);
  t.is((await node.status()).mempool.count, countMax);
  const modest = await joined(t, node, 2);
  const transaction = makeTransaction(makeKey(2), 0, { gasPrice: 1n });
  modest.send({ kind: "NewTransaction", transaction });
  const id = transactionId(transaction);
  await until(() => verdicts.has(id));
  t.is(verdicts.get(id), "accepted");
});

test("one nonce is replaced a few times only, from the lowest price to the highest", async (t) => {
  const node = await startTestNode(t, { bindAddr: "tcp://127.0.0.1:0" });
  const verdicts = judged(node);
  const peer = await joined(t, node, 1);
  const data = new Uint8Array(10_000);
  let sent = 0;
  for (let gasPrice = 1n; gasPrice <= HIGHEST; gasPrice += gasPrice / 8n + 1n) {
    const transaction = makeTransaction(makeKey(1), 0, { gasPrice, data });
    peer.send({ kind: "NewTransaction", transaction });
    sent++;
    // In order: each may replace the one before.
    if (sent % 16 === 0) await until(() => verdicts.size >= sent);
  }
  await until(() => verdicts.size >= sent);
  const taken = [...verdicts.values()].filter((verdict) => verdict !== "conflict");
  t.true(sent > 300 && taken.length < 20, `${taken.length} of ${sent} were taken`);
  t.is((await node.status()).mempool.count, 1);
});
