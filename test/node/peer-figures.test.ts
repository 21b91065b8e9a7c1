// What a node knows of how its peers do: figures that come from what they really brought and broke,
// over real connections.

import test, { type ExecutionContext } from "ava";
import { genesisOf } from "../../src/compose.js";
import type { Network } from "../../src/network.js";
import { makeBlock, makeKey, makeTransaction, transactionId } from "../support/chain.js";
import { handshakeInfo, identityOf, RawPeer } from "../support/raw-peer.js";
import { consensus, nextEvent, reaches, startTestNode, until } from "./nodes.js";

const NETWORK_ID = genesisOf(consensus).header.hash;

async function join(t: ExecutionContext, node: Network, id: number): Promise<RawPeer> {
  const peer = await RawPeer.connect({ address: node.listenAddress!, identity: identityOf(id) });
  t.teardown(() => peer.destroy());
  const ready = nextEvent(node, "PeerConnected", ({ peerId }) => peerId === peer.peerId);
  peer.send(handshakeInfo(NETWORK_ID));
  await ready;
  return peer;
}

async function reportOf(node: Network, { peerId }: RawPeer) {
  return (await node.peers()).find((report) => report.peerId === peerId);
}

test("who brings a block or a transaction first is known for it, also when it comes back", async (t) => {
  const node = await startTestNode(t, { bindAddr: "tcp://127.0.0.1:0" });
  const [first, second] = [await join(t, node, 1), await join(t, node, 2)];
  t.deepEqual((await reportOf(node, first))?.deeds, {
    usefulBlocks: 0,
    usefulTransactions: 0,
    invalid: 0,
    violations: 0,
    offencePoints: 0,
  });
  const block = makeBlock();
  const transaction = makeTransaction(makeKey(1), 1);
  const arrived = reaches(node, block.header.hash);
  first.send({ kind: "NewBlock", block: block.bytes });
  await arrived;
  const accepted = nextEvent(node, "TransactionAccepted");
  first.send({ kind: "NewTransaction", transaction });
  await accepted;
  second.send({ kind: "NewBlock", block: block.bytes });
  second.send({ kind: "NewTransaction", transaction });
  const forged = transaction.slice();
  forged[forged.length - 1]! ^= 1;
  second.send({ kind: "NewTransaction", transaction: forged });
  await until(async () => (await reportOf(node, second))?.deeds.invalid === 1);
  t.like(await reportOf(node, second), { deeds: { usefulBlocks: 0, usefulTransactions: 0 } });
  const deeds = (await reportOf(node, first))!.deeds;
  t.like(deeds, { usefulBlocks: 1, usefulTransactions: 1, invalid: 0 });
  t.true(deeds.usefulBlockMs! <= deeds.usefulTransactionMs!);
  first.destroy();
  await nextEvent(node, "PeerDisconnected", ({ peerId }) => peerId === first.peerId);
  const back = await join(t, node, 1);
  t.deepEqual((await reportOf(node, back))?.deeds, deeds);
});

test("what a peer is blamed for names the message, what it is about, and the rule", async (t) => {
  const node = await startTestNode(t, { bindAddr: "tcp://127.0.0.1:0" });
  const peer = await join(t, node, 1);
  const forged = makeTransaction(makeKey(1), 1).slice();
  forged[forged.length - 1]! ^= 1;
  const block = makeBlock({ transactions: [forged] });
  peer.send({ kind: "NewTransaction", transaction: forged });
  await until(async () => (await reportOf(node, peer))?.deeds.invalid === 1);
  const banned = nextEvent(node, "PeerBanned");
  peer.send({ kind: "NewBlock", block: block.bytes });
  await banned;
  const { class: named, entries, connections } = await node.explainPeer(peer.peerId);
  t.is(named, "banned");
  const bad = entries.filter(({ delta }) => delta < 0);
  t.like(bad, [
    { event: "InvalidTransaction", kind: "NewTransaction", about: transactionId(forged) },
    { event: "InvalidBlock", kind: "NewBlock", about: block.header.hash, rule: "signature" },
  ]);
  for (const { performance } of connections) t.true(performance.score < 0.55);
});

test("the shortest round trip of a peer is kept beside the usual one", async (t) => {
  const node = await startTestNode(t, { bindAddr: "tcp://127.0.0.1:0" });
  const peer = await join(t, node, 1);
  for (let i = 0; i < 3; i++) await node.pingPeer(peer.peerId);
  await until(async () => (await reportOf(node, peer))?.performance.pingMinMs !== undefined);
  const { pingMs, pingMinMs } = (await reportOf(node, peer))!.performance;
  t.true(pingMinMs! > 0 && pingMinMs! <= pingMs!);
});
