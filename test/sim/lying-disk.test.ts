import test from "ava";
import { createWorld, SimulationFailed, startFaults } from "../../src/sim/index.js";
import { MemoryKeyValue } from "../../src/storage/memory-key-value.js";

test("a disk that says durable before it is gets found by a crash", async (t) => {
  // This file has a process of its own, so nobody else meets this disk.
  MemoryKeyValue.prototype.durable = () => Promise.resolve();
  const found = async (): Promise<void> => {
    for (let seed = 0; seed < 20; seed++) {
      const world = createWorld({ seed, nodes: 3, commitMs: [100, 1_000] });
      startFaults(world, { crash: { everyMs: [1_000, 5_000] } });
      await world.runFor(30_000);
    }
  };
  await t.throwsAsync(found, { instanceOf: SimulationFailed, message: /lost block .* durable/ });
});
