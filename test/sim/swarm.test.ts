import test from "ava";
import { resolveConfig } from "../../src/config.js";
import { drawSwarm, simulate } from "../../src/sim/index.js";
import { replayOf, SEED_ASKED } from "./support.js";

const SEEDS = 20;
const DRAWN = 300;

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

test("no draw asks for more headers a second than an honest peer far away can bring", (t) => {
  const worlds = [...Array(DRAWN).keys()].map((seed) => drawSwarm(seed));
  const limited = worlds.filter(({ config }) => config?.sync !== undefined);
  t.true(limited.length > DRAWN / 4);
  for (const { seed, links, config } of limited) {
    const { latencyMs = 0, jitterMs = 0, regions } = links!;
    const farthestMs = Math.max(0, ...(regions?.oneWayMs.flat() ?? []));
    const roundTripSeconds = (2 * (latencyMs + jitterMs + farthestMs)) / 1_000;
    const { headersPerRequest, headersPerSecondMin } = resolveConfig(config).sync;
    const brought = headersPerRequest / roundTripSeconds;
    t.true(brought >= headersPerSecondMin, `seed ${seed}: ${brought} headers a second`);
    // A branch grows by a block a second at most.
    t.true(brought >= 4, `seed ${seed}: ${brought} headers a second`);
  }
});

test("in some worlds nodes dial whom peers tell of, with slots for all and no quiet", (t) => {
  const worlds = [...Array(DRAWN).keys()].map((seed) => drawSwarm(seed));
  const open = worlds.filter(({ config }) => config?.dial?.onlyConfigured === false);
  t.true(open.length > DRAWN / 6 && open.length < DRAWN / 3, `${open.length}`);
  for (const { nodes, byzantine = [], config, quietMs } of open) {
    t.is(quietMs, 0);
    const { maxOutbound } = resolveConfig(config);
    t.true(byzantine.length > 0 || maxOutbound >= nodes - 1);
  }
});
