// Peers that send or ask for more than anybody honest does, at the wire: what they send is dropped
// unread, they leave when they go on, and honest peers notice nothing.

import test, { type ExecutionContext } from "ava";
import { genesisOf } from "../../src/compose.js";
import type { NetworkConfigInput } from "../../src/config.js";
import type { Network } from "../../src/network.js";
import type { Message } from "../../src/protocol/index.js";
import { makeBlock, makeKey, makeTransaction } from "../support/chain.js";
import { handshakeInfo, identityOf, RawPeer } from "../support/raw-peer.js";
import { consensus, nextEvent, startTestNode, until } from "./nodes.js";

const NETWORK_ID = genesisOf(consensus).header.hash;

async function listening(t: ExecutionContext, config: NetworkConfigInput = {}): Promise<Network> {
  t.timeout(60_000);
  return startTestNode(t, { bindAddr: "tcp://127.0.0.1:0", ...config });
}

const OLD = ["blocks/1", "sync/1", "transactions/1"];
const TOLD = [...OLD, "limits/1"];

async function join(
  t: ExecutionContext,
  node: Network,
  number: number,
  localAddress = "127.0.0.1",
  capabilities: readonly string[] = TOLD,
): Promise<RawPeer> {
  const identity = identityOf(number);
  const peer = await RawPeer.connect({
    address: node.listenAddress!,
    identity,
    from: { localAddress },
  });
  t.teardown(() => peer.destroy());
  const ready = nextEvent(node, "PeerConnected", ({ peerId }) => peerId === peer.peerId);
  peer.send(handshakeInfo(NETWORK_ID, { capabilities }));
  await ready;
  return peer;
}

/** Far above all that it was told, without looking at it; whether it is still heard after it. */
async function sendTooMuch(peer: RawPeer, message: (index: number) => Message): Promise<boolean> {
  for (let i = 0; i < 200; i++) peer.write(message(i));
  return peer.ping();
}

/** Where nobody has to send for long. */
const LOW = {
  receive: {
    blocksPerSecond: 1,
    blocksBurst: 8,
    announcedBlocksPerSecond: 1,
    announcedBlocksBurst: 8,
    transactionsPerSecond: 1,
    transactionsBurst: 8,
    announcedTransactionsPerSecond: 1,
    announcedTransactionsBurst: 64,
  },
};

const idsAt = (index: number): string[] =>
  Array.from({ length: 16 }, (_, i) => (index * 16 + i).toString(16).padStart(64, "0"));
const transaction = makeTransaction(makeKey(1), 1);
const orphan = makeBlock({ fields: { previousHash: "33".repeat(32), height: 2 } });

const ENDLESS: readonly [string, (index: number) => Message][] = [
  ["ids that nobody has", (index) => ({ kind: "AnnounceTransactions", ids: idsAt(index) })],
  ["the same ids again", () => ({ kind: "AnnounceTransactions", ids: idsAt(0) })],
  ["the same transaction again", () => ({ kind: "NewTransaction", transaction })],
  ["orphans", () => ({ kind: "NewBlock", block: orphan.bytes })],
  [
    "heads that it does not have",
    (index) => ({
      kind: "AnnounceBlock",
      height: 1n,
      hash: idsAt(index)[0]!,
      totalDifficulty: 2n ** 40n,
    }),
  ],
];

for (const [title, message] of ENDLESS) {
  test(`who sends ${title} without end is a flood`, async (t) => {
    const node = await listening(t, LOW);
    const seed = await startTestNode(t, { seedPeers: [node.listenAddress!] });
    await until(() => seed.peers().then(({ length }) => length > 0));
    const peer = await join(t, node, 1);
    t.false(await sendTooMuch(peer, message), "200 messages, and it is still heard");
    const farewell = await peer.farewell();
    t.is(farewell?.reason, "ProtocolViolation");
    t.regex(farewell?.detail ?? "", /^flood: too many messages of kind/);
    t.not(await seed.pingPeer(node.peerId), undefined);
  });
}

/** Of another sender each, so that no check of one helps with another. */
function forged(number: number): Uint8Array {
  const bytes = makeTransaction(makeKey(2), number).slice();
  bytes[bytes.length - 1]! ^= 1;
  return bytes;
}

const submissions = Array.from({ length: 35 }, (_, nonce) =>
  makeTransaction(makeKey(3), nonce + 1),
);

