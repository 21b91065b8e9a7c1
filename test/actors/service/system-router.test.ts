import test from "ava";
import {
  systemRouter,
  type SystemRouterMessage,
} from "../../../src/actors/service/system-router.js";
import type { ConsensusMessage } from "../../../src/actors/integration/consensus-integration.js";
import type { MempoolMessage } from "../../../src/actors/integration/mempool-integration.js";
import type {
  StorageMessage,
  TransactionLocated,
} from "../../../src/actors/integration/storage-integration.js";
import type { SubsystemFigures } from "../../../src/actors/service/subsystem.js";
import type { MempoolTransaction } from "../../../src/ports.js";
import { defineActor, NO_DEADLINE, type AskOutcome } from "../../../src/runtime/actor.js";
import { createHarness, refusing, type HarnessOptions, type Probe } from "../support.js";

function start(options: HarnessOptions = {}, onStorage?: () => void) {
  const harness = createHarness(options);
  const consensus = harness.probe<ConsensusMessage>();
  const mempool = harness.probe<MempoolMessage>();
  const storage = harness.probe<StorageMessage>(onStorage, 2);
  const targets = { consensus: consensus.ref, mempool: mempool.ref, storage: storage.ref };
  const router = harness.spawn(systemRouter, targets);
  return { ...harness, consensus, mempool, storage, router };
}

const locate = (id: string): StorageMessage => ({
  type: "LocateTransaction",
  id,
  replyTo: refusing<TransactionLocated>(),
});

test("each message goes to the subsystem it names", async (t) => {
  const { router, consensus, mempool, storage, settle } = start();
  router.tell({ to: "consensus", message: { type: "Pruned" } });
  const replyTo = refusing<readonly MempoolTransaction[]>();
  router.tell({ to: "mempool", message: { type: "SelectTransactions", bytesMax: 1, replyTo } });
  router.tell({ to: "storage", message: locate("1") });
  await settle();
  t.deepEqual(
    [consensus, mempool, storage].map((probe) => (probe.last as { type: string }).type),
    ["Pruned", "SelectTransactions", "LocateTransaction"],
  );
});

test("a busy subsystem gets everything in order later, and nobody else waits", async (t) => {
  const harness = start();
  await harness.settle();
  harness.scheduler.hold(harness.storage.ref.path);
  for (let i = 0; i < 6; i++) harness.router.tell({ to: "storage", message: locate(`${i}`) });
  harness.router.tell({ to: "consensus", message: { type: "Pruned" } });
  await harness.settle();
  t.is(harness.consensus.received.length, 1);
  harness.scheduler.release(harness.storage.ref.path);
  await harness.settle();
  t.deepEqual(
    harness.storage.of("LocateTransaction").map(({ id }) => id),
    ["0", "1", "2", "3", "4", "5"],
  );
});

const SETTINGS = { slowMs: 1_000, failuresMax: 3, restMinMs: 500, restMaxMs: 2_000, heldMax: 16 };

/** Asks as handlers do, and keeps how each question ended. */
function asking(harness: ReturnType<typeof start>) {
  const ends: string[] = [];
  const shown = (outcome: AskOutcome<unknown>): string =>
    outcome.ok ? "answered" : outcome.reason;
  type Question = "locate" | "select" | "size" | "connect";
  const message = (what: Question, replyTo: never): SystemRouterMessage => {
    if (what === "locate") {
      return { to: "storage", message: { type: "LocateTransaction", id: "a", replyTo } };
    }
    if (what === "size") return { to: "mempool", message: { type: "GetSize", replyTo } };
    if (what === "connect") {
      return {
        to: "consensus",
        message: { type: "Connect", tag: 1, blocks: [], replyTo } as never,
      };
    }
    return { to: "mempool", message: { type: "SelectTransactions", bytesMax: 1, replyTo } };
  };
  type Script = { readonly what: Question } | { readonly end: string };
  const asker = harness.system.spawn(
    defineActor<null, Script, null, unknown>({
      name: "asker",
      mailbox: { dataMax: 1_000, controlMax: 1, overflow: "reject" },
      onFault: { kind: "stop" },
      init: () => null,
      receive(_state, script, context) {
        if ("end" in script) {
          ends.push(script.end);
          return;
        }
        context.ask<SystemRouterMessage, unknown>(
          harness.router,
          (replyTo) => message(script.what, replyTo as never),
          NO_DEADLINE,
          (outcome) => ({ end: `${script.what} ${shown(outcome)}` }),
        );
      },
    }),
    null,
    { name: "asks" },
  );
  return {
    /** Those that ended since the last call. */
    ends: (): string[] => ends.splice(0),
    ask: async (what: Question, times = 1): Promise<void> => {
      for (let i = 0; i < times; i++) asker.tell({ what });
      await harness.settle();
    },
  };
}

async function figuresOf(harness: ReturnType<typeof start>, name: string) {
  const asker = harness.probe<readonly SubsystemFigures[]>();
  harness.router.tell({ to: "router", message: { type: "GetSubsystems", replyTo: asker.ref } });
  await harness.settle();
  return asker.last!.find((figures) => figures.name === name)!;
}

