// Compact blocks at the wire: filled from the mempool and by what is asked for, passed on before they
// are validated, and what becomes of those who lie in them.

import test, { type ExecutionContext } from "ava";
import { concatBytes } from "../../src/bytes/compare.js";
import { sha256 } from "../../src/bytes/sha256.js";
import { genesisOf } from "../../src/compose.js";
import type { NetworkConfigInput } from "../../src/config.js";
import type { Network } from "../../src/network.js";
import { compactBlock } from "../../src/protocol/kinds/compact-form.js";
import type { MessageKind, MessageOf } from "../../src/protocol/index.js";
import { makeBlock, makeKey, makeTransaction, type MadeBlock } from "../support/chain.js";
import { handshakeInfo, identityOf, RawPeer } from "../support/raw-peer.js";
import { consensus, nextEvent, reaches, startTestNode, until } from "./nodes.js";

const NETWORK_ID = genesisOf(consensus).header.hash;
const TRANSACTIONS = [0, 1, 2, 3].map((index) => makeTransaction(makeKey(index), 0));
const BLOCK = makeBlock({ transactions: TRANSACTIONS });
const OLD = { capabilities: ["blocks/1", "sync/1", "transactions/1"] };

const listening = (t: ExecutionContext, config: NetworkConfigInput = {}): Promise<Network> =>
  startTestNode(t, { bindAddr: "tcp://127.0.0.1:0", ...config });

async function join(
  t: ExecutionContext,
  node: Network,
  number: number,
  info: Parameters<typeof handshakeInfo>[1] = {},
): Promise<RawPeer> {
  const peer = await RawPeer.connect({
    address: node.listenAddress!,
    identity: identityOf(number),
  });
  t.teardown(() => peer.destroy());
  const ready = nextEvent(node, "PeerConnected", ({ peerId }) => peerId === peer.peerId);
  peer.send(handshakeInfo(NETWORK_ID, info));
  await ready;
  return peer;
}

/** They wait in the node's mempool. */
async function waitHere(node: Network, transactions: readonly Uint8Array[]): Promise<void> {
  const outcomes = await Promise.all(transactions.map((each) => node.broadcastTransaction(each)));
  for (const outcome of outcomes) if (!outcome.ok) throw new Error(outcome.rule);
}

function compact(
  { headerBytes: header }: MadeBlock,
  transactions: readonly Uint8Array[] = TRANSACTIONS,
  prefilled: readonly number[] = [],
): MessageOf<"CompactBlock"> {
  const ids = concatBytes(transactions.map((each) => sha256(each)));
  return compactBlock({ header, transactions }, ids, 7n, prefilled)!;
}

const kindsTo = (peer: RawPeer, ...kinds: MessageKind[]) =>
  peer.received.filter(({ kind }) => kinds.includes(kind));

/** Every message that it sent so far was dealt with. */
async function settled(peer: RawPeer): Promise<void> {
  await peer.ping();
  await new Promise((resolve) => setImmediate(resolve));
}

/** Answers the first request of this kind. */
async function answer(
  peer: RawPeer,
  asked: "GetBlockTransactions" | "RequestBlock",
  message: Parameters<RawPeer["send"]>[0],
): Promise<void> {
  await peer.message(asked);
  const at = peer.received.findIndex(({ kind }) => kind === asked);
  peer.send(message, peer.requestIds[at]);
}

/** What it is blamed for. */
const blame = async (node: Network, { peerId }: RawPeer): Promise<readonly string[]> => {
  const { entries } = await node.explainPeer(peerId);
  const bad = entries.filter(({ delta }) => delta < 0);
  return bad.map(({ event, rule }) => `${event}: ${rule ?? ""}`);
};

test("a block whose transactions wait here needs no more than its compact form", async (t) => {
  const node = await listening(t);
  const peer = await join(t, node, 1);
  await waitHere(node, TRANSACTIONS);
  peer.send(compact(BLOCK));
  await reaches(node, BLOCK.header.hash);
  t.deepEqual(kindsTo(peer, "GetBlockTransactions", "RequestBlock"), []);
  const { peers } = await node.status();
  t.is(peers[0]!.claimedHeight, "1", "it has the block that it sent");
});

test("an empty block comes in compact form too", async (t) => {
  const node = await listening(t);
  const peer = await join(t, node, 1);
  const empty = makeBlock();
  peer.send(compact(empty, []));
  await reaches(node, empty.header.hash);
  t.is(node.head().height, 1);
});

