import test from "ava";
import { Eclipse } from "../../src/sim/peers/eclipse.js";
import { replayOf, SEED_ASKED } from "./support.js";

/** The whole table, of 200 seeds, is `node scripts/eclipse.mjs 200`. */
const SEEDS = SEED_ASKED === undefined ? ["a", "b", "c"] : [SEED_ASKED];

for (const seed of SEEDS) {
  test(`an attacker with a thousand addresses in four networks does not eclipse a node (${seed})`, async (t) => {
    const world = new Eclipse({ seed, replay: replayOf("eclipse", seed) });
    const { before, after } = await world.run();
    for (const { honest, attackers } of [before, after]) {
      t.true(honest >= 4, `${honest} honest`);
      t.true(attackers <= 4, `${attackers} attackers in four networks`);
    }
  });
}

test("where few others are known each network of the attacker has one outbound slot, and they stay", async (t) => {
  const seed = SEED_ASKED ?? "few";
  const world = new Eclipse({ seed, honest: 5, replay: replayOf("eclipse", seed) });
  for (const { honest, attackers } of Object.values(await world.run())) {
    t.true(honest >= 1, `${honest} honest`);
    t.true(attackers <= 4, `${attackers} attackers in four networks`);
  }
});
