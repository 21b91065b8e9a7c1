// What every implementation of the stores must do: run by the tests of each.

import type { ExecutionContext, TestFn } from "ava";
import fc from "fast-check";
import type { ChainCommit, StoredBlock } from "../../src/ports.js";
import type { Stores } from "../../src/storage/stores.js";
import { bytesOf, ChainModel, extension, GENESIS, makeBlock } from "./chain-model.js";

export interface StoresUnderTest {
  open(): Promise<Stores>;
  /** Closes what is open and opens what it left. */
  reopen(stores: Stores): Promise<Stores>;
  /** Lets what was committed become durable. */
  settle(): void;
  /** How many random histories to try. */
  readonly runs: number;
}

type Op =
  | { readonly kind: "extend"; readonly count: number; readonly state: readonly [number, number][] }
  | { readonly kind: "fork"; readonly depth: number }
  | { readonly kind: "reorg"; readonly depth: number; readonly count: number }
  | { readonly kind: "adopt"; readonly pick: number }
  | { readonly kind: "prune"; readonly depth: number }
  | { readonly kind: "forget"; readonly pick: number }
  | { readonly kind: "settle" }
  | { readonly kind: "reopen" };

const small = fc.nat({ max: 4 });
const stateWrites = fc.array(fc.tuple(fc.nat({ max: 9 }), fc.nat({ max: 9 })), { maxLength: 5 });
const ops: fc.Arbitrary<Op[]> = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant("extend" as const),
        count: small,
        state: stateWrites,
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("fork" as const), depth: small }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant("reorg" as const), depth: small, count: small }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("adopt" as const), pick: fc.nat() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("forget" as const), pick: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("prune" as const), depth: small }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("settle" as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("reopen" as const) }) },
  ),
  { maxLength: 25 },
);

/** The commit that an operation makes of the model's present state; undefined: none possible. */
function commitOf(op: Op, model: ChainModel, salt: string): ChainCommit | undefined {
  const ancestor = (depth: number) =>
    model.blocks.get(model.canonical[Math.max(0, model.head().height - depth)]!)!.header;
  const branchFrom = (parent = model.head(), count = 1) => {
    const blocks = [makeBlock(parent, `${salt} 0`)];
    while (blocks.length < count) blocks.push(makeBlock(blocks.at(-1)!.header, salt));
    return blocks;
  };
  switch (op.kind) {
    case "extend": {
      const state = op.state.map(([key, value]) => ({
        key: bytesOf(`key ${key}`),
        // Zero deletes.
        value: value === 0 ? undefined : bytesOf(`${salt} ${value}`),
      }));
      return extension(branchFrom(model.head(), op.count + 1), state);
    }
    case "fork":
      return { blocks: branchFrom(ancestor(op.depth)), undo: [], state: [] };
    case "reorg": {
      const parent = ancestor(op.depth);
      if (op.count > 0) return extension(branchFrom(parent, op.count));
      // Only taken back, replaced by nothing.
      const canonical = { fromHeight: parent.height + 1, hashes: [] };
      return { blocks: [], undo: [], canonical, state: [] };
    }
    case "adopt": {
      const forks = model.forks();
      const fork = forks[op.pick % Math.max(1, forks.length)]?.header;
      if (!fork || model.canonical[fork.height - 1] !== fork.previousHash) return undefined;
      const canonical = { fromHeight: fork.height, hashes: [fork.hash] };
      return { blocks: [], undo: [{ hash: fork.hash, bytes: bytesOf("u") }], canonical, state: [] };
    }
    case "forget": {
      const parents = new Set([...model.blocks.values()].map(({ header }) => header.previousHash));
      const tips = model.forks().filter(({ header }) => !parents.has(header.hash));
      const tip = tips[op.pick % Math.max(1, tips.length)]?.header;
      return tip && { blocks: [], undo: [], state: [], forgotten: [tip.hash] };
    }
    default:
      return undefined;
  }
}

