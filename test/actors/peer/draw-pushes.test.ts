import test from "ava";
import fc from "fast-check";
import { drawPushes } from "../../../src/actors/peer/draw-pushes.js";
import { seededRandom } from "../../../src/runtime/random.js";

const DRAWS = 4_000;

/** How often each of `count` peers is among the pushed, with these delays. */
function shares(count: number, pushes: number, delayMsOf: (peer: number) => number | undefined) {
  const random = seededRandom("pushes");
  const drawn = new Array<number>(count).fill(0);
  for (let i = 0; i < DRAWS; i++) {
    const order = Array.from({ length: count }, (_, peer) => peer);
    drawPushes(order, pushes, delayMsOf, () => random.float());
    for (const peer of order.slice(0, pushes)) drawn[peer]!++;
  }
  return drawn.map((times) => times / DRAWS);
}

test("who tells of blocks soonest is pushed to twice as often as by chance, and nobody more", (t) => {
  const soon = shares(10, 1, (peer) => (peer === 0 ? 0 : 300));
  t.true(Math.abs(soon[0]! - 0.2) < 0.03, `${soon[0]}`);
  for (const share of soon.slice(1)) t.true(share > 0.06 && share < 0.12, `${share}`);
});

test("peers that nothing is known of are pushed to alike", (t) => {
  for (const share of shares(10, 2, () => undefined)) t.true(Math.abs(share - 0.2) < 0.04);
});

test("whatever is measured, everybody is there once", (t) => {
  fc.assert(
    fc.property(fc.array(fc.nat()), fc.nat({ max: 20 }), fc.nat(), (delays, pushes, seed) => {
      const random = seededRandom(seed);
      const order = delays.map((_, peer) => peer);
      drawPushes(
        order,
        pushes,
        (peer) => delays[peer],
        () => random.float(),
      );
      t.deepEqual(
        [...order].sort((a, b) => a - b),
        delays.map((_, peer) => peer),
      );
    }),
  );
});
