// A node whose store changed a block behind its back: a peer that refuses the block tells it, and
// the block is fetched again.

import test, { type ExecutionContext } from "ava";
import { genesisOf } from "../../src/compose.js";
import type { NetworkConfigInput } from "../../src/config.js";
import type { Network } from "../../src/network.js";
import type { StoredBlock } from "../../src/ports.js";
import { openMemoryStores, type MemoryStores } from "../../src/storage/memory-stores.js";
import { checkedBlocks, connectAll } from "../actors/support.js";
import { makeBlock, makeChain, makeKey, makeTransaction } from "../support/chain.js";
import { handshakeInfo, identityOf, RawPeer } from "../support/raw-peer.js";
import { consensus, reaches, startTestNode } from "./nodes.js";

const BIND = "tcp://127.0.0.1:0";
const chain = makeChain(39);
chain.push(
  ...makeChain(1, { parent: chain[38]!.header, transactions: [makeTransaction(makeKey(1), 0)] }),
);
const tip = chain[39]!;

interface Node {
  readonly node: Network;
  readonly stores: MemoryStores;
  /** Resolves with the fields of the first line of this event. */
  readonly says: (event: string) => Promise<Readonly<Record<string, unknown>>>;
  readonly count: (event: string) => number;
}

async function nodeOn(
  t: ExecutionContext,
  damage?: (block: (typeof chain)[number]) => StoredBlock,
  config: NetworkConfigInput = {},
  more: readonly StoredBlock[] = [],
): Promise<Node> {
  // What a loaded machine does not answer in time is asked for again after a minute.
  t.timeout(110_000);
  const stores = openMemoryStores({ genesis: genesisOf(consensus) });
  connectAll(stores.blocks, checkedBlocks(chain));
  const hashes = more.map(({ header }) => header.hash);
  const canonical = { fromHeight: chain.length + 1, hashes };
  await stores.blocks.commit({ blocks: more, undo: [], canonical, state: [] });
  if (damage !== undefined) {
    await stores.blocks.commit({ blocks: [damage(tip)], undo: [], state: [] });
  }
  const lines: { event: string; fields: Readonly<Record<string, unknown>> }[] = [];
  const waiting = new Set<() => void>();
  const log = {
    write(_level: string, event: string, fields = {}): void {
      lines.push({ event, fields });
      for (const look of [...waiting]) look();
    },
  };
  const own = { blockStore: stores.blocks, log };
  const node = await startTestNode(t, { bindAddr: BIND, ...config }, own);
  const says = (event: string): Promise<Readonly<Record<string, unknown>>> =>
    new Promise((resolve) => {
      const look = (): void => {
        const line = lines.find((one) => one.event === event);
        if (line === undefined) return;
        waiting.delete(look);
        resolve(line.fields);
      };
      waiting.add(look);
      look();
    });
  return { node, stores, says, count: (event) => lines.filter((l) => l.event === event).length };
}

/** A flipped bit near the end: in the signature of the last transaction. */
function flipped(bytes: Uint8Array): Uint8Array {
  const changed = bytes.slice();
  changed[changed.length - 3]! ^= 1;
  return changed;
}

test("a block that a peer refuses is checked, said to be damaged and fetched again", async (t) => {
  const spoil = (block: typeof tip): StoredBlock => ({ ...block, bytes: flipped(block.bytes) });
  const one = await nodeOn(t, spoil);
  const sound = await nodeOn(t);
  void one.node.connect(sound.node.listenAddress!);
  const strict = await startTestNode(t);
  void strict.connect(one.node.listenAddress!);
  t.like(await one.says("a stored block is damaged"), { height: 40, hash: tip.header.hash });
  t.like(await one.says("a damaged block was mended"), { height: 40, hash: tip.header.hash });
  t.deepEqual(one.stores.blocks.block(tip.header.hash), tip.bytes);
  const next = await startTestNode(t);
  void next.connect(one.node.listenAddress!);
  await reaches(next, tip.header.hash);
  t.pass();
});

