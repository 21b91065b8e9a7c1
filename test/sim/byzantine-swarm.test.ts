import test from "ava";
import { byzantineSwarmRun } from "./byzantine-swarm.js";
import { replayOf, SEED_ASKED } from "./support.js";

const SEEDS = 20;

test("among byzantine nodes of every kind, with faults, honest ones agree and ban each other never", async (t) => {
  const seeds = SEED_ASKED === undefined ? [...Array(SEEDS).keys()] : [SEED_ASKED];
  let bans = 0;
  let blocks = 0;
  for (const seed of seeds) {
    const world = await byzantineSwarmRun(seed, replayOf("byzantine-swarm", seed));
    const scripts = world.byzantine.map(({ script }) => script).join(", ");
    t.log(
      `seed ${seed}: ${world.nodes.length} nodes against ${scripts}: ${world.bans.length} bans`,
    );
    bans += world.bans.length;
    blocks += world.blockCount;
  }
  t.true(blocks > 5 * seeds.length);
  if (SEED_ASKED === undefined) t.true(bans > seeds.length);
});
