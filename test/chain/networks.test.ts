import test from "ava";
import { splitBlock } from "../../src/chain/block.js";
import { readHeader } from "../../src/chain/header.js";
import { genesisBlock, genesisHeader, networkId, NETWORKS } from "../../src/chain/networks.js";
import { testParams } from "../support/chain.js";
import { ownVectors } from "../support/vectors.js";

test("each network has the genesis it always had", (t) => {
  const ids = [...NETWORKS].map(([name, params]) => [name, networkId(params)]);
  t.deepEqual(
    Object.fromEntries(ids),
    ownVectors<{ networks: object }>("chain-golden.json").networks,
  );
});

test("genesis reads back by the chain's own readers", (t) => {
  for (const params of NETWORKS.values()) {
    const block = splitBlock(genesisBlock(params), params.blockBytesMax);
    t.true(block.ok);
    if (!block.ok) return;
    t.is(block.value.transactions.length, 0);
    const header = readHeader(block.value.header);
    t.like(header, { value: { height: 0, difficulty: params.minDifficulty } });
    t.like(header, { value: genesisHeader(params) });
  }
});

test("any constant that peers must share makes another network", (t) => {
  const id = networkId(testParams);
  const others = [
    { name: "another" },
    { genesisTimestampMs: testParams.genesisTimestampMs + 1 },
    { minDifficulty: 17n },
    { targetIntervalMs: 2_001 },
    { blockBytesMax: 1_000_000 },
    { transactionBytesMax: 1_000 },
    { transactionDataBytesMax: 1_000 },
  ];
  for (const other of others) t.not(networkId({ ...testParams, ...other }), id);
  // How far a clock may differ is each node's own matter.
  t.is(networkId({ ...testParams, maxFutureMs: 1 }), id);
});
