import test from "ava";
import { blockProducer } from "../../../src/actors/integration/block-producer.js";
import type { ChainChanged } from "../../../src/actors/integration/chain-events.js";
import type { ConsensusMessage } from "../../../src/actors/integration/consensus-integration.js";
import type { EventBusMessage } from "../../../src/actors/events/event-bus.js";
import type { BlockHandlerMessage } from "../../../src/actors/handlers/block-handler-state.js";
import type { SystemRouterMessage } from "../../../src/actors/service/system-router.js";
import { CodedError } from "../../../src/errors.js";
import type { MempoolTransaction, SealJob, WorkerPool } from "../../../src/ports.js";
import { packBytes } from "../../../src/bytes/packed.js";
import { genesisHeader } from "../../../src/chain/networks.js";
import {
  makeChain,
  makeKey,
  makeTransaction,
  testParams,
  transactionId,
} from "../../support/chain.js";
import {
  checkedBlocks,
  connectAll,
  createHarness,
  genesis,
  type HarnessOptions,
} from "../support.js";

const key = makeKey(1);
const bytes = makeTransaction(key, 0);
const transaction: MempoolTransaction = { id: transactionId(bytes), bytes };

interface StartOptions extends HarnessOptions {
  /** What the mempool answers with; undefined: it never answers. */
  readonly selected?: readonly MempoolTransaction[] | undefined;
}

function start(options: StartOptions = {}) {
  const harness = createHarness(options);
  const selected = "selected" in options ? options.selected : [transaction];
  const consensus = harness.probe<ConsensusMessage>();
  const events = harness.probe<EventBusMessage>();
  const blocks = harness.probe<BlockHandlerMessage>();
  const system = harness.probe<SystemRouterMessage>((sent) => {
    if (sent.to !== "mempool" || sent.message.type !== "SelectTransactions") return;
    if (selected === undefined) return;
    sent.message.replyTo.tell(selected);
  });
  const ref = harness.spawn(blockProducer, {
    consensus: consensus.ref,
    system: system.ref,
    blockHandler: blocks.ref,
    events: events.ref,
  });
  const change = (): ChainChanged => ({
    type: "ChainChanged",
    disconnected: [],
    connected: [],
    head: harness.stores.blocks.head(),
  });
  return { ...harness, ref, consensus, events, system, blocks, change };
}

type Bench = ReturnType<typeof start>;

/** The last block that was produced, as the pool finds it. */
async function produced(harness: Bench) {
  const [last] = harness.blocks.of("Produced").slice(-1);
  if (last === undefined) return undefined;
  const head = harness.stores.blocks.head();
  return harness.env.workers.validateBlocks({
    blocks: packBytes([last.block]),
    parentHeader: harness.stores.blocks.headerBytes(head.hash)!,
    nowMs: harness.clock.wallMs(),
  });
}

test("it follows the chain and the state of sync", async (t) => {
  const harness = start();
  await harness.settle();
  t.like(harness.consensus.received, [{ type: "Subscribe" }]);
  t.deepEqual(harness.events.of("Subscribe")[0]?.types, [
    "SyncStarted",
    "SyncProgressed",
    "SyncFinished",
    "SyncFailed",
  ]);
});

test("it produces a valid block on the head with what the mempool selected", async (t) => {
  const harness = start();
  await harness.advance(0);
  const verdict = await produced(harness);
  t.is(verdict?.fault, undefined);
  const [block] = verdict!.accepted;
  t.is(block?.header.previousHash, genesis.header.hash);
  t.is(block?.transactionCount, 1);
  t.is(harness.system.received[0]?.to, "mempool");
});

test("the next block is due an interval after the head, and no earlier", async (t) => {
  const harness = start({ config: { producer: { intervalMs: 5_000 } } });
  await harness.advance(0);
  const first = await produced(harness);
  connectAll(harness.stores.blocks, first!.accepted);
  harness.ref.tell(harness.change());
  await harness.advance(4_999);
  t.is(harness.blocks.of("Produced").length, 1);
  await harness.advance(1);
  t.is(harness.blocks.of("Produced").length, 2);
  t.is((await produced(harness))?.accepted[0]?.header.height, 2);
});

test("a head from a clock that runs ahead holds it up for one interval at most", async (t) => {
  const env = {
    clock: createHarness().clock.view({ startWallMs: genesisHeader(testParams).timestampMs - 1e9 }),
  };
  const harness = start({ config: { producer: { intervalMs: 3_000 } } });
  Object.assign(harness.env, {
    clock: harness.clock.view({ startWallMs: env.clock.wallMs() }),
  });
  await harness.advance(2_999);
  t.is(harness.system.received.length, 0);
  await harness.advance(1);
  t.is(harness.system.received.length, 1);
});

test("without transactions it waits, when empty blocks are switched off", async (t) => {
  const config = { producer: { emptyBlocks: false, intervalMs: 1_000 } };
  const harness = start({ config, selected: [] });
  await harness.advance(10_500);
  t.is(harness.blocks.received.length, 0);
  t.is(harness.system.received.length, 11);
  const willing = start({ selected: [] });
  await willing.advance(0);
  t.is(willing.blocks.of("Produced").length, 1);
});

