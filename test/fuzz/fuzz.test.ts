// A short slice of `npm run fuzz`, and every input that it ever kept.

import test from "ava";
import { readCorpus } from "./corpus.js";
import { fuzz } from "./engine.js";
import { TARGETS } from "./targets.js";

const INPUTS = 2_000;

for (const target of TARGETS) {
  test(`${target.name}: no input breaks it`, (t) => {
    const { inputs, failure } = fuzz(target, {
      inputs: INPUTS,
      seed: 7,
      isGuided: false,
      corpus: readCorpus(target.name),
    });
    t.is(failure, undefined);
    t.true(inputs >= INPUTS);
  });
}

test("what a target throws is found, with its input", (t) => {
  const broken = {
    ...TARGETS[1]!,
    run(input: Uint8Array): void {
      if (input.length > 2 && input[0] === 0x82) throw new Error("found");
    },
  };
  const { failure } = fuzz(broken, { inputs: 100_000, seed: 1, isGuided: false, corpus: [] });
  t.is(failure?.input[0], 0x82);
  t.is((failure?.error as Error).message, "found");
});
