import test from "ava";
import { LateIds } from "../../../src/actors/handlers/late-ids.js";

const LIMITS = { arePushed: true, waitMinMs: 100, waitMaxMs: 1_000, perPeerMax: 3 };

test("what is not pushed in time is to be fetched of all that told of it, in their order", (t) => {
  const late = new LateIds<string>(LIMITS);
  t.true(late.heard("id", "b", "b", 0));
  t.true(late.heard("id", "a", "a", 50));
  t.deepEqual(late.takeDue(99), []);
  t.deepEqual(late.takeDue(100), [{ id: "id", tellers: ["b", "a"] }]);
  t.false(late.heard("id", "c", "c", 110), "a further one is asked at once");
  late.invariants();
});

test("what is pushed meanwhile is not fetched, and who told of it is known", (t) => {
  const late = new LateIds<string>(LIMITS);
  late.heard("id", "a", "a", 0);
  t.deepEqual(late.arrived("id", true, 10), ["a"]);
  t.deepEqual(late.takeDue(5_000), []);
  late.invariants();
});

test("the slower pushes come, the longer they are waited for", (t) => {
  const late = new LateIds<string>(LIMITS);
  for (let number = 0; number < 50; number++) {
    late.heard(`${number}`, "a", "a", 1_000 * number);
    late.takeDue(1_000 * number + 150);
    late.arrived(`${number}`, true, 1_000 * number + 400);
  }
  t.true(late.waitMs > 390 && late.waitMs < 600, `${late.waitMs} ms`);
});

test("where pushes do not come nothing is waited for, until they do", (t) => {
  const late = new LateIds<string>(LIMITS);
  for (let number = 0; number < 20; number++) {
    late.heard(`${number}`, "a", "a", number);
    late.takeDue(2_000);
    late.arrived(`${number}`, false, 2_001);
  }
  late.takeDue(20_000);
  t.is(late.waitMs, 0);
  t.false(late.heard("next", "a", "a", 20_000));
  for (let number = 20; number < 40; number++) {
    late.heard(`${number}`, "a", "a", 20_000);
    late.arrived(`${number}`, true, 20_010);
  }
  t.true(late.waitMs > 0);
});

test("one peer's many take no places of another's, and its end ends them", (t) => {
  const late = new LateIds<string>(LIMITS);
  for (let number = 0; number < 10; number++) late.heard(`a ${number}`, "a", "a", 0);
  t.true(late.heard("b", "b", "b", 0));
  t.is(late.size, 4);
  late.heard("a 0", "b", "b", 0);
  late.gone("a");
  late.invariants();
  t.deepEqual(
    late.takeDue(1_000).map(({ id, tellers }) => [id, ...tellers]),
    [
      ["b", "b"],
      ["a 0", "b"],
    ],
  );
});
