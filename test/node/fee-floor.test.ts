// The least price that a node takes, at the wire: what it says of itself, and what it does not send.

import test, { type ExecutionContext } from "ava";
import { genesisOf } from "../../src/compose.js";
import type { Network } from "../../src/network.js";
import type { Message, MessageKind } from "../../src/protocol/index.js";
import { makeKey, makeTransaction, transactionId } from "../support/chain.js";
import { handshakeInfo, identityOf, RawPeer } from "../support/raw-peer.js";
import { consensus, nextEvent, startTestNode } from "./nodes.js";

const NETWORK_ID = genesisOf(consensus).header.hash;
const CAPABILITIES = ["transactions/1", "blocks/1", "sync/1", "fees/1"];
/** Everything of gossip soon. */
const SOON = { newPeerDelayMs: 10, announceIntervalMs: 10, floorEveryMs: 10 };

async function join(
  t: ExecutionContext,
  node: Network,
  number: number,
  capabilities = CAPABILITIES,
): Promise<RawPeer> {
  const peer = await RawPeer.connect({
    address: node.listenAddress!,
    identity: identityOf(number),
  });
  t.teardown(() => peer.destroy());
  const ready = nextEvent(node, "PeerConnected", ({ peerId }) => peerId === peer.peerId);
  peer.send({ ...handshakeInfo(NETWORK_ID), capabilities });
  await ready;
  return peer;
}

function sentTo<K extends MessageKind>(peer: RawPeer, kind: K) {
  return peer.received.filter((message): message is Extract<Message, { kind: K }> => {
    return message.kind === kind;
  });
}

function payment(sender: number, gasPrice: bigint): Uint8Array {
  return makeTransaction(makeKey(sender), 0, { gasPrice });
}

test("a node whose mempool is full says what it takes, to those that can hear it", async (t) => {
  const listen = { bindAddr: "tcp://127.0.0.1:0", gossip: SOON, mempool: { countMax: 2 } };
  const node = await startTestNode(t, listen);
  const peer = await join(t, node, 1);
  const former = await join(t, node, 2, ["transactions/1", "blocks/1", "sync/1"]);
  for (const [sender, price] of [
    [1, 8n],
    [2, 8n],
    [3, 9n],
  ] as const) {
    t.true((await node.broadcastTransaction(payment(sender, price))).ok);
  }
  await peer.until(() => sentTo(peer, "FeeFloor").length > 0);
  t.deepEqual(sentTo(peer, "FeeFloor"), [{ kind: "FeeFloor", gasPrice: 8n }]);
  t.like(await node.broadcastTransaction(payment(4, 8n)), { rule: "underpriced" });
  t.is(sentTo(former, "FeeFloor").length, 0);
});

test("a peer is not told of what pays less than it takes, until it takes it", async (t) => {
  const node = await startTestNode(t, { bindAddr: "tcp://127.0.0.1:0", gossip: SOON });
  const peer = await join(t, node, 1);
  const other = await join(t, node, 2);
  peer.send({ kind: "FeeFloor", gasPrice: 5n });
  // Answered behind it.
  await peer.ask({ kind: "RequestTransactions", ids: ["00".repeat(32)] });
  const [cheap, dear, later] = [payment(1, 4n), payment(2, 5n), payment(3, 1n)] as const;
  for (const transaction of [cheap, dear]) {
    t.true((await node.broadcastTransaction(transaction)).ok);
  }
  const told = (who: RawPeer) => sentTo(who, "AnnounceTransactions").flatMap(({ ids }) => ids);
  await other.until(() => told(other).length === 2);
  await peer.until(() => told(peer).length > 0);
  t.deepEqual(told(peer), [transactionId(dear)]);
  peer.send({ kind: "FeeFloor", gasPrice: 0n });
  await peer.ask({ kind: "RequestTransactions", ids: ["00".repeat(32)] });
  t.true((await node.broadcastTransaction(later)).ok);
  await peer.until(() => told(peer).length > 1);
  t.deepEqual(told(peer), [dear, later].map(transactionId));
});

test("whoever tells its floor without an end is ended", async (t) => {
  const node = await startTestNode(t, { bindAddr: "tcp://127.0.0.1:0", gossip: SOON });
  const peer = await join(t, node, 1);
  for (let floor = 0n; floor < 1_000n; floor++) peer.send({ kind: "FeeFloor", gasPrice: floor });
  await peer.until(() => peer.ended);
  t.pass();
});
