import test from "ava";
import fc from "fast-check";
import type { Random, Timer } from "../../src/ports.js";
import { openMemoryStores, type MemoryStores } from "../../src/storage/memory-stores.js";
import type { Stores } from "../../src/storage/stores.js";
import { bytesOf, ChainModel, extension, GENESIS, makeBlock } from "./chain-model.js";
import { storeContract } from "./contract.js";

/** Virtual time that moves only when a test says so. */
class ManualClock {
  private nowMs = 0;
  private timers: { atMs: number; callback: () => void }[] = [];

  monotonicMs(): number {
    return this.nowMs;
  }

  wallMs(): number {
    return this.nowMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const timer = { atMs: this.nowMs + delayMs, callback };
    this.timers.push(timer);
    return { cancel: () => void (this.timers = this.timers.filter((other) => other !== timer)) };
  }

  advance(byMs: number): void {
    const untilMs = this.nowMs + byMs;
    for (;;) {
      const due = this.timers.filter(({ atMs }) => atMs <= untilMs);
      const next = due.sort((a, b) => a.atMs - b.atMs)[0];
      if (!next) break;
      this.nowMs = next.atMs;
      this.timers = this.timers.filter((other) => other !== next);
      next.callback();
    }
    this.nowMs = untilMs;
  }
}

const clock = new ManualClock();
const randomOf = (float: number) => ({ float: () => float }) as Random;

storeContract(test, {
  open: () =>
    Promise.resolve(
      openMemoryStores({ genesis: GENESIS, delay: { clock, commitDelayMs: () => 5 } }),
    ),
  // A crash of a machine that has nothing unsynced is the memory's way to be opened again.
  reopen: (stores: Stores) => Promise.resolve((stores as MemoryStores).crash(randomOf(0))),
  settle: () => clock.advance(1_000),
  runs: 200,
});

test("without a clock a commit is durable at once", async (t) => {
  const stores = openMemoryStores({ genesis: GENESIS });
  await stores.blocks.commit(extension([makeBlock(GENESIS.header, "1")]));
  t.is(stores.crash(randomOf(0)).blocks.head().height, 1);
});

test("a crash leaves what was acknowledged and a prefix of the rest", async (t) => {
  const property = fc.asyncProperty(
    fc.array(fc.nat({ max: 12 }), { minLength: 1, maxLength: 20 }),
    fc.double({ min: 0, max: 0.999, noNaN: true }),
    async (pauses, chance) => {
      const ownClock = new ManualClock();
      const delay = { clock: ownClock, commitDelayMs: () => 7 };
      const stores = openMemoryStores({ genesis: GENESIS, delay });
      const model = new ChainModel();
      const snapshots = [model.clone()];
      let acknowledged = 0;
      for (const [step, pauseMs] of pauses.entries()) {
        const key = bytesOf("tip");
        const block = makeBlock(model.head(), "b");
        const commit = extension([block], [{ key, value: bytesOf(String(step)) }]);
        void stores.blocks.commit(commit).then(() => (acknowledged = step + 1));
        model.apply(commit);
        snapshots.push(model.clone());
        ownClock.advance(pauseMs);
        await Promise.resolve();
      }
      await new Promise(setImmediate);
      const { blocks } = stores.crash(randomOf(chance));
      const found = blocks.head().height;
      t.true(found >= acknowledged && found <= pauses.length);
      if (chance === 0) t.is(found, acknowledged);
      snapshots[found]!.check(t, blocks);
    },
  );
  await fc.assert(property, {
    numRuns: 100,
    examples: [
      [[3, 3, 3], 0],
      [[3, 3, 3], 0.999],
    ],
  });
});

test("writes of one instant are kept or lost together", (t) => {
  for (const chance of [0, 0.49, 0.51, 0.99]) {
    const delay = { clock: new ManualClock(), commitDelayMs: () => 5 };
    const stores = openMemoryStores({ genesis: GENESIS, delay });
    const block = makeBlock(GENESIS.header, "1");
    const transactionIds = new Uint8Array(32);
    const { hash: blockHash } = block.header;
    void stores.blocks.commit(extension([block]));
    void stores.transactions.connect({ blockHash, height: 1, transactionIds });
    const after = stores.crash(randomOf(chance));
    const height = chance < 0.5 ? 0 : 1;
    t.is(after.blocks.head().height, height);
    t.is(after.transactions.indexedHeight(), height === 0 ? -1 : 1);
  }
});

test("a crash may come between two turns of one instant, when turns are told apart", (t) => {
  let turn = 0;
  const delay = { clock: new ManualClock(), commitDelayMs: () => 5, turn: () => turn };
  const stores = openMemoryStores({ genesis: GENESIS, delay });
  const block = makeBlock(GENESIS.header, "1");
  void stores.blocks.commit(extension([block]));
  turn++;
  void stores.blocks.commit(extension([makeBlock(block.header, "2")]));
  t.is(stores.crash(randomOf(0.5)).blocks.head().height, 1);
});

test("a store that failed rejects what was pending and all that comes", async (t) => {
  const delay = { clock: new ManualClock(), commitDelayMs: () => 5 };
  const stores = openMemoryStores({ genesis: GENESIS, delay });
  const one = makeBlock(GENESIS.header, "1");
  const pending = stores.blocks.commit(extension([one]));
  stores.fail();
  await t.throwsAsync(pending, { code: "STORE_FAILED" });
  await t.throwsAsync(stores.blocks.commit(extension([makeBlock(one.header, "2")])), {
    code: "STORE_FAILED",
  });
  await t.throwsAsync(stores.peers.delete("ab"), { code: "STORE_FAILED" });
  await stores.close();
});
