import test from "ava";
import type { HeaderSummary } from "../../src/types/chain.js";
import { Propagation } from "../../src/sim/propagation.js";

function block(hash: string, height: number): HeaderSummary {
  const none = { previousHash: "", timestampMs: 0, difficulty: 1n, totalDifficulty: 1n };
  return { hash, height, ...none };
}

test("delays count from the first store, and blocks that met a rival count apart", (t) => {
  const propagation = new Propagation();
  t.deepEqual(propagation.times(), { p50Ms: 0, p95Ms: 0, p99Ms: 0 });
  propagation.stored("n0", block("a", 1), 1_000);
  for (let node = 1; node <= 100; node++) {
    propagation.stored(`n${node}`, block("a", 1), 1_000 + node);
    propagation.stored(`n${node}`, block("a", 1), 90_000);
  }
  t.deepEqual(propagation.times(), { p50Ms: 50, p95Ms: 95, p99Ms: 99 });
  t.is(propagation.racesCount, 0);
  propagation.stored("n0", block("b", 2), 2_000);
  propagation.stored("n1", block("c", 2), 2_001);
  for (let node = 0; node < 900; node++) propagation.stored(`n${node}`, block("b", 2), 7_000);
  t.is(propagation.times().p50Ms, 5_000);
  t.deepEqual(propagation.unrivalledTimes(), { p50Ms: 50, p95Ms: 95, p99Ms: 99 });
  t.is(propagation.racesCount, 1);
});
