import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { openLmdbStores } from "../../src/storage/lmdb-environment.js";
import type { StoredBlock } from "../../src/ports.js";
import { extension, GENESIS, makeBlock } from "./chain-model.js";

interface FakeTimer {
  readonly delayMs: number;
  readonly callback: () => void;
  cancelled: boolean;
}

/** Stores whose pauses between groups end when the test says so. */
async function openPaused() {
  const timers: FakeTimer[] = [];
  const setTimer = (delayMs: number, callback: () => void) => {
    const timer = { delayMs, callback, cancelled: false };
    timers.push(timer);
    return { cancel: () => void (timer.cancelled = true) };
  };
  const directory = await mkdtemp(join(tmpdir(), "vibecoin-groups-"));
  const stores = await openLmdbStores({ directory, genesis: GENESIS, clock: { setTimer } });
  const settled: string[] = [];
  const commit = async (name: string, block: StoredBlock) => {
    await stores.blocks.commit(extension([block]));
    settled.push(name);
  };
  const close = async () => {
    await stores.close();
    await rm(directory, { recursive: true });
  };
  return { stores, timers, settled, commit, close };
}

const turn = () => new Promise(setImmediate);

function chain(sizes: readonly number[]): StoredBlock[] {
  const blocks: StoredBlock[] = [];
  for (const size of sizes) {
    blocks.push(makeBlock(blocks.at(-1)?.header ?? GENESIS.header, "b", size));
  }
  return blocks;
}

test("a commit after a quiet time is written at once", async (t) => {
  const { timers, commit, close } = await openPaused();
  const [one, two] = chain([100, 100]);
  await commit("one", one!);
  await commit("two", two!);
  t.deepEqual(timers, []);
  await close();
});

test("commits that arrive during a write wait together, and reads see them all", async (t) => {
  const { stores, timers, settled, commit, close } = await openPaused();
  const blocks = chain([100, 100, 100, 100]);
  const [one, two, three, four] = blocks;
  const first = commit("one", one!);
  await Promise.resolve();
  const rest = [commit("two", two!)];
  await Promise.resolve();
  rest.push(commit("three", three!));
  await first;
  t.deepEqual(settled, ["one"]);
  t.is(timers.length, 1);
  t.is(timers[0]!.delayMs, 50);
  rest.push(commit("four", four!));
  await turn();
  t.deepEqual(settled, ["one"]);
  t.is(stores.blocks.head().height, 4);
  for (const { header, bytes } of blocks) t.deepEqual(stores.blocks.block(header.hash), bytes);
  timers[0]!.callback();
  await Promise.all(rest);
  t.deepEqual(settled, ["one", "two", "three", "four"]);
  t.is(timers.length, 1);
  for (const { header, bytes } of blocks) t.deepEqual(stores.blocks.block(header.hash), bytes);
  stores.blocks.invariants();
  await close();
});

test("a group that is full does not wait for the pause", async (t) => {
  const { stores, timers, settled, commit, close } = await openPaused();
  const [one, two, big, four] = chain([100, 100, 9_000_000, 100]);
  const first = commit("one", one!);
  await Promise.resolve();
  const second = commit("two", two!);
  await first;
  t.is(timers.length, 1);
  const third = commit("big", big!);
  await Promise.resolve();
  t.true(timers[0]!.cancelled);
  const fourth = commit("four", four!);
  await Promise.all([second, third]);
  t.deepEqual(settled, ["one", "two", "big"]);
  t.is(timers.length, 2);
  timers[1]!.callback();
  await fourth;
  stores.blocks.invariants();
  await close();
});

test("a block that was written lately is read while the next ones are written", async (t) => {
  const { stores, settled, commit, close } = await openPaused();
  const [one, big] = chain([100, 9_000_000]);
  await commit("one", one!);
  const second = commit("big", big!);
  // Its group is the writer's from the end of this turn on.
  await turn();
  const [read] = await stores.blocks.readBlocks([one!.header.hash], 1);
  t.deepEqual(read, one!.bytes);
  t.deepEqual(settled, ["one"]);
  await second;
  await close();
});
