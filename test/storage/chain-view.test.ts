import test from "ava";
import type { BlockStore, ChainView } from "../../src/ports.js";
import { chainView } from "../../src/storage/chain-view.js";
import { openMemoryStores } from "../../src/storage/memory-stores.js";
import { bytesOf, extension, GENESIS, makeBlock } from "./chain-model.js";

const KEY = bytesOf("account");

test("a view answers as its store does, also of what is committed later", async (t) => {
  const store = openMemoryStores({ genesis: GENESIS }).blocks;
  const view = chainView(store);
  t.is(view.head().hash, GENESIS.header.hash);
  const block = makeBlock(GENESIS.header, "child");
  const { hash } = block.header;
  await store.commit(extension([block], [{ key: KEY, value: bytesOf("12") }]));
  t.deepEqual(view.head(), block.header);
  t.true(view.has(hash));
  t.is(view.hashAt(1), hash);
  t.deepEqual(view.summary(hash), block.header);
  t.deepEqual(view.headerBytes(hash), block.headerBytes);
  t.deepEqual(view.block(hash), block.bytes);
  t.deepEqual(await view.readBlocks?.([hash], 1), [block.bytes]);
  t.deepEqual(view.state(KEY), bytesOf("12"));
  t.is(view.summary("0".repeat(64)), undefined);
});

test("a view has no way to write, nor one to its store, for the compiler and at run time", (t) => {
  const store = openMemoryStores({ genesis: GENESIS }).blocks;
  const view = chainView(store);
  // @ts-expect-error: it lacks what changes a chain.
  const writable: BlockStore = view;
  t.truthy(writable);
  const reading = [
    "block",
    "has",
    "hashAt",
    "head",
    "headerBytes",
    "readBlocks",
    "state",
    "summary",
  ];
  t.deepEqual(Object.keys(view).sort(), reading);
  t.true(Object.isFrozen(view));
  t.is(Object.getPrototypeOf(view), Object.prototype);
});

test("a store that reads only on the loop has a view that says so", (t) => {
  const { blocks } = openMemoryStores({ genesis: GENESIS });
  const plain = Object.assign(Object.create(blocks) as BlockStore, { readBlocks: undefined });
  const view: ChainView = chainView(plain);
  t.false("readBlocks" in view);
});
