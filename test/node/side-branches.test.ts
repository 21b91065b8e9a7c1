// Sealed blocks beside the best chain, pushed by peers: kept while they may win, within bounds of
// bytes for all and for each peer, and never praised.

import test, { type ExecutionContext } from "ava";
import { genesisOf } from "../../src/compose.js";
import type { Network } from "../../src/network.js";
import { openMemoryStores, type MemoryStores } from "../../src/storage/memory-stores.js";
import { checkedBlocks, connectAll } from "../actors/support.js";
import {
  makeBlock,
  makeChain,
  makeKey,
  makeTransaction,
  type MadeBlock,
} from "../support/chain.js";
import { handshakeInfo, identityOf, RawPeer } from "../support/raw-peer.js";
import { consensus, nextEvent, reaches, startTestNode } from "./nodes.js";

const NETWORK_ID = genesisOf(consensus).header.hash;
const chain = makeChain(30);
const head = chain[29]!.header;
const parent = chain[28]!.header;

/** A MiB of valid transactions. */
const weight = Array.from({ length: 16 }, (_, nonce) =>
  makeTransaction(makeKey(3), nonce, { data: new Uint8Array(65_536).fill(nonce) }),
);

/** Blocks of a MiB beside the head, as heavy as it. */
function rivals(count: number, mark: number): MadeBlock[] {
  return Array.from({ length: count }, (_, i) =>
    makeBlock({ parent, transactions: weight, fields: { extra: Uint8Array.of(mark, i) } }),
  );
}

async function nodeOn(t: ExecutionContext): Promise<{ node: Network; stores: MemoryStores }> {
  t.timeout(60_000);
  const stores = openMemoryStores({ genesis: genesisOf(consensus) });
  connectAll(stores.blocks, checkedBlocks(chain));
  const config = { bindAddr: "tcp://127.0.0.1:0" };
  return { node: await startTestNode(t, config, { blockStore: stores.blocks }), stores };
}

async function join(t: ExecutionContext, node: Network, id: number): Promise<RawPeer> {
  const peer = await RawPeer.connect({ address: node.listenAddress!, identity: identityOf(id) });
  t.teardown(() => peer.destroy());
  const ready = nextEvent(node, "PeerConnected", ({ peerId }) => peerId === peer.peerId);
  peer.send(handshakeInfo(NETWORK_ID));
  // Deaf it answers no ping, so that no window grows: the credit that comes is for what was dealt with.
  peer.deafen();
  await ready;
  return peer;
}

/** Pushes blocks, each when the one before was dealt with. */
async function push(peer: RawPeer, blocks: readonly MadeBlock[]): Promise<void> {
  const granted = (): number =>
    peer.received.reduce(
      (sum, message) =>
        message.kind === "WindowUpdate" && message.lane === "block" ? sum + message.bytes : sum,
      0,
    );
  for (const { bytes } of blocks) {
    const before = granted();
    peer.write({ kind: "NewBlock", block: bytes });
    if (bytes.length > 65_536) await peer.until(() => granted() >= before + bytes.length);
  }
}

/** Extends the head: when that is connected, what was pushed before is dealt with. */
async function extend(peer: RawPeer, node: Network): Promise<void> {
  const last = makeBlock({ parent: node.head() });
  const done = reaches(node, last.header.hash);
  peer.write({ kind: "NewBlock", block: last.bytes });
  await done;
}

const keptOf = (stores: MemoryStores, blocks: readonly MadeBlock[]): number =>
  blocks.filter(({ header }) => stores.blocks.has(header.hash)).length;

test("blocks of branches that cannot win next are not stored, and nobody is praised for them", async (t) => {
  const { node, stores } = await nodeOn(t);
  const peer = await join(t, node, 1);
  const stale = chain
    .slice(0, 25)
    .map(({ header }) => makeBlock({ parent: header, fields: { extra: Uint8Array.of(9) } }));
  await push(peer, stale);
  await extend(peer, node);
  t.is(keptOf(stores, stale), 0);
  const { entries } = await node.explainPeer(peer.peerId);
  t.deepEqual(
    entries.map(({ event }) => event),
    ["GoodBlock"],
    "for the one that extends the chain",
  );
});

test("a rival of the head is kept and wins with its next block, without praise before", async (t) => {
  const { node, stores } = await nodeOn(t);
  const peer = await join(t, node, 1);
  const rival = makeBlock({ parent, fields: { extra: Uint8Array.of(1) } });
  peer.write({ kind: "NewBlock", block: rival.bytes });
  const next = makeBlock({ parent: rival.header });
  const wins = reaches(node, next.header.hash);
  peer.write({ kind: "NewBlock", block: next.bytes });
  await wins;
  t.is(node.head().previousHash, rival.header.hash);
  t.true(stores.blocks.has(head.hash), "the old head waits beside it");
});

test("rivals are kept within a peer's share, then within the share of all", async (t) => {
  const { node, stores } = await nodeOn(t);
  const first = await join(t, node, 1);
  const mine = rivals(12, 1);
  await push(first, mine);
  for (let id = 2; id <= 4; id++) {
    const others = rivals(8, id);
    await push(await join(t, node, id), others);
    mine.push(...others);
  }
  await extend(first, node);
  const kept = keptOf(stores, mine.slice(0, 12));
  t.true(kept <= 7, `${kept} MiB of one peer`);
  const all = keptOf(stores, mine);
  t.true(all >= 12 && all <= 15, `${all} MiB of all`);
});

test("after a restart the bound holds for what lies in the store", async (t) => {
  const stores = openMemoryStores({ genesis: genesisOf(consensus) });
  connectAll(stores.blocks, checkedBlocks(chain));
  const flood = rivals(24, 2);
  const best = makeBlock({ parent, fields: { extra: Uint8Array.of(7) } });
  const blocks = [...flood, best];
  await stores.blocks.commit({ blocks, undo: [], state: [] });
  const node = await startTestNode(t, {}, { blockStore: stores.blocks });
  await node.status();
  t.true(keptOf(stores, flood) <= 15, `${keptOf(stores, flood)} MiB`);
  stores.blocks.invariants();
});

test("what was dropped is fetched again when its branch becomes the better one", async (t) => {
  const { node } = await nodeOn(t);
  const mine = rivals(12, 1);
  const peer = await join(t, node, 1);
  await push(peer, mine);
  const winner = [mine[0]!, ...makeChain(4, { parent: mine[0]!.header })];
  const stores = openMemoryStores({ genesis: genesisOf(consensus) });
  connectAll(stores.blocks, checkedBlocks([...chain.slice(0, 29), ...winner]));
  const server = await startTestNode(
    t,
    { bindAddr: "tcp://127.0.0.1:0" },
    { blockStore: stores.blocks },
  );
  void node.connect(server.listenAddress!);
  await reaches(node, winner.at(-1)!.header.hash);
  t.is(node.head().height, 34);
});
