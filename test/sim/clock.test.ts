import test from "ava";
import { createWorld, type LogLine } from "../../src/sim/index.js";
import { replayOf, SEED_ASKED } from "./support.js";

test("a node whose clock is wrong by an hour says so in its status and its log", async (t) => {
  const seed = SEED_ASKED ?? "clock";
  const lines: LogLine[] = [];
  const world = createWorld({
    seed,
    replay: replayOf("clock", seed),
    nodes: 4,
    onLog: (line) => lines.push(line),
  });
  await world.converge(20_000);
  for (const { network } of world.nodes) {
    const { clock } = await world.settled(network.status());
    t.is(clock.wrong, null);
    if (clock.offsetMs !== null) t.true(Math.abs(clock.offsetMs) < 2_000, `${clock.offsetMs} ms`);
  }
  const wrong = world.nodes[3]!;
  wrong.jumpClock(-3_600_000);
  await world.runFor(35_000);
  const { clock } = await world.settled(wrong.network.status());
  t.true(clock.told >= 1);
  t.regex(clock.wrong!, /^this node's clock is 3600 s behind .* set the time \(NTP\)$/);
  const warned = lines.filter(({ event }) => event === "the clock is wrong");
  t.deepEqual([...new Set(warned.map(({ node }) => node))], [wrong.name]);
  t.is(warned.length, 1);
  wrong.jumpClock(0);
  t.is((await world.settled(wrong.network.status())).clock.wrong, null);
});
