import test from "ava";
import { EarlyDrop } from "../../../src/actors/service/early-drop.js";
import { seededRandom } from "../../../src/runtime/random.js";

const SETTINGS = { dropFrom: 100, dropAll: 200 };
const TICK_MS = 10;

/** A queue that is emptied at a rate, and what became of what came at another one. */
function simulated(seed: string) {
  const drop = new EarlyDrop(SETTINGS);
  const random = seededRandom(seed);
  let nowMs = 0;
  let waiting = 0;
  return {
    drop,
    get waiting() {
      return waiting;
    },
    get nowMs() {
      return nowMs;
    },
    run: (seconds: number, perSecond: number, servedPerSecond: number) => {
      let dropped = 0;
      let most = 0;
      for (let tick = 0; tick < (seconds * 1_000) / TICK_MS; tick++) {
        nowMs += TICK_MS;
        for (let i = 0; i < (perSecond * TICK_MS) / 1_000; i++) {
          if (drop.drops(waiting, random)) dropped++;
          else waiting++;
          most = Math.max(most, waiting);
        }
        waiting = Math.max(0, waiting - (servedPerSecond * TICK_MS) / 1_000);
        drop.look(waiting, nowMs);
      }
      return { dropped, part: dropped / (perSecond * seconds), most };
    },
  };
}

test("what is dealt with as it comes loses nothing", (t) => {
  const { run, drop } = simulated("calm");
  t.is(run(20, 1_000, 1_000).dropped, 0);
  t.is(drop.droppedPart(20_000), 0);
});

test("a burst that is soon dealt with loses nothing below the bound", (t) => {
  const queue = simulated("burst");
  t.is(queue.run(1, 100, 1_000).dropped, 0);
  t.is(queue.run(0.01, 19_000, 0).dropped, 0, "190 at once");
  t.is(queue.run(5, 100, 1_000).dropped, 0);
});

for (const times of [2, 10]) {
  test(`at ${times} times the rate that is served, as many are dropped as must be, and the rest waits little`, (t) => {
    const queue = simulated(`overload ${times}`);
    queue.run(10, 1_000 * times, 1_000);
    const { part, most } = queue.run(60, 1_000 * times, 1_000);
    const must = 1 - 1 / times;
    t.true(Math.abs(part - must) < 0.02, `${part} of ${must}`);
    t.true(most <= SETTINGS.dropAll, `${most} waited`);
    const told = queue.drop.droppedPart(queue.nowMs);
    t.true(Math.abs(told - must) < 0.05, `${told} is told`);
  });
}

test("when the flood is over, so is dropping, and soon the told ratio", (t) => {
  const queue = simulated("over");
  queue.run(20, 10_000, 1_000);
  queue.run(0.5, 0.0001, 1_000);
  t.is(queue.run(10, 900, 1_000).dropped, 0);
  t.true(queue.drop.droppedPart(queue.nowMs) < 0.01);
  t.is(queue.drop.droppedPart(queue.nowMs + 60_000), 0, "nor is it told of when nothing comes");
});

test("one chance makes one choice", (t) => {
  const first = simulated("same").run(10, 3_000, 1_000);
  t.deepEqual(simulated("same").run(10, 3_000, 1_000), first);
});