test("what lacks is asked of the sender by its places, but for what it prefilled", async (t) => {
  const node = await listening(t);
  const peer = await join(t, node, 1);
  await waitHere(node, [TRANSACTIONS[1]!]);
  peer.send(compact(BLOCK, TRANSACTIONS, [2]));
  const asked = await peer.message("GetBlockTransactions");
  t.deepEqual(asked, {
    kind: "GetBlockTransactions",
    hash: BLOCK.header.hash,
    indexes: [0, 3],
  });
  const transactions = [TRANSACTIONS[0]!, TRANSACTIONS[3]!];
  await answer(peer, "GetBlockTransactions", { kind: "BlockTransactions", transactions });
  await reaches(node, BLOCK.header.hash);
  t.deepEqual(kindsTo(peer, "RequestBlock"), []);
});

test("a block is passed on in compact form before it is validated, and nobody is blamed for its body", async (t) => {
  const node = await listening(t);
  const sender = await join(t, node, 1);
  const other = await join(t, node, 2);
  const old = await join(t, node, 3, OLD);
  const forged = TRANSACTIONS[0]!.slice();
  forged[forged.length - 1]! ^= 1;
  const block = makeBlock({ transactions: [forged] });
  const rejected = nextEvent(node, "BlockRejected", ({ hash }) => hash === block.header.hash);
  const message = compact(block, [forged], [0]);
  sender.send(message);
  t.deepEqual(await other.message("CompactBlock"), message);
  t.is((await rejected).rule, "signature");
  await settled(old);
  t.deepEqual(kindsTo(old, "NewBlock", "AnnounceBlock"), [], "it would blame this node");
  t.is(node.head().height, 0);
  t.deepEqual(await blame(node, sender), []);
  other.send(message);
  await settled(other);
  t.deepEqual(await blame(node, other), []);
  t.false(sender.ended || other.ended);
});

test("a peer that reads no compact blocks gets the whole one, once it is validated", async (t) => {
  const node = await listening(t);
  const sender = await join(t, node, 1);
  const old = await join(t, node, 2, OLD);
  await waitHere(node, TRANSACTIONS);
  sender.send(compact(BLOCK));
  t.deepEqual(await old.message("NewBlock"), { kind: "NewBlock", block: BLOCK.bytes });
});

test("whoever is passed a block on can ask for what lacks, and one stored later too", async (t) => {
  const node = await listening(t);
  const sender = await join(t, node, 1);
  const other = await join(t, node, 2);
  sender.send({ kind: "NewBlock", block: BLOCK.bytes });
  const passed = (await other.message("CompactBlock"))!;
  t.is(passed.shortIds.length, 6 * TRANSACTIONS.length);
  await reaches(node, BLOCK.header.hash);
  const { hash } = BLOCK.header;
  const outcome = await other.ask({ kind: "GetBlockTransactions", hash, indexes: [1, 3] });
  const transactions = [TRANSACTIONS[1]!, TRANSACTIONS[3]!];
  t.deepEqual(outcome.ok && outcome.message, { kind: "BlockTransactions", transactions });
  for (const indexes of [[4], [0, 65_535]]) {
    const none = await other.ask({ kind: "GetBlockTransactions", hash, indexes });
    t.like(none, { ok: false, reason: "NotFound" });
  }
});

test("a header without its work, or on nothing that is known, is not passed on", async (t) => {
  const node = await listening(t);
  const sender = await join(t, node, 1);
  const other = await join(t, node, 2);
  const far = makeBlock({ fields: { previousHash: "33".repeat(32) } });
  sender.send(compact(far, []));
  await settled(sender);
  t.deepEqual(await blame(node, sender), []);
  const lazy = makeBlock({ sealed: false });
  sender.send(compact(lazy, []));
  await until(async () => (await blame(node, sender)).includes("InvalidBlock: proof-of-work"));
  await settled(other);
  t.deepEqual(kindsTo(other, "CompactBlock"), []);
});

test("short ids that lead to other transactions cost a fetch of the whole block, which shows who lied", async (t) => {
  const node = await listening(t);
  const liar = await join(t, node, 1);
  const other = await join(t, node, 2);
  await waitHere(node, TRANSACTIONS);
  const [one, two, ...rest] = TRANSACTIONS;
  liar.send(compact(BLOCK, [two!, one!, ...rest]));
  await answer(liar, "RequestBlock", { kind: "ResponseBlock", block: BLOCK.bytes });
  await reaches(node, BLOCK.header.hash);
  const { detail } = (await liar.farewell())!;
  t.regex(detail, /^compact: a compact block with other short ids/);
  t.deepEqual(kindsTo(other, "CompactBlock"), [compactOfNode(other)], "the true one alone");
});

function compactOfNode(peer: RawPeer): MessageOf<"CompactBlock"> {
  const [passed] = kindsTo(peer, "CompactBlock") as MessageOf<"CompactBlock">[];
  const { nonce, header } = passed!;
  const ids = concatBytes(TRANSACTIONS.map((each) => sha256(each)));
  return compactBlock({ header, transactions: TRANSACTIONS }, ids, nonce)!;
}