async function replay(t: ExecutionContext, subject: StoresUnderTest, history: readonly Op[]) {
  const model = new ChainModel();
  let stores = await subject.open();
  let acknowledged: Promise<void>[] = [];
  for (const [step, op] of history.entries()) {
    const commit = commitOf(op, model, String(step));
    if (commit) {
      acknowledged.push(stores.blocks.commit(commit));
      model.apply(commit);
    } else if (op.kind === "prune") {
      const height = model.head().height - op.depth;
      const pruned = stores.blocks.prune(height);
      subject.settle();
      await pruned;
      model.prune(height);
    } else if (op.kind === "settle" || op.kind === "reopen") {
      subject.settle();
      await Promise.all(acknowledged);
      acknowledged = [];
      if (op.kind === "reopen") stores = await subject.reopen(stores);
    }
    model.check(t, stores.blocks);
  }
  subject.settle();
  await Promise.all(acknowledged);
  stores = await subject.reopen(stores);
  model.check(t, stores.blocks);
  await stores.close();
}

function transactionsOf(height: number, blockHash: string, count = 3) {
  const transactionIds = new Uint8Array(count * 32);
  for (let i = 0; i < count; i++) transactionIds.fill(height * 16 + i, i * 32, i * 32 + 32);
  return { blockHash, height, transactionIds };
}