test("while a sync makes progress it produces nothing, and takes up again afterwards", async (t) => {
  for (const end of [
    { type: "SyncFinished", height: 0, headHash: "" },
    { type: "SyncFailed", peerId: "", reason: "" },
  ] as const) {
    const harness = start();
    harness.ref.tell({ type: "SyncStarted", strategy: "full", fromHeight: 0, peerId: "" });
    for (const { header } of makeChain(10)) {
      await harness.advance(4_000);
      const change = {
        type: "ChainChanged",
        disconnected: [],
        connected: [],
        head: header,
      } as const;
      const { height } = header;
      harness.ref.tell(change);
      harness.ref.tell({ type: "SyncProgressed", height, targetHeight: 10, transactionCount: 0 });
    }
    t.is(harness.blocks.received.length, 0);
    harness.ref.tell(end);
    await harness.advance(0);
    t.is(harness.blocks.of("Produced").length, 1);
  }
});

test("a sync that waits for blocks that never come does not keep it from producing", async (t) => {
  const harness = start();
  harness.ref.tell({ type: "SyncStarted", strategy: "full", fromHeight: 0, peerId: "" });
  await harness.advance(4_000);
  t.is(harness.blocks.received.length, 0);
  await harness.advance(2_000);
  t.is(harness.blocks.of("Produced").length, 1);
});

test("a search that found nothing goes on at the next nonce", async (t) => {
  const jobs: { nonceStart: bigint; attempts: number }[] = [];
  const base = createHarness().env.workers;
  const workers: WorkerPool = {
    ...base,
    seal: (job) => {
      jobs.push({ nonceStart: job.nonceStart, attempts: job.attempts });
      return jobs.length < 4 ? Promise.resolve(undefined) : base.seal(job);
    },
  };
  const harness = start({ env: { workers } });
  await harness.advance(0);
  t.true(jobs.length >= 4);
  t.is(jobs[0]!.attempts, harness.config.producer.attemptsPerTask);
  for (const [index, { nonceStart, attempts }] of jobs.slice(0, -1).entries()) {
    t.is(jobs[index + 1]!.nonceStart, nonceStart + BigInt(attempts));
  }
  t.is((await produced(harness))?.fault, undefined);
});

test("rules that have no seal yet, and say so at once, are asked ever more rarely", async (t) => {
  let asked = 0;
  const workers: WorkerPool = {
    ...createHarness().env.workers,
    seal: () => {
      if (++asked > 5_000) throw new Error("a busy loop");
      return Promise.resolve(undefined);
    },
  };
  const harness = start({ env: { workers } });
  await harness.advance(20_000);
  t.true(asked > 20 && asked < 500, `${asked} times in 20 s`);
});

test("a search that takes its time is given the nonces it was given before", async (t) => {
  const attempts: number[] = [];
  const harness = start();
  Object.assign(harness.env, {
    workers: {
      ...harness.env.workers,
      seal: (job: SealJob) =>
        new Promise((resolve) => {
          attempts.push(job.attempts);
          harness.clock.setTimer(5, () => resolve(undefined));
        }),
    },
  });
  await harness.advance(1_000);
  t.true(attempts.length > 100);
  t.deepEqual(new Set(attempts), new Set([harness.config.producer.attemptsPerTask]));
});

test("a new head voids the search on the old one", async (t) => {
  const base = createHarness().env.workers;
  const answers: (() => void)[] = [];
  const workers: WorkerPool = {
    ...base,
    seal: (job) => new Promise((resolve) => answers.push(() => resolve(base.seal(job)))),
  };
  const harness = start({ env: { workers }, config: { producer: { intervalMs: 1_000 } } });
  await harness.advance(0);
  t.is(answers.length, 1);
  connectAll(harness.stores.blocks, checkedBlocks([]));
  harness.ref.tell(harness.change());
  await harness.settle();
  answers[0]!();
  await harness.settle();
  t.is(harness.blocks.received.length, 0);
});

test("an old template is built anew", async (t) => {
  const base = createHarness().env.workers;
  const times: Uint8Array[] = [];
  const workers: WorkerPool = {
    ...base,
    seal: (job) => {
      times.push(job.header);
      return new Promise(() => undefined);
    },
  };
  const harness = start({ env: { workers } });
  await harness.advance(2_000);
  t.is(times.length, 2);
  t.notDeepEqual(times[0], times[1]);
});

test("when the pool is full it tries again a little later", async (t) => {
  const base = createHarness().env.workers;
  let refusals = 2;
  const workers: WorkerPool = {
    ...base,
    seal: (job) =>
      refusals-- > 0
        ? Promise.reject(new CodedError("QUEUE_FULL", "The pool is full."))
        : base.seal(job),
  };
  const harness = start({ env: { workers } });
  await harness.advance(499);
  t.is(harness.blocks.received.length, 0);
  await harness.advance(1);
  t.is(harness.blocks.of("Produced").length, 1);
});

test("when the mempool does not answer it asks again", async (t) => {
  const harness = start({ selected: undefined });
  await harness.advance(1_000);
  t.is(harness.system.received.length, 5);
});

test("a block that did not become the head does not end the production", async (t) => {
  const harness = start();
  await harness.advance(0);
  t.is(harness.blocks.of("Produced").length, 1);
  await harness.advance(2_000);
  t.is(harness.blocks.of("Produced").length, 2);
});
