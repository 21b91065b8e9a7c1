import test from "ava";
import { createWorld, type World } from "../../src/sim/index.js";
import { brokenLinks, quietLinks } from "../../src/sim/quiet.js";
import { replayOf, SEED_ASKED } from "./support.js";

const QUIET_MS = 90_000;

function worldOf(own: string, options: { readonly latencyMs: number }): World {
  const seed = SEED_ASKED ?? own;
  const [soon, late] = [
    { liveness: { pingIntervalMs: 3_000, deadAfterMs: 8_000 } },
    { liveness: { pingIntervalMs: 7_000, deadAfterMs: 20_000 } },
  ];
  const replay = replayOf("quiet", seed);
  const configs = own === "standstill" ? [soon, late, late] : [];
  const links = { jitterMs: 0, ...options };
  return createWorld({ seed, replay, nodes: 3, producers: 0, links, configs });
}

for (const latencyMs of [5, 31, 400]) {
  test(`links without news hold, ${latencyMs} ms one way`, async (t) => {
    const world = worldOf(`quiet ${latencyMs}`, { latencyMs });
    await world.runFor(5_000);
    await t.notThrowsAsync(quietLinks(world, QUIET_MS));
  });
}

test("a node that stood still for longer than it waits for others drops none of them", async (t) => {
  const world = worldOf("standstill", { latencyMs: 40 });
  await world.runFor(5_000);
  await t.notThrowsAsync(quietLinks(world, 1_000));
});

test("links that break come back soon, though dials failed for long before", async (t) => {
  const world = worldOf("broken", { latencyMs: 40 });
  world.partition([["n0"], ["n1"], ["n2"]]);
  await world.runFor(120_000);
  world.heal();
  await world.connectKnown(30_000);
  await t.notThrowsAsync(brokenLinks(world));
});
