import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { fileURLToPath } from "node:url";
import test from "ava";
import { drawSwarm, formatDelivery, simulate } from "../../src/sim/index.js";
import { replayOf, SEED_ASKED, splitAndCrash } from "./support.js";

const seed = SEED_ASKED ?? "split";
const replay = replayOf("determinism", seed);

test("five nodes agree after a split and a crash, and one seed is one run", async (t) => {
  const lines: string[] = [];
  const first = await splitAndCrash({
    seed,
    replay,
    onDelivery: (delivery) => void lines.push(formatDelivery(delivery)),
  });
  const heads = new Set(first.world.nodes.map((node) => node.head().hash));
  t.is(heads.size, 1, "all five have one head");
  t.true(first.reorgDepthMax >= 2, "the minority abandoned blocks of its own");
  t.true(first.world.nodes[0]!.head().height > 15);
  t.is(lines.length, first.world.eventCount);
  t.true(lines.some((line) => line.includes("/n3/network/consensus Connect{blocks: [")));

  const again = await splitAndCrash({ seed, replay });
  t.is(again.world.traceHash, first.world.traceHash);
  const other = await splitAndCrash({ seed: `not ${seed}`, replay });
  t.not(other.world.traceHash, first.world.traceHash);
});

test("another process has the same trace", async (t) => {
  const support = new URL("./support.js", import.meta.url).href;
  const script = `
    import { splitAndCrash } from ${JSON.stringify(support)};
    const { world } = await splitAndCrash({ seed: ${JSON.stringify(seed)} });
    process.stdout.write(world.traceHash);`;
  const run = promisify(execFile);
  const flags = ["--input-type=module", "--eval", script];
  const { stdout } = await run(process.execPath, flags, {
    cwd: fileURLToPath(new URL(".", import.meta.url)),
  });
  const here = await splitAndCrash({ seed, replay });
  t.is(stdout, here.world.traceHash);
});

test("what else runs in the process, before or at the same time, changes no trace", async (t) => {
  // Actors crash in them, and what is known of an error must not depend on who ran the world.
  const seeds = ["7", "0", "3", "15"];
  const traceOf = async (one: string) => (await simulate(drawSwarm(one))).traceHash;
  const alone: string[] = [];
  for (const one of seeds) alone.push(await traceOf(one));
  const together = await Promise.all([traceOf("8"), ...seeds.map(traceOf)]);
  t.deepEqual(together.slice(1), alone);
});
