import test from "ava";
import { genesisOf, startNode } from "../../src/compose.js";
import { createMempool } from "../../src/chain/mempool.js";
import type { Consensus } from "../../src/ports.js";
import { openMemoryStores } from "../../src/storage/memory-stores.js";
import { storeChain } from "../../src/compose/chain-store.js";
import { makeKey, signatures } from "../support/chain.js";
import {
  createForeignRules,
  encodeForeignBlock,
  encodeForeignTransaction,
  foreignRulesModule,
} from "../support/foreign-rules.js";
import { nextEvent, reaches } from "./nodes.js";

const OPTIONS = { magic: 7 };
const rules = createForeignRules(OPTIONS);
const NOTHING = new Uint8Array(0);

/** Another chain: heights count as work, and the state is the digest of the last block. */
const foreign: Consensus = {
  rulesModule: foreignRulesModule(OPTIONS),
  rules,
  genesis: encodeForeignBlock(0, "00".repeat(32), 1_700_000_000_000, []).bytes,
  blockBytesMax: 1_000_000,
  prefers: (candidate, current) => candidate.height > current.height,
  connect: ({ effects }) => ({
    ok: true,
    value: { writes: [{ key: Uint8Array.of(1), value: effects }], undo: NOTHING },
  }),
  disconnect: () => [{ key: Uint8Array.of(1), value: NOTHING }],
  template: () => ({ header: NOTHING, transactions: [] }),
  assemble: ({ header }) => header,
};

const mempool = createMempool(
  { countMax: 1, bytesMax: 1, perSenderMax: 1, minGasPrice: 0, replaceBumpPercent: 0 },
  () => ({ ok: false, fault: { rule: "encoding", detail: "not the default transactions" } }),
);

function foreignChain(length: number, spoilAt?: number) {
  const key = makeKey(3);
  let parent = genesisOf(foreign).header;
  return Array.from({ length }, (_, index) => {
    const height = index + 1;
    const transactions = [1, 2, 3].map((n) =>
      encodeForeignTransaction(key.publicKey, Uint8Array.of(height, n), (message) => {
        const signed = height === spoilAt ? Uint8Array.of(...message, 0) : message;
        return signatures.sign(signed, key.secretKey);
      }),
    );
    const timestampMs = parent.timestampMs + 1_000;
    const { header, bytes } = encodeForeignBlock(height, parent.hash, timestampMs, transactions);
    const read = rules.readHeader(header);
    if (!read.ok) throw new Error("a foreign header reads back");
    parent = read.value;
    return { header: parent, headerBytes: header, bytes };
  });
}

test("a chain with rules of its own syncs through the pool's threads", async (t) => {
  const chain = foreignChain(40);
  const bad = foreignChain(45, 44);
  const stores = openMemoryStores({ genesis: genesisOf(foreign) });
  await storeChain(chain, stores.blocks, foreign);
  const badStores = openMemoryStores({ genesis: genesisOf(foreign) });
  await storeChain(bad, badStores.blocks, foreign);

  const start = async (config: object, own: object) => {
    const node = await startNode(config, { consensus: foreign, mempool, ...own });
    t.teardown(() => node.stop());
    return node;
  };
  const serving = { bindAddr: "tcp://127.0.0.1:0", pool: { inline: true } };
  const good = await start(serving, { blockStore: stores.blocks });
  const evil = await start(serving, { blockStore: badStores.blocks });

  const node = await start({ pool: { threads: 1 } }, {});
  const rejected = nextEvent(node, "BlockRejected");
  void node.connect(evil.listenAddress!);
  const { rule, hash } = await rejected;
  t.is(rule, "signature");
  t.is(hash, bad[43]!.header.hash);
  void node.connect(good.listenAddress!);
  await reaches(node, chain.at(-1)!.header.hash);
  t.deepEqual(node.block(40), new Uint8Array(chain.at(-1)!.bytes));
});
