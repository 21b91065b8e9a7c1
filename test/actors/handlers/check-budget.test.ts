import test from "ava";
import { CheckBudget, type Rank } from "../../../src/actors/handlers/check-budget.js";

const checks = {
  perGroupPerSecond: 1,
  perGroupBurst: 100,
  strangersPerSecond: 10,
  strangersBurst: 250,
  groupsMax: 3,
};

function admitted(
  budget: CheckBudget,
  key: string,
  count: number,
  nowMs = 0,
): (Rank | undefined)[] {
  return Array.from({ length: count }, () => budget.admit(key, nowMs));
}

function countOf(ranks: readonly (Rank | undefined)[]): number {
  return ranks.filter((rank) => rank !== undefined).length;
}

test("a stranger has so many under way, and good ones cost nothing", (t) => {
  const budget = new CheckBudget({ checks });
  t.is(countOf(admitted(budget, "a", 120)), 100);
  for (let i = 0; i < 100; i++) budget.judged("a", "stranger", "good");
  t.deepEqual(
    admitted(budget, "a", 500),
    Array.from({ length: 500 }, () => "known"),
  );
});

test("what proves invalid is not renewed, whoever of its group brings it", (t) => {
  const budget = new CheckBudget({ checks });
  let checked = 0;
  for (let i = 0; i < 1_000; i++) {
    const rank = budget.admit("a", 0);
    if (rank === undefined) continue;
    checked++;
    budget.judged("a", rank, "bad");
  }
  t.true(checked <= 100 / 17 + 1, `${checked} were checked`);
  t.is(budget.admit("a", 1_000), undefined);
  t.is(budget.admit("a", 20_000), "stranger", "time forgives");
});

test("who was known and brings invalid ones is a stranger, and soon nobody", (t) => {
  const budget = new CheckBudget({ checks });
  for (const rank of admitted(budget, "a", 16)) budget.judged("a", rank!, "good");
  const ranks = admitted(budget, "a", 50);
  t.true(ranks.every((rank) => rank === "known"));
  for (const rank of ranks) budget.judged("a", rank!, "bad");
  t.is(budget.admit("a", 0), undefined);
});

test("strangers share what is checked for all of them, and known ones need none of it", (t) => {
  const budget = new CheckBudget({ checks });
  for (const rank of admitted(budget, "known", 16)) budget.judged("known", rank!, "good");
  t.is(countOf(admitted(budget, "a", 100)), 100);
  t.is(countOf(admitted(budget, "b", 200)), 100);
  t.is(countOf(admitted(budget, "known", 30)), 30);
  const third = new CheckBudget({ checks: { ...checks, groupsMax: 100 } });
  let count = 0;
  for (let group = 0; group < 50; group++) count += countOf(admitted(third, `g${group}`, 100));
  t.is(count, 250);
});

test("a check that was lost costs nothing", (t) => {
  const budget = new CheckBudget({ checks });
  for (let i = 0; i < 1_000; i++) {
    const rank = budget.admit("a", 0);
    t.is(rank, "stranger");
    budget.judged("a", rank!, "unjudged");
  }
});
