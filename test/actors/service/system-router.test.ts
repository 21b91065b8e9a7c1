import test from "ava";
import { systemRouter } from "../../../src/actors/service/system-router.js";
import type { ConsensusMessage } from "../../../src/actors/integration/consensus-integration.js";
import type { MempoolMessage } from "../../../src/actors/integration/mempool-integration.js";
import type {
  StorageMessage,
  TransactionLocated,
} from "../../../src/actors/integration/storage-integration.js";
import type { MempoolTransaction } from "../../../src/ports.js";
import { createHarness, refusing } from "../support.js";

function start() {
  const harness = createHarness();
  const consensus = harness.probe<ConsensusMessage>();
  const mempool = harness.probe<MempoolMessage>();
  const storage = harness.probe<StorageMessage>(undefined, 2);
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
