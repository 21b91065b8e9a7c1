import test from "ava";
import { SelectionTrial } from "../../../src/actors/integration/selection-trial.js";

const PATIENCE_MS = 2_000;
const selected = Array.from({ length: 1_000 }, (_, index) => ({ id: `t${index}` }));

/** Makes blocks until one passes, which those that hold a bad transaction do not. */
class Producer {
  readonly trial: SelectionTrial;
  readonly gone = new Set<string>();
  readonly #isBad: (id: string) => boolean;
  nowMs = 0;
  refusals = 0;

  constructor(isBad: (id: string) => boolean, emptyBlocks = true) {
    this.trial = new SelectionTrial({ emptyBlocks, patienceMs: PATIENCE_MS });
    this.#isBad = isBad;
  }

  /** How many the block held that passed; each refused one took `sealMs`. */
  next(sealMs = 10, judged = true): number {
    for (;;) {
      const waiting = selected.filter(({ id }) => !this.gone.has(id));
      const ids = this.trial.choose(waiting, this.nowMs).map(({ id }) => id);
      this.nowMs += sealMs;
      if (!ids.some(this.#isBad)) {
        for (const id of [...this.trial.passed(ids.length), ...ids]) this.gone.add(id);
        return ids.length;
      }
      this.refusals++;
      const refusal = { ids, named: undefined, judged };
      for (const id of this.trial.refused(refusal, this.nowMs)) this.gone.add(id);
    }
  }
}

test("without trouble all that is selected is taken", (t) => {
  const trial = new SelectionTrial({ emptyBlocks: true, patienceMs: PATIENCE_MS });
  t.is(trial.choose(selected, 0), selected);
});

test("a bad transaction is found by halves, and the rest confirms", (t) => {
  for (const bad of [0, 1, 500, 999]) {
    const producer = new Producer((id) => id === `t${bad}`);
    let blocks = 0;
    for (; producer.gone.size < selected.length; blocks++) producer.next();
    t.true(producer.refusals <= 2 * 10, `${producer.refusals} refusals`);
    t.true(blocks <= 12, `${blocks} blocks`);
  }
});

test("where the rules name it, it leaves at once", (t) => {
  const trial = new SelectionTrial({ emptyBlocks: true, patienceMs: PATIENCE_MS });
  const ids = selected.map(({ id }) => id);
  t.deepEqual(trial.refused({ ids, named: "t7", judged: true }, 0), ["t7"]);
  t.is(trial.choose(selected, 0).length, selected.length);
});

test("an empty block lets the chain go on when its patience is over", (t) => {
  const producer = new Producer((id) => Number(id.slice(1)) < 500);
  t.is(producer.next(1_500), 0);
  t.is(producer.refusals, 3);
  let blocks = 0;
  while (producer.gone.size < selected.length) {
    t.true(++blocks < 1_100);
    producer.next(1_500);
  }
});

test("when an empty block is refused nobody is to blame, and nothing else is tried", (t) => {
  const trial = new SelectionTrial({ emptyBlocks: true, patienceMs: PATIENCE_MS });
  const sizes: number[] = [];
  for (let nowMs = 0; nowMs < 20_000; nowMs += 100) {
    const ids = trial.choose(selected, nowMs).map(({ id }) => id);
    sizes.push(ids.length);
    t.deepEqual(trial.refused({ ids, named: undefined, judged: true }, nowMs), []);
  }
  t.deepEqual(sizes.slice(0, 5), [1_000, 500, 250, 125, 62]);
  t.is(trial.blocked, sizes.length - sizes.indexOf(0));
  t.deepEqual(trial.passed(0), []);
  t.is(trial.choose(selected, 20_000).length, selected.length);
});

test("without empty blocks one transaction takes their place, and is not blamed", (t) => {
  const trial = new SelectionTrial({ emptyBlocks: false, patienceMs: PATIENCE_MS });
  for (let round = 0; round < 100; round++) {
    const ids = trial.choose(selected, round * 100).map(({ id }) => id);
    t.true(ids.length >= 1);
    t.deepEqual(trial.refused({ ids, named: undefined, judged: true }, round * 100), []);
  }
  t.is(trial.choose(selected, 0).length, 1);
  trial.passed(1);
  t.is(trial.choose(selected, 0).length, selected.length);
});

test("an exception blames a transaction only the second time", (t) => {
  const producer = new Producer((id) => id === "t0");
  producer.next(10, false);
  t.false(producer.gone.has("t0"));
  while (producer.gone.size < selected.length) producer.next(10, false);
  t.true(producer.gone.has("t0"));
});