/** Answers all that the probe was asked and has not answered. */
function answer(probe: Probe<MempoolMessage> | Probe<StorageMessage>): void {
  for (const message of probe.take()) {
    if ("replyTo" in message) (message.replyTo as { tell(value: unknown): boolean }).tell({});
  }
}

test("a store that takes its time is asked no more for a while, and others are not concerned", async (t) => {
  const harness = start({ config: { subsystems: SETTINGS } });
  const { ask, ends } = asking(harness);
  for (let i = 0; i < 3; i++) {
    await ask("locate");
    await harness.advance(200);
  }
  await harness.advance(1_000);
  t.is((await figuresOf(harness, "storage")).state, "open");
  t.deepEqual(ends(), [], "nobody who waits is told anything");
  await ask("locate", 5);
  t.deepEqual(ends(), new Array(5).fill("locate refused"));
  await ask("size");
  answer(harness.mempool);
  await harness.settle();
  t.deepEqual(ends(), ["size answered"]);
  t.like(await figuresOf(harness, "storage"), { refused: { open: 5 }, late: 3, routed: 3 });
  t.deepEqual(
    harness.log.map(({ level, event, fields }) => [level, event, fields["subsystem"]]),
    [["warn", "a subsystem does not answer", "storage"]],
  );
  // One question tries it.
  await harness.advance(500);
  await ask("locate", 2);
  t.deepEqual(ends(), ["locate refused"]);
  answer(harness.storage);
  await harness.settle();
  t.deepEqual(ends().length, 4, "those that were late are answered all the same");
  t.like(await figuresOf(harness, "storage"), { state: "closed" });
  t.is(harness.log.at(-1)?.event, "a subsystem answers again");
  await ask("locate", 2);
  t.is(harness.storage.received.length, 2);
});

test("a try that is late too doubles the rest, and what is late for good holds up nothing", async (t) => {
  const harness = start({ config: { subsystems: SETTINGS } });
  const { ask, ends } = asking(harness);
  for (let i = 0; i < 3; i++) {
    await ask("locate");
    await harness.advance(200);
  }
  await harness.advance(1_600);
  await ask("locate");
  await harness.advance(1_000);
  t.is((await figuresOf(harness, "storage")).state, "open");
  await harness.advance(900);
  await ask("locate");
  t.deepEqual(ends(), ["locate refused"]);
  await harness.advance(200);
  await ask("locate");
  t.is((await figuresOf(harness, "storage")).state, "half-open");
});

test("questions that take as long as the chain takes are no sign of anything", async (t) => {
  const harness = start({ config: { subsystems: SETTINGS } });
  const { ask, ends } = asking(harness);
  for (let i = 0; i < 10; i++) {
    await ask("connect");
    await ask("select");
    await harness.advance(2_000);
  }
  t.deepEqual(ends(), []);
  t.is((await figuresOf(harness, "consensus")).state, "closed");
  t.is((await figuresOf(harness, "mempool")).state, "closed");
  t.is(harness.consensus.received.length, 10);
});

test("what has no answer because its actor went away is counted", async (t) => {
  const harness = start({ config: { subsystems: SETTINGS } });
  const { ask, ends } = asking(harness);
  for (let i = 0; i < 3; i++) {
    await ask("size");
    await harness.advance(200);
  }
  harness.mempool.stop();
  await harness.settle();
  t.deepEqual(ends(), new Array(3).fill("size stopped"));
  t.like(await figuresOf(harness, "mempool"), { state: "absent", failed: 3 });
});

test("what is gone refuses at once whoever asks it, or waits for it", async (t) => {
  const harness = start({ config: { subsystems: SETTINGS } }, () => {
    throw new Error("it is broken");
  });
  harness.expectFault(harness.storage.ref);
  const { ask, ends } = asking(harness);
  await harness.settle();
  harness.scheduler.hold(harness.storage.ref.path);
  await ask("locate", 5);
  t.like(await figuresOf(harness, "storage"), { routed: 2, held: 3, waiting: 3 });
  harness.scheduler.release(harness.storage.ref.path);
  await harness.settle();
  t.deepEqual(
    ends().toSorted(),
    ["crashed", "refused", "refused", "refused", "stopped"].map((end) => `locate ${end}`),
  );
  await ask("locate");
  t.deepEqual(ends(), ["locate refused"]);
  t.like(await figuresOf(harness, "storage"), { waiting: 0, refused: { absent: 4 } });
  await ask("size");
  answer(harness.mempool);
  await harness.settle();
  t.deepEqual(ends(), ["size answered"]);
});

test("so much waits for a busy subsystem, and what is beyond it is refused", async (t) => {
  const harness = start({ config: { subsystems: SETTINGS } });
  const { ask, ends } = asking(harness);
  await harness.settle();
  harness.scheduler.hold(harness.storage.ref.path);
  await ask("locate", 20);
  t.deepEqual(ends(), ["locate refused", "locate refused"]);
  t.like(await figuresOf(harness, "storage"), { waiting: 16, refused: { full: 2 } });
});
