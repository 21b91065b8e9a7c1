// A slice of the storm of crashes: fewer nodes and minutes than `vibecoin-node sim --crashes` has.

import test from "ava";
import { crashStorm, simulate } from "../../src/sim/index.js";
import { ACTOR_TYPES } from "../../src/sim/actor-crash.js";
import { replayOf, SEED_ASKED } from "./support.js";

const NODES = 7;
const MINUTES = 3;
/** Nobody brings a protocol of a service's own, and a damaged block is rare. */
const RARE = ["block-repair", "protocol"];

test("each type of actor of each node crashes once a minute: nothing is lost, and all agree", async (t) => {
  const seeds = SEED_ASKED === undefined ? ["slice"] : [SEED_ASKED];
  for (const seed of seeds) {
    const verdict = await simulate(crashStorm(seed, MINUTES, NODES));
    t.deepEqual(verdict.violations, [], replayOf("crash-storm", seed));
    t.log(verdict.events, verdict.actorCrashes);
    for (const type of ACTOR_TYPES.filter((name) => !RARE.includes(name))) {
      t.true((verdict.actorCrashes[type] ?? 0) > 0, type);
    }
  }
});
