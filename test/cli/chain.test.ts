// `chain generate`, `chain verify` and a node that serves what was generated. One at a time: each
// test starts whole processes.

import path from "node:path";
import test from "ava";
import { sha256 } from "../../src/bytes/sha256.js";
import { createPowConsensus } from "../../src/chain/consensus.js";
import { generateChain } from "../../src/chain/generate.js";
import { storeChain } from "../../src/compose/chain-store.js";
import { genesisOf, networkParams } from "../../src/compose.js";
import { openLmdbStores } from "../../src/storage/lmdb-environment.js";
import { Table } from "../../src/storage/tables.js";
import { signatures } from "../support/chain.js";
import { runCli, startCli, temporaryDirectory } from "./child.js";
import { DAMAGES } from "./damage.js";

const BLOCKS = 40;
const SIZES = ["--blocks", String(BLOCKS), "--txs", "6"];
const params = networkParams("vibecoin-dev");
const consensus = createPowConsensus(params);
const genesis = genesisOf(consensus);

test.serial("a generated chain verifies, is served, and an empty node syncs it", async (t) => {
  const directory = await temporaryDirectory(t);
  const data = path.join(directory, "a");
  const generated = await runCli(t, "chain", "generate", ...SIZES, "--data", data);
  t.is(generated.code, 0, generated.stderr);
  const head = /head ([0-9a-f]{64})/.exec(generated.stdout)![1]!;

  const again = await runCli(t, "chain", "generate", ...SIZES, "--data", data);
  t.is(again.code, 2);
  t.true(again.stderr.includes(`${data} already holds ${BLOCKS} blocks`), again.stderr);

  const verified = await runCli(t, "chain", "verify", "--data", data);
  t.is(verified.code, 0);
  t.is(verified.stdout, `${BLOCKS} blocks are valid, head ${head}\n`);

  const server = startCli(t, ["run", "--data", data, "--listen", "127.0.0.1:0"]);
  const ready = await server.line("node is ready");
  t.is(ready["headHash"], head);
  const http = ["--http", "127.0.0.1:0"];
  const client = startCli(t, ["run", "--seed", String(ready["listenAddress"]), ...http]);
  t.is((await client.line("sync finished"))["height"], BLOCKS);
  const url = String((await client.line("node is ready"))["http"]);
  const status = (await (await fetch(`${url}/status`)).json()) as Record<string, unknown>;
  t.is(status["height"], BLOCKS);
  t.is(status["headHash"], head);
  const metrics = await (await fetch(`${url}/metrics`)).text();
  t.regex(metrics, new RegExp(`vibecoin_blocks_connected_total ${BLOCKS}\n`));
  t.regex(metrics, new RegExp(`vibecoin_transactions_confirmed_total ${BLOCKS * 6}\n`));
  client.kill("SIGTERM");
  t.is((await client.ended).code, 0);
});

test.serial("one seed gives one chain, another seed another", async (t) => {
  const directory = await temporaryDirectory(t);
  const heads: string[] = [];
  for (const [name, seed] of Object.entries({ a: "x", b: "x", c: "y" })) {
    const flags = ["--blocks", "2", "--txs", "2", "--seed", seed];
    const data = path.join(directory, name);
    const { stdout } = await runCli(t, "chain", "generate", ...flags, "--data", data);
    heads.push(/head (\w+)/.exec(stdout)![1]!);
  }
  t.is(heads[0], heads[1]);
  t.not(heads[0], heads[2]);
});

const VERDICTS: Readonly<Record<keyof typeof DAMAGES, RegExp>> = {
  flippedBit: /^Block 7 breaks the rule root: /,
  garbage: /^Block 7 breaks the rule encoding: /,
  otherBlock: /^Block 7 breaks the rule link: /,
  otherHeader: /^Block 7 is stored beside another header\.$/m,
  sibling: /^Block 20 is indexed as [0-9a-f]{64} but is [0-9a-f]{64}\.$/m,
  missing: /^Block 7 is not stored\.$/m,
  wrongSigner: /^Block 21 breaks the rule signature: /,
  otherUndo: /^Block 7 is stored with other undo data\.$/m,
  lostUndo: /^Block 7 has lost its undo data\.$/m,
  otherState: /^Block 20 left another state than is stored\.$/m,
};

for (const [name, damage] of Object.entries(DAMAGES)) {
  test.serial(`verify names the block of a damaged store and exits 1: ${name}`, async (t) => {
    const data = await temporaryDirectory(t);
    const stores = await openLmdbStores({ directory: data, genesis });
    const options = { params, blocks: 20, transactionsPerBlock: 3, accounts: 4, seed: "x" };
    await storeChain(generateChain(options, signatures), stores.blocks, consensus);
    await damage(stores.blocks);
    await stores.close();
    const { code, stdout, stderr } = await runCli(t, "chain", "verify", "--data", data);
    t.is(code, 1);
    t.is(stdout, "");
    t.regex(stderr, VERDICTS[name as keyof typeof DAMAGES]);
  });
}

for (const lost of [false, true]) {
  const name = lost ? "names the block of a transaction that its index lost" : "follows an index";
  test.serial(`verify ${name}`, async (t) => {
    const data = await temporaryDirectory(t);
    const stores = await openLmdbStores({ directory: data, genesis });
    const options = { params, blocks: 20, transactionsPerBlock: 3, accounts: 4, seed: "x" };
    await storeChain(generateChain(options, signatures), stores.blocks, consensus);
    for (let height = 0; height <= 20; height++) {
      const blockHash = stores.blocks.hashAt(height)!;
      const parts = consensus.rules.splitBlock(stores.blocks.block(blockHash)!);
      const ids = parts.ok ? parts.value.transactions.map((bytes) => sha256(bytes)) : [];
      const transactionIds = Buffer.concat(ids);
      await stores.transactions.connect({ blockHash, height, transactionIds });
      const key = transactionIds.toString("latin1", 32, 32 + 12);
      if (lost && height === 7) stores.blocks["engine"].delete(Table.transactions, key);
    }
    await stores.close();
    const { code, stderr } = await runCli(t, "chain", "verify", "--data", data);
    t.is(code, lost ? 1 : 0, stderr);
    if (lost) t.regex(stderr, /^Block 7 has transaction 1, which the transaction index does not/m);
  });
}

test.serial("verify takes undo data for dropped that a node has dropped", async (t) => {
  const data = await temporaryDirectory(t);
  const stores = await openLmdbStores({ directory: data, genesis });
  const options = { params, blocks: 20, transactionsPerBlock: 3, accounts: 4, seed: "x" };
  await storeChain(generateChain(options, signatures), stores.blocks, consensus);
  await stores.blocks.prune(15);
  await stores.close();
  const { code, stderr } = await runCli(t, "chain", "verify", "--data", data);
  t.is(code, 0, stderr);
});

test.serial(
  "verify refuses a directory without a chain, and the chain of another network",
  async (t) => {
    const data = await temporaryDirectory(t);
    const missing = await runCli(t, "chain", "verify", "--data", path.join(data, "none"));
    t.is(missing.code, 2);
    t.regex(missing.stderr, /none holds no chain/);
    await runCli(t, "chain", "generate", "--blocks", "1", "--txs", "1", "--data", data);
    const other = await runCli(t, "chain", "verify", "--data", data, "--network", "vibecoin-test");
    t.is(other.code, 2);
    t.regex(other.stderr, /holds another chain/);
  },
);