export function storeContract(test: TestFn, subject: StoresUnderTest): void {
  test("any history of commits, forks, reorgs and prunes reads as its model says", async (t) => {
    await fc.assert(
      fc.asyncProperty(ops, (history) => replay(t, subject, history)),
      { numRuns: subject.runs },
    );
  });

  test("a new store holds genesis alone", async (t) => {
    const { blocks, transactions, peers, close } = await subject.open();
    t.deepEqual(blocks.head(), GENESIS.header);
    t.deepEqual(blocks.block(GENESIS.header.hash), GENESIS.bytes);
    t.is(blocks.undo(GENESIS.header.hash), undefined);
    t.is(transactions.indexedHeight(), -1);
    t.deepEqual(peers.records(), []);
    await close();
  });

  test("what a read returns belongs to the caller", async (t) => {
    const stores = await subject.open();
    const block = makeBlock(GENESIS.header, "a");
    const key = bytesOf("k");
    const committed = stores.blocks.commit(extension([block], [{ key, value: bytesOf("v") }]));
    const read = () => [
      stores.blocks.block(block.header.hash)!,
      stores.blocks.undo(block.header.hash)!,
      stores.blocks.state(key)!,
    ];
    const scribble = () => read().forEach((bytes) => bytes.fill(0));
    const before = read();
    scribble();
    t.deepEqual(read(), before);
    subject.settle();
    await committed;
    scribble();
    t.deepEqual(read(), before);
    await stores.close();
  });

  test("blocks are read together up to a number of bytes, the first one always", async (t) => {
    const { blocks, close } = await subject.open();
    const chain: StoredBlock[] = [GENESIS];
    for (const size of [700, 300_000, 700, 700, 700]) {
      chain.push(makeBlock(chain.at(-1)!.header, "r", size));
    }
    const [, one, large, three, four, five] = chain;
    const hashes = chain.slice(1).map(({ header }) => header.hash);
    const read = async (from: number, bytesMax: number, unknown: readonly string[] = []) =>
      blocks.readBlocks([...hashes.slice(from), ...unknown], bytesMax);
    // Some of them durable, some not written yet, and both in one question.
    const durable = blocks.commit(extension([one!, large!]));
    subject.settle();
    await durable;
    const rest = blocks.commit(extension([three!, four!, five!]));
    for (let round = 0; round < 2; round++) {
      t.deepEqual(await read(0, 1), [one!.bytes]);
      t.deepEqual(await read(0, 2_000), [one!.bytes], "the next one is too large");
      t.deepEqual(await read(1, 2_000), [large!.bytes], "the first one always");
      const all = [one, large, three, four, five].map((block) => block!.bytes);
      t.deepEqual(await read(0, 1_000_000, ["0".repeat(64)]), all);
      t.deepEqual(await read(5, 1_000_000, ["0".repeat(64)]), []);
      for (const bytes of await read(1, 1_000_000)) {
        t.is(bytes.buffer.byteLength, bytes.length, "each has a buffer of its own");
        bytes.fill(0);
      }
      t.deepEqual(await read(0, 1_000_000), all, "what is read belongs to the caller");
      subject.settle();
      await rest;
    }
    await close();
  });

  test("a commit that cannot be is refused whole", async (t) => {
    const { blocks, close } = await subject.open();
    const one = makeBlock(GENESIS.header, "1");
    const two = makeBlock(one.header, "2");
    const valid = extension([one]);
    const wrong: ChainCommit[] = [
      { ...valid, canonical: { fromHeight: 0, hashes: [one.header.hash] } },
      { ...valid, canonical: { fromHeight: 2, hashes: [one.header.hash] } },
      { ...valid, canonical: { fromHeight: 1, hashes: [two.header.hash] } },
      { ...extension([one, two]), canonical: { fromHeight: 1, hashes: [two.header.hash] } },
      { ...valid, undo: [{ hash: two.header.hash, bytes: bytesOf("u") }] },
      { ...valid, state: [{ key: new Uint8Array(0), value: bytesOf("v") }] },
      { ...valid, state: [{ key: new Uint8Array(256), value: bytesOf("v") }] },
    ];
    for (const commit of wrong)
      t.throws(() => void blocks.commit(commit), { message: /invariant/ });
    t.false(blocks.has(one.header.hash));
    t.deepEqual(blocks.head(), GENESIS.header);
    blocks.invariants();
    await close();
  });

  test("a transaction is located in the canonical chain, up to the block where the index stands", async (t) => {
    let stores = await subject.open();
    const one = makeBlock(GENESIS.header, "1").header;
    const two = makeBlock(one, "2").header;
    const commit = extension([makeBlock(GENESIS.header, "1"), makeBlock(one, "2")]);
    void stores.blocks.commit(commit);
    const first = transactionsOf(1, one.hash);
    const second = transactionsOf(2, two.hash);
    void stores.transactions.connect(first);
    const connected = stores.transactions.connect(second);
    const idAt = (block: typeof first, i: number) =>
      block.transactionIds.subarray(i * 32, i * 32 + 32);
    const check = () => {
      t.deepEqual(stores.transactions.locate(idAt(first, 0)), { blockHash: one.hash, index: 0 });
      t.deepEqual(stores.transactions.locate(idAt(second, 2)), { blockHash: two.hash, index: 2 });
      t.is(stores.transactions.locate(new Uint8Array(32)), undefined);
      t.is(stores.transactions.indexedHeight(), 2);
    };
    check();
    subject.settle();
    await connected;
    check();
    stores = await subject.reopen(stores);
    check();
    const disconnected = stores.transactions.disconnect(second);
    const standsOn = (height: number, hash: string | undefined) => {
      t.is(stores.transactions.indexedHeight(), height);
      t.is(stores.transactions.indexedHash?.(), hash);
    };
    standsOn(1, one.hash);
    subject.settle();
    await disconnected;
    stores = await subject.reopen(stores);
    standsOn(1, one.hash);
    const again = stores.transactions.connect(second);
    standsOn(2, two.hash);
    const rewound = stores.transactions.rewind?.(-1);
    standsOn(-1, undefined);
    subject.settle();
    await Promise.all([again, rewound]);
    stores = await subject.reopen(stores);
    standsOn(-1, undefined);
    await stores.close();
  });

  test("an index that joined is extended by the commit itself, where it stands at its parent", async (t) => {
    const stores = await subject.open();
    const index = stores.joinIndex();
    const blocks = [makeBlock(GENESIS.header, "1")];
    blocks.push(makeBlock(blocks[0]!.header, "2"));
    const transactions = blocks.map(({ header }) => transactionsOf(header.height, header.hash));
    void stores.blocks.commit({
      ...extension(blocks.slice(0, 1)),
      transactions: [transactions[0]!],
    });
    t.is(index.indexedHeight(), -1, "genesis was not indexed yet");
    void index.connect(transactionsOf(0, GENESIS.header.hash, 0));
    void index.connect(transactions[0]!);
    const durable = stores.blocks.commit({
      ...extension(blocks.slice(1)),
      transactions: transactions.slice(1),
    });
    t.is(index.indexedHash?.(), blocks[1]!.header.hash);
    const other = makeBlock(blocks[0]!.header, "other");
    const moved = stores.blocks.commit({
      ...extension([other]),
      transactions: [transactionsOf(2, other.header.hash)],
    });
    t.is(index.indexedHash?.(), blocks[1]!.header.hash, "an abandoned block, left to be seen");
    subject.settle();
    await Promise.all([durable, moved]);
    await stores.close();
  });

  test("what is kept of peers outlives the process until it is deleted", async (t) => {
    let stores = await subject.open();
    const ban = { untilWallMs: 1e12, reason: "spam – ü", count: 1 };
    const endpoints = [{ address: "tcp://10.0.0.1:8765", readyWallMs: 1e12 }];
    const [peerId, other] = ["ab".repeat(32), "0c".repeat(32)];
    const put = Promise.all([
      stores.peers.put({ peerId, ban }),
      stores.peers.put({ peerId: other, endpoints }),
      stores.peers.put({ peerId, ban: { ...ban, count: 2 }, endpoints }),
      stores.peers.delete(other),
      stores.peers.delete("ff".repeat(32)),
    ]);
    const kept = [{ peerId, ban: { ...ban, count: 2 }, endpoints }];
    t.deepEqual(stores.peers.records(), kept);
    subject.settle();
    await put;
    stores = await subject.reopen(stores);
    t.deepEqual(stores.peers.records(), kept);
    await stores.close();
  });

  test("pages of addresses outlive the process until they are empty", async (t) => {
    let stores = await subject.open();
    t.deepEqual(stores.peers.addresses!.pages(), []);
    const written = [
      stores.peers.addresses!.write([
        { name: "new-1", text: "[1]" },
        { name: "secret", text: "ab" },
      ]),
      stores.peers.addresses!.write([
        { name: "new-1", text: "" },
        { name: "tried-1", text: "[2]" },
      ]),
    ];
    subject.settle();
    await Promise.all(written);
    stores = await subject.reopen(stores);
    const kept = [
      { name: "secret", text: "ab" },
      { name: "tried-1", text: "[2]" },
    ];
    t.deepEqual(stores.peers.addresses!.pages(), kept);
    t.deepEqual(stores.peers.records(), [], "they are no records");
    await stores.close();
  });

  test("pages of the mempool outlive the process until they are deleted", async (t) => {
    let stores = await subject.open();
    t.deepEqual(stores.mempool.names(), []);
    const page = (byte: number) => new Uint8Array(50_000).fill(byte);
    const written = [
      stores.mempool.write([
        { name: "000000000001", bytes: page(1) },
        { name: "000000000002", bytes: page(2) },
      ]),
      stores.mempool.write([
        { name: "000000000001", bytes: undefined },
        { name: "000000000003", bytes: page(3) },
      ]),
    ];
    t.deepEqual(await stores.mempool.read("000000000003"), page(3), "before it is durable");
    subject.settle();
    await Promise.all(written);
    stores = await subject.reopen(stores);
    t.deepEqual([...stores.mempool.names()].sort(), ["000000000002", "000000000003"]);
    t.deepEqual(await stores.mempool.read("000000000002"), page(2));
    t.is(await stores.mempool.read("000000000001"), undefined);
    t.deepEqual(stores.peers.addresses!.pages(), [], "they are no addresses");
    await stores.close();
    await t.throwsAsync(stores.mempool.write([]), { code: "CLOSED" });
  });

  test("closing waits for what was committed, may be repeated, and ends all use", async (t) => {
    const stores = await subject.open();
    let durable = false;
    const committed = stores.blocks
      .commit(extension([makeBlock(GENESIS.header, "1")]))
      .then(() => (durable = true));
    const closed = Promise.all([stores.close(), stores.close(), stores.blocks.close()]);
    subject.settle();
    await closed;
    await committed;
    t.true(durable);
    const empty = { blocks: [], undo: [], state: [] };
    await t.throwsAsync(stores.blocks.commit(empty), { code: "CLOSED" });
    await t.throwsAsync(stores.blocks.prune(1), { code: "CLOSED" });
    await t.throwsAsync(stores.peers.delete("ab"), { code: "CLOSED" });
    t.throws(() => stores.blocks.state(bytesOf("k")), { code: "CLOSED" });
    t.throws(() => stores.blocks.has(GENESIS.header.hash), { code: "CLOSED" });
  });
}
