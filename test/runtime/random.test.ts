import test from "ava";
import { createSystemRandom, seededRandom } from "../../src/runtime/random.js";

const draw = (random: { uint32(): number }): number[] =>
  Array.from({ length: 8 }, () => random.uint32());

test("one seed is one sequence, another seed another", (t) => {
  t.deepEqual(draw(seededRandom(7)), draw(seededRandom(7)));
  t.notDeepEqual(draw(seededRandom(7)), draw(seededRandom(8)));
});

test("the seeded generator is sfc32, as another implementation of it computes", (t) => {
  const words = [2_958_320_447, 638_679_540, 121_647_093];
  t.deepEqual(draw(seededRandom("vector")).slice(0, 3), words);
});

test("a fork depends on its label and not on what was drawn before", (t) => {
  const parent = seededRandom("seed");
  const early = draw(parent.fork("a"));
  draw(parent);
  t.deepEqual(draw(parent.fork("a")), early);
  t.notDeepEqual(draw(parent.fork("b")), early);
});

for (const [name, random] of [
  ["system", createSystemRandom()],
  ["seeded", seededRandom("range")],
] as const) {
  test(`the ${name} random keeps its ranges and fills them`, (t) => {
    let sum = 0;
    for (let i = 0; i < 10_000; i++) {
      const word = random.uint32();
      const float = random.float();
      t.true(Number.isInteger(word) && word >= 0 && word < 2 ** 32);
      t.true(float >= 0 && float < 1);
      sum += float + word / 2 ** 32;
    }
    t.true(Math.abs(sum / 20_000 - 0.5) < 0.02);
    const bytes = random.bytes(1_000);
    t.is(bytes.length, 1_000);
    t.is(bytes.byteLength, bytes.buffer.byteLength);
    t.true(new Set(bytes).size > 200);
  });
}
