import test from "ava";
import { drawSwarm, simulate } from "../../src/sim/index.js";
import { replayOf, SEED_ASKED } from "./support.js";

const SEEDS = 20;

test("everything drawn from the seed: no check fails, and the nodes agree once faults stop", async (t) => {
  const seeds = SEED_ASKED === undefined ? [...Array(SEEDS).keys()] : [SEED_ASKED];
  let blocks = 0;
  for (const seed of seeds) {
    const verdict = await simulate(drawSwarm(seed));
    t.log(`seed ${seed}: ${verdict.nodes} nodes, ${verdict.events} events`);
    t.deepEqual(verdict.violations, [], replayOf("swarm", seed));
    blocks += verdict.blocks;
  }
  t.true(blocks > 10 * seeds.length);
});
