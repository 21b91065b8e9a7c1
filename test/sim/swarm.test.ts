import test from "ava";
import { replayOf, SEED_ASKED } from "./support.js";
import { swarmRun } from "./swarm.js";

const SEEDS = 20;

test("everything drawn from the seed: no check fails, and the nodes agree once faults stop", async (t) => {
  const seeds = SEED_ASKED === undefined ? [...Array(SEEDS).keys()] : [SEED_ASKED];
  let blocks = 0;
  for (const seed of seeds) {
    const world = await swarmRun(seed, replayOf("swarm", seed));
    t.log(`seed ${seed}: ${world.nodes.length} nodes, ${world.eventCount} events`);
    blocks += world.blockCount;
  }
  t.true(blocks > 10 * seeds.length);
});