test("submissions are taken while strangers fill what is checked with forgeries", async (t) => {
  const node = await listening(t, {
    // Checks take a while, so that those who wait for them fill the queue.
    pool: { inline: false, threads: 1 },
    overload: { dropFrom: 16, dropAll: 16 },
    gossip: { transactionBatchMax: 1 },
    inbound: { exemptLocal: false, perGroupMax: 4 },
  });
  const attackers: RawPeer[] = [];
  for (let group = 1; group <= 8; group++) {
    attackers.push(await join(t, node, group, `127.0.${group}.1`, OLD));
  }
  const forgeries = Array.from({ length: 3_000 }, (_, number) => forged(number));
  for (const [number, forgery] of forgeries.entries()) {
    attackers[number % attackers.length]!.send({ kind: "NewTransaction", transaction: forgery });
  }
  // Handed in one by one, while the forgeries come and are checked.
  const outcomes = submissions.map(async (submission, index) => {
    await new Promise((resolve) => setTimeout(resolve, 4 * index));
    return node.broadcastTransaction(submission);
  });
  const refused = (await Promise.all(outcomes)).filter(({ ok }) => !ok);
  t.deepEqual(refused, []);
});

for (const isTrusted of [false, true]) {
  const how = isTrusted ? "is exempt from" : "is held to";
  const whom = isTrusted ? "whom the operator trusts while the node runs" : "anybody else";
  test(`${whom} ${how} what an address group may send`, async (t) => {
    const node = await listening(t, {
      receive: { ...LOW.receive, groupPeers: 1 },
      inbound: { exemptLocal: false },
    });
    if (isTrusted) await node.trustPeer(identityOf(1).peerId);
    const peer = await join(t, node, 1, "127.0.7.1");
    let rejected = 0;
    t.teardown(node.subscribe(["TransactionRejected"], () => void rejected++));
    // Twice a burst may come bunched together, of one peer and not of a group.
    const forgeries = Array.from({ length: 16 }, (_, number) => forged(number));
    for (const transaction of forgeries) peer.write({ kind: "NewTransaction", transaction });
    await peer.ping();
    await until(() => rejected >= (isTrusted ? 16 : 8));
    t.is(rejected >= 16, isTrusted, `${rejected} were looked at`);
  });
}

test("what a peer sends is all checked once the operator trusts it, in the middle of its connection too", async (t) => {
  const node = await listening(t, {
    checks: { perGroupBurst: 4, perGroupPerSecond: 1 },
    inbound: { exemptLocal: false },
  });
  const peer = await join(t, node, 1, "127.0.7.1", OLD);
  t.true(await node.trustPeer(peer.peerId));
  let checked = 0;
  const count = ({ rule }: { readonly rule: string }): void =>
    void (rule === "signature" && checked++);
  t.teardown(node.subscribe(["TransactionRejected"], count));
  const sent = Array.from({ length: 20 }, (_, number) => forged(number));
  for (const transaction of sent) peer.send({ kind: "NewTransaction", transaction });
  await until(() => checked >= sent.length);
  t.true(await peer.ping(), "it costs a tenth");
});

test("an address group has so many forgeries checked, under however many identities", async (t) => {
  const checks = { perGroupBurst: 40, perGroupPerSecond: 1 };
  const node = await listening(t, {
    checks,
    gossip: { transactionBatchMax: 1 },
    inbound: { exemptLocal: false, perAddressPerSecond: 1_000 },
  });
  let checked = 0;
  const end = node.subscribe(["TransactionRejected"], ({ rule }) => {
    if (rule === "signature") checked++;
  });
  t.teardown(end);
  for (let identity = 1; identity <= 6; identity++) {
    const peer = await join(t, node, identity, `127.0.7.${identity}`, OLD);
    for (let i = 0; i < 60; i++) {
      peer.send({ kind: "NewTransaction", transaction: forged(1_000 * identity + i) });
    }
    await peer.ping();
    peer.destroy();
    await until(async () => (await node.peers()).length === 0);
  }
  const honest = await join(t, node, 99, "127.0.8.1", OLD);
  const accepted = nextEvent(node, "TransactionAccepted");
  honest.send({ kind: "NewTransaction", transaction });
  await accepted;
  t.true(checked > 0 && checked <= 60, `${checked} were checked`);
});
