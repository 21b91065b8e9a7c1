// Transactions between whole nodes and peers that answer short, late or never: none is lost while
// somebody has it, and whoever submitted one hears what became of it.

import test, { type ExecutionContext } from "ava";
import { genesisOf } from "../../src/compose.js";
import type { Network } from "../../src/network.js";
import type { Message, MessageKind } from "../../src/protocol/index.js";
import { makeBlock, makeKey, makeTransaction, transactionId } from "../support/chain.js";
import { handshakeInfo, identityOf, RawPeer } from "../support/raw-peer.js";
import { consensus, nextEvent, reaches, startTestNode } from "./nodes.js";

const NETWORK_ID = genesisOf(consensus).header.hash;
const key = makeKey(1);
const transactions = [1, 2, 3, 4].map((nonce) => makeTransaction(key, nonce));
const ids = transactions.map(transactionId);

async function join(t: ExecutionContext, node: Network, number: number): Promise<RawPeer> {
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

function sentTo<K extends MessageKind>(peer: RawPeer, kind: K) {
  return peer.received.filter((message): message is Extract<Message, { kind: K }> => {
    return message.kind === kind;
  });
}

/** The requests for transactions that a peer was sent, answered by `answer`. */
async function serve(
  peer: RawPeer,
  count: number,
  answer: (ids: readonly string[]) => Message | undefined,
): Promise<(readonly string[])[]> {
  const asked: (readonly string[])[] = [];
  for (let index = 0; asked.length < count; index++) {
    await peer.until(() => peer.received.length > index || peer.ended);
    const message = peer.received[index];
    if (message === undefined) break;
    if (message.kind !== "RequestTransactions") continue;
    asked.push(message.ids);
    const response = answer(message.ids);
    if (response !== undefined) peer.send(response, peer.requestIds[index]);
  }
  return asked;
}

const bytesOf = (id: string): Uint8Array => transactions[ids.indexOf(id)]!;

test("the rest of a short answer is asked for again, in order, as many at a time as came", async (t) => {
  const node = await startTestNode(t, { bindAddr: "tcp://127.0.0.1:0" });
  const peer = await join(t, node, 1);
  const last = nextEvent(node, "TransactionAccepted", ({ id }) => id === ids[3]);
  peer.send({ kind: "AnnounceTransactions", ids });
  const asked = await serve(peer, 4, ([first]) => ({
    kind: "ResponseTransactions",
    transactions: [bytesOf(first!)],
  }));
  t.deepEqual(asked, [ids, [ids[1]], [ids[2]], [ids[3]]]);
  await last;
});

test("a peer that sends one transaction at a time does not hold back what another one has", async (t) => {
  const node = await startTestNode(t, { bindAddr: "tcp://127.0.0.1:0" });
  const slow = await join(t, node, 1);
  const other = await join(t, node, 2);
  slow.send({ kind: "AnnounceTransactions", ids });
  await slow.until(() => sentTo(slow, "RequestTransactions").length > 0);
  other.send({ kind: "AnnounceTransactions", ids: ids.slice(3) });
  // The pong comes after what was sent before the ping was dealt with.
  await other.ping();
  await new Promise((resolve) => setImmediate(resolve));
  const last = nextEvent(node, "TransactionAccepted", ({ id }) => id === ids[3]);
  const answerOf = (count: number) => (wanted: readonly string[]) =>
    ({
      kind: "ResponseTransactions",
      transactions: wanted.slice(0, count).map((id) => bytesOf(id)),
    }) as const;
  const [bySlow, byOther] = await Promise.all([
    serve(slow, 2, answerOf(1)),
    serve(other, 1, answerOf(4)),
  ]);
  t.deepEqual(bySlow, [ids, [ids[1]]]);
  t.deepEqual(byOther, [ids.slice(3)]);
  await last;
});

for (const [how, answer] of [
  ["has none of them", { kind: "ResponseTransactions", transactions: [] }],
  ["refuses", { kind: "RequestRefused", reason: "Busy" }],
  ["goes away", undefined],
] as const) {
  test(`when an announcer ${how} the next one is asked`, async (t) => {
    const node = await startTestNode(t, { bindAddr: "tcp://127.0.0.1:0" });
    const first = await join(t, node, 1);
    const second = await join(t, node, 2);
    first.send({ kind: "AnnounceTransactions", ids });
    await first.until(() => sentTo(first, "RequestTransactions").length > 0);
    second.send({ kind: "AnnounceTransactions", ids });
    // The pong comes after what was sent before the ping was dealt with.
    await second.ping();
    await new Promise((resolve) => setImmediate(resolve));
    const last = nextEvent(node, "TransactionAccepted", ({ id }) => id === ids[3]);
    if (answer === undefined) first.destroy();
    else first.send(answer, first.requestIds.at(-1));
    const asked = await serve(second, 1, (wanted) => ({
      kind: "ResponseTransactions",
      transactions: wanted.map((id) => bytesOf(id)),
    }));
    t.deepEqual(asked, [ids]);
    await last;
  });
}

test("a pushed transaction is taken while another peer owes it", async (t) => {
  const node = await startTestNode(t, { bindAddr: "tcp://127.0.0.1:0" });
  const silent = await join(t, node, 1);
  const honest = await join(t, node, 2);
  silent.send({ kind: "AnnounceTransactions", ids });
  await silent.until(() => sentTo(silent, "RequestTransactions").length > 0);
  const accepted = nextEvent(node, "TransactionAccepted");
  honest.send({ kind: "NewTransaction", transaction: transactions[0]! });
  t.is((await accepted).id, ids[0]!);
});

test("what a user submits again, though it is known, is announced again", async (t) => {
  const node = await startTestNode(t, { bindAddr: "tcp://127.0.0.1:0" });
  const peer = await join(t, node, 1);
  const announced = () => sentTo(peer, "AnnounceTransactions").length;
  t.true((await node.broadcastTransaction(transactions[0]!)).ok);
  await peer.until(() => announced() === 1);
  t.like(await node.broadcastTransaction(transactions[0]!), { ok: false, rule: "known" });
  await peer.until(() => announced() === 2);
  t.deepEqual(sentTo(peer, "AnnounceTransactions")[1]!.ids, [ids[0]]);
});

test("what a reorganisation puts back is announced", async (t) => {
  const node = await startTestNode(t, { bindAddr: "tcp://127.0.0.1:0" });
  const peer = await join(t, node, 1);
  const lost = makeBlock({ transactions: transactions.slice(0, 1) });
  node.broadcastBlock(lost.bytes);
  await reaches(node, lost.header.hash);
  const one = makeBlock({ transactions: [makeTransaction(makeKey(2), 1)] });
  const two = makeBlock({ parent: one.header });
  node.broadcastBlock(one.bytes);
  node.broadcastBlock(two.bytes);
  await reaches(node, two.header.hash);
  const announcement = await peer.message("AnnounceTransactions");
  t.deepEqual(announcement?.ids, [ids[0]]);
});

test("what a block makes void is told: it was accepted, and will never be confirmed", async (t) => {
  const node = await startTestNode(t);
  t.true((await node.broadcastTransaction(transactions[0]!)).ok);
  const rejected = nextEvent(node, "TransactionDropped");
  const block = makeBlock({ transactions: [makeTransaction(key, 5)] });
  node.broadcastBlock(block.bytes);
  t.like(await rejected, { id: ids[0], rule: "nonce" });
});

test("what gives way to a better price is told", async (t) => {
  const node = await startTestNode(t, { mempool: { countMax: 1 } });
  const gone: string[] = [];
  node.subscribe(["TransactionDropped"], ({ id, rule }) => void gone.push(`${id} ${rule}`));
  t.true((await node.broadcastTransaction(transactions[0]!)).ok);
  const replacing = makeTransaction(key, 1, { gasPrice: 9n });
  const evicting = makeTransaction(makeKey(2), 1, { gasPrice: 99n });
  for (const transaction of [replacing, evicting]) {
    const told = nextEvent(node, "TransactionDropped");
    t.true((await node.broadcastTransaction(transaction)).ok);
    await told;
  }
  t.deepEqual(gone, [`${ids[0]} replaced`, `${transactionId(replacing)} evicted`]);
});
