// Hostile bytes against a node in a process of its own: every raw socket is closed by the rule it
// breaks, whatever the others do, and the node keeps its memory. How fast is the bench's to say.

import test from "ava";
import { attackNode, type AttackFigures } from "../../bench/lib/hostile-run.js";
import { ATTACK_NAMES, ruleOf } from "../support/attackers.js";
import type { ExecutionContext } from "ava";

const GROWTH_MIB_MAX = 16;
const WARM_UP_BLOCKS = 100;

function standsFirm(t: ExecutionContext, figures: AttackFigures): void {
  t.deepEqual(figures.faults, []);
  t.deepEqual(figures.victim.errors, []);
  t.is(figures.pings.lost, 0);
  t.is(figures.victim.peers, 1, "the honest peer stayed, nobody else");
  if (process.platform === "linux") {
    t.true(figures.growthMiB <= GROWTH_MIB_MAX, `grew by ${figures.growthMiB.toFixed(1)} MiB`);
  }
}

test.serial("attacks that come a few at a time are each ended by their own rule", async (t) => {
  t.timeout(110_000);
  const each = 8;
  const count = each * ATTACK_NAMES.length;
  const plan = { count, concurrent: 32, sources: count };
  const figures = await attackNode({ exemptLocal: true, warmUpBlocks: WARM_UP_BLOCKS, plan });
  standsFirm(t, figures);
  const expected: Record<string, number> = {};
  for (const name of ATTACK_NAMES) expected[ruleOf(name)] = (expected[ruleOf(name)] ?? 0) + each;
  t.deepEqual(figures.rules, expected);
});

test.serial(
  "a thousand attacks at once end by their rules or by the limit before them",
  async (t) => {
    t.timeout(110_000);
    const plan = { count: 1_000, concurrent: 1_000, sources: 1_000 };
    const figures = await attackNode({ exemptLocal: true, warmUpBlocks: WARM_UP_BLOCKS, plan });
    standsFirm(t, figures);
    t.true(figures.rules["pending-limit"]! > 0);
  },
);

test.serial(
  "attacks from one address end by its rate where local ones are not exempt",
  async (t) => {
    t.timeout(110_000);
    const plan = { count: 200, concurrent: 200, sources: 1 };
    const figures = await attackNode({ exemptLocal: false, warmUpBlocks: WARM_UP_BLOCKS, plan });
    standsFirm(t, figures);
    t.true(figures.rules["address-rate"]! > 100);
  },
);
