// Peers that announce transactions and do not send them, against whole nodes: what an honest peer
// has arrives all the same, and soon.

import test, { type ExecutionContext } from "ava";
import { genesisOf } from "../../src/compose.js";
import type { NetworkConfigInput } from "../../src/config.js";
import type { Network } from "../../src/network.js";
import type { Message, MessageKind } from "../../src/protocol/index.js";
import { makeBlock, makeKey, makeTransaction, transactionId } from "../support/chain.js";
import { handshakeInfo, identityOf, RawPeer } from "../support/raw-peer.js";
import { consensus, nextEvent, reaches, startTestNode, until } from "./nodes.js";

const NETWORK_ID = genesisOf(consensus).header.hash;
const key = makeKey(1);
const transactions = [1, 2, 3, 4].map((nonce) => makeTransaction(key, nonce));
const ids = transactions.map(transactionId);

const listening = (t: ExecutionContext, config: NetworkConfigInput = {}): Promise<Network> =>
  startTestNode(t, { bindAddr: "tcp://127.0.0.1:0", ...config });

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

/** Every message that it sent so far was dealt with. */
async function settled(peer: RawPeer): Promise<void> {
  await peer.ping();
  await new Promise((resolve) => setImmediate(resolve));
}

/** Answers every request for transactions, within what a server may send at once. */
function serveAll(peer: RawPeer, bodies: ReadonlyMap<string, Uint8Array>): void {
  let answered = 0;
  void peer.until(() => {
    for (; answered < peer.received.length; answered++) {
      const message = peer.received[answered]!;
      if (message.kind !== "RequestTransactions") continue;
      const held: Uint8Array[] = [];
      let bytes = 0;
      for (const id of message.ids) {
        const body = bodies.get(id);
        if (body === undefined || bytes + body.length > 262_144) break;
        held.push(body);
        bytes += body.length;
      }
      peer.send({ kind: "ResponseTransactions", transactions: held }, peer.requestIds[answered]);
    }
    return peer.ended;
  });
}

const bodiesOf = (all: readonly Uint8Array[]) =>
  new Map(all.map((bytes) => [transactionId(bytes), bytes]));

test("silent announcers, however many come first, do not keep a transaction from an honest one", async (t) => {
  const node = await listening(t);
  for (let number = 1; number <= 5; number++) {
    const silent = await join(t, node, number);
    silent.send({ kind: "AnnounceTransactions", ids });
    await settled(silent);
  }
  const honest = await join(t, node, 9);
  serveAll(honest, bodiesOf(transactions));
  const last = nextEvent(node, "TransactionAccepted", ({ id }) => id === ids[3]);
  honest.send({ kind: "AnnounceTransactions", ids });
  t.is((await last).id, ids[3]!);
});

test("what an announcer offers while it owes answers is asked for later", async (t) => {
  const node = await listening(t, { gossip: { requestsPerPeerMax: 1 } });
  const peer = await join(t, node, 1);
  peer.send({ kind: "AnnounceTransactions", ids: ids.slice(0, 1) });
  await peer.until(() => sentTo(peer, "RequestTransactions").length > 0);
  peer.send({ kind: "AnnounceTransactions", ids: ids.slice(1) });
  await settled(peer);
  const last = nextEvent(node, "TransactionAccepted", ({ id }) => id === ids[3]);
  serveAll(peer, bodiesOf(transactions));
  t.is((await last).id, ids[3]!);
});

test("everybody who sends an invalid transaction is blamed, not the first one alone", async (t) => {
  const node = await listening(t);
  const forged = transactions[0]!.slice();
  forged[forged.length - 1]! ^= 1;
  for (const number of [1, 2]) {
    const peer = await join(t, node, number);
    peer.send({ kind: "NewTransaction", transaction: forged });
    await until(async () => {
      const { entries } = await node.explainPeer(peer.peerId);
      return entries.some(({ event }) => event === "InvalidTransaction");
    });
  }
  t.pass();
});

test("an answer with other transactions than those asked for earns nothing", async (t) => {
  const node = await listening(t);
  const peer = await join(t, node, 1);
  peer.send({ kind: "AnnounceTransactions", ids: ids.slice(0, 1) });
  await peer.until(() => sentTo(peer, "RequestTransactions").length > 0);
  const other = { kind: "ResponseTransactions", transactions: transactions.slice(1, 2) } as const;
  peer.send(other, peer.requestIds.at(-1));
  await settled(peer);
  peer.send({ kind: "NewTransaction", transaction: makeTransaction(makeKey(2), 1) });
  await nextEvent(node, "TransactionAccepted");
  t.is((await node.status()).mempool.count, 1);
  const { entries } = await node.explainPeer(peer.peerId);
  t.is(entries.filter(({ event }) => event === "GoodTransaction").length, 1);
});

test("a transaction that gave way is fetched again when there is room", async (t) => {
  const node = await listening(t, { mempool: { countMax: 1 } });
  const peer = await join(t, node, 1);
  serveAll(peer, bodiesOf(transactions));
  const taken = nextEvent(node, "TransactionAccepted", ({ id }) => id === ids[0]);
  peer.send({ kind: "AnnounceTransactions", ids: [ids[0]!] });
  await taken;
  const better = makeTransaction(makeKey(2), 1, { gasPrice: 9n });
  const evicted = nextEvent(node, "TransactionDropped", ({ id }) => id === ids[0]);
  peer.send({ kind: "NewTransaction", transaction: better });
  t.is((await evicted).rule, "evicted");
  const block = makeBlock({ transactions: [better] });
  node.broadcastBlock(block.bytes);
  await reaches(node, block.header.hash);
  const again = nextEvent(node, "TransactionAccepted", ({ id }) => id === ids[0]);
  await until(async () => (await node.status()).mempool.count === 0);
  peer.send({ kind: "AnnounceTransactions", ids: [ids[0]!] });
  await again;
});

test("10,000 transactions of 200 to 65,000 bytes arrive, though a silent peer announced all first", async (t) => {
  t.timeout(100_000);
  const roomy = {
    memoryBudgetBytes: 2 ** 31,
    mempool: { countMax: 20_000 },
    gossip: { knownPerPeerMax: 20_000 },
  };
  const node = await listening(t, roomy);
  const honest = await listening(t, roomy);
  const all = Array.from({ length: 10_000 }, (_, index) => {
    // One in 25 is as large as it can be, the rest are small: 32 MB in all.
    const data = new Uint8Array(index % 25 === 0 ? 65_000 : index % 1_000);
    return makeTransaction(makeKey(index % 100), 1 + Math.floor(index / 100), { data });
  });
  for (let start = 0; start < all.length; start += 1_000) {
    const batch = all.slice(start, start + 1_000);
    await Promise.all(batch.map((transaction) => honest.broadcastTransaction(transaction)));
  }
  t.is((await honest.status()).mempool.count, all.length);
  const allIds = all.map(transactionId);
  const silent = await join(t, node, 1);
  for (let start = 0; start < allIds.length; start += 1_000) {
    silent.send({ kind: "AnnounceTransactions", ids: allIds.slice(start, start + 1_000) });
    await settled(silent);
  }
  const startedMs = performance.now();
  void node.connect(honest.listenAddress!);
  const count = async (): Promise<number> => (await node.status()).mempool.count;
  while ((await count()) < all.length && performance.now() - startedMs < 60_000) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  t.is(await count(), all.length);
  t.log(`${Math.round(performance.now() - startedMs)} ms`);
});