test("a liar that comes first does not keep out the true form of the same block", async (t) => {
  const node = await listening(t);
  const liar = await join(t, node, 1);
  const honest = await join(t, node, 2);
  await waitHere(node, TRANSACTIONS);
  liar.send(compact(BLOCK, [...TRANSACTIONS].reverse()));
  await liar.message("RequestBlock");
  honest.send(compact(BLOCK));
  await reaches(node, BLOCK.header.hash);
  t.deepEqual(kindsTo(honest, "RequestBlock", "GetBlockTransactions"), []);
  t.regex((await liar.farewell())!.detail, /^compact:/);
});

test("other transactions than those that were asked for end the connection of who sent them", async (t) => {
  const node = await listening(t);
  const liar = await join(t, node, 1);
  const honest = await join(t, node, 2);
  liar.send(compact(BLOCK));
  const wrong = [...TRANSACTIONS].reverse();
  await answer(liar, "GetBlockTransactions", { kind: "BlockTransactions", transactions: wrong });
  t.regex((await liar.farewell())!.detail, /^answer: other transactions/);
  honest.send(compact(BLOCK));
  const transactions = TRANSACTIONS;
  await answer(honest, "GetBlockTransactions", { kind: "BlockTransactions", transactions });
  await reaches(node, BLOCK.header.hash);
  t.is(node.head().height, 1);
});

test("who passes on what it does not have is charged for it, and another one is asked", async (t) => {
  const node = await listening(t);
  const liar = await join(t, node, 1);
  const honest = await join(t, node, 2);
  liar.send(compact(BLOCK));
  const { height, hash, totalDifficulty } = BLOCK.header;
  honest.send({ kind: "AnnounceBlock", height: BigInt(height), hash, totalDifficulty });
  await answer(liar, "GetBlockTransactions", { kind: "RequestRefused", reason: "NotFound" });
  await answer(honest, "RequestBlock", { kind: "ResponseBlock", block: BLOCK.bytes });
  await reaches(node, BLOCK.header.hash);
  t.deepEqual(await blame(node, liar), ["UnprovenClaim: compact"]);
});

test("who never answers holds the block up no longer than a whole one", async (t) => {
  const node = await listening(t);
  const silent = await join(t, node, 1);
  const honest = await join(t, node, 2);
  silent.send(compact(BLOCK));
  await silent.message("GetBlockTransactions");
  honest.send(compact(BLOCK, TRANSACTIONS, [0, 1, 2, 3]));
  await reaches(node, BLOCK.header.hash);
  t.is(node.head().height, 1);
});

test("a compact block whose parent is fetched follows it", async (t) => {
  const node = await listening(t, { sync: { retryMs: 60_000 } });
  const peer = await join(t, node, 1);
  const { height, hash, totalDifficulty } = BLOCK.header;
  peer.send({ kind: "AnnounceBlock", height: BigInt(height), hash, totalDifficulty });
  await peer.message("RequestBlock");
  const next = makeBlock({ parent: BLOCK.header });
  peer.send(compact(next, []));
  await settled(peer);
  await answer(peer, "RequestBlock", { kind: "ResponseBlock", block: BLOCK.bytes });
  await reaches(node, next.header.hash);
  t.is(node.head().height, 2);
});

for (const [form, send] of [
  ["compact", (block: MadeBlock) => compact(block, [])],
  ["whole", ({ bytes }: MadeBlock) => ({ kind: "NewBlock", block: bytes }) as const],
] as const) {
  test(`a ${form} block whose parent alone is missing waits for it, once, and keeps out no other`, async (t) => {
    const node = await listening(t, { sync: { retryMs: 60_000 } });
    const liar = await join(t, node, 1);
    const honest = await join(t, node, 2);
    for (let number = 0; number < 40; number++) {
      const extra = Uint8Array.of(number);
      const previousHash = number.toString(16).padStart(64, "0");
      liar.send(send(makeBlock({ fields: { height: 2, extra, previousHash } })));
    }
    await answer(liar, "RequestBlock", { kind: "RequestRefused", reason: "NotFound" });
    await settled(liar);
    const next = makeBlock({ parent: BLOCK.header });
    honest.send(send(next));
    const asked = await honest.message("RequestBlock");
    t.deepEqual(asked, { kind: "RequestBlock", hash: BLOCK.header.hash });
    await answer(honest, "RequestBlock", { kind: "ResponseBlock", block: BLOCK.bytes });
    await reaches(node, next.header.hash);
    t.is(kindsTo(honest, "RequestBlock").length, 1);
    const hashes = kindsTo(liar, "RequestBlock").map((each) => (each as { hash: string }).hash);
    t.is(new Set(hashes).size, hashes.length, "nothing is asked for twice");
  });
}