test("a damaged header is mended with its block", async (t) => {
  const spoil = (block: typeof tip): StoredBlock => ({
    ...block,
    headerBytes: flipped(block.headerBytes),
  });
  const one = await nodeOn(t, spoil);
  const sound = await nodeOn(t);
  void one.node.connect(sound.node.listenAddress!);
  const strict = await startTestNode(t);
  void strict.connect(one.node.listenAddress!);
  t.like(await one.says("a damaged block was mended"), { height: 40 });
  t.deepEqual(one.stores.blocks.headerBytes(tip.header.hash), tip.headerBytes);
});

test("a damaged header is served to nobody: whoever asks is told of those before it, and bans nobody", async (t) => {
  const spoil = (block: typeof tip): StoredBlock => ({
    ...block,
    headerBytes: flipped(block.headerBytes),
  });
  const one = await nodeOn(t, spoil);
  const raw = await RawPeer.connect({ address: one.node.listenAddress!, identity: identityOf(1) });
  t.teardown(() => raw.destroy());
  const networkId = genesisOf(consensus).header.hash;
  raw.send(handshakeInfo(networkId));
  await raw.message("Handshake");
  const ask = { kind: "RequestHeaders", locator: [networkId], countMax: 100 } as const;
  for (let again = 0; again < 2; again++) {
    const outcome = await raw.ask(ask);
    const answer = outcome.ok && outcome.message;
    if (answer === false || answer.kind !== "ResponseHeaders") return t.fail();
    t.is(answer.headers.length, 39);
    t.deepEqual(answer.headers[38], chain[38]!.headerBytes);
  }
  t.like(await one.says("a stored block is damaged"), { height: 40, hash: tip.header.hash });
  const strict = await startTestNode(t);
  void strict.connect(one.node.listenAddress!);
  await reaches(strict, chain[38]!.header.hash);
  const after = await raw.ask(ask);
  t.true(after.ok);
  t.deepEqual(await strict.bans(), []);
  t.is((await strict.peers()).length, 1);
});

test("a damaged block is not served while nobody gives it again", async (t) => {
  const spoil = (block: typeof tip): StoredBlock => ({ ...block, bytes: flipped(block.bytes) });
  const one = await nodeOn(t, spoil);
  const strict = await startTestNode(t);
  void strict.connect(one.node.listenAddress!);
  await one.says("a stored block is damaged");
  const raw = await RawPeer.connect({
    address: one.node.listenAddress!,
    identity: identityOf(1),
  });
  t.teardown(() => raw.destroy());
  raw.send(handshakeInfo(genesisOf(consensus).header.hash));
  await raw.message("Handshake");
  const outcome = await raw.ask({ kind: "RequestBlock", hash: tip.header.hash });
  t.deepEqual(outcome, { ok: false, reason: "NotFound" });
});

test("a block is sound whose time has not come again after the clock was set back", async (t) => {
  const fields = { timestampMs: Date.now() + 3_600_000 };
  const early = makeBlock({ parent: tip.header, fields });
  const one = await nodeOn(t, undefined, {}, [early]);
  const raw = await RawPeer.connect({ address: one.node.listenAddress!, identity: identityOf(1) });
  t.teardown(() => raw.destroy());
  raw.send(handshakeInfo(genesisOf(consensus).header.hash));
  await raw.message("Handshake");
  t.true((await raw.ask({ kind: "RequestBlock", hash: early.header.hash })).ok);
  raw.send({ kind: "Disconnect", reason: "Banned", detail: "InvalidBlock" });
  t.is((await one.says("blocks that a peer refused are sound")).checked, 1);
  t.is(one.count("a stored block is damaged"), 0);
});

test("peers that complain of sound blocks have them checked once a minute at most", async (t) => {
  const one = await nodeOn(t);
  for (let id = 1; id <= 5; id++) {
    const raw = await RawPeer.connect({
      address: one.node.listenAddress!,
      identity: identityOf(id),
    });
    t.teardown(() => raw.destroy());
    raw.send(handshakeInfo(genesisOf(consensus).header.hash));
    await raw.message("Handshake");
    t.true((await raw.ask({ kind: "RequestBlock", hash: tip.header.hash })).ok);
    raw.send({ kind: "Disconnect", reason: "Banned", detail: "InvalidBlock" });
    await raw.closed;
  }
  await one.says("blocks that a peer refused are sound");
  t.is(one.count("blocks that a peer refused are sound"), 1);
});
