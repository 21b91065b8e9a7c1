import test from "ava";
import fc from "fast-check";
import { RelayTree } from "../../../src/actors/peer/relay-tree.js";
import { TREE_POLICIES } from "../../../src/actors/peer/tree-policies.js";

const JUDGES = 40;

function blocks(peers: readonly { readonly isOutbound: boolean; readonly group?: string }[]) {
  const tree = new RelayTree(TREE_POLICIES.block);
  for (const [slot, { isOutbound, group }] of peers.entries()) {
    tree.joined({ slot, isOutbound, group }, 0);
  }
  const judge = (delays: readonly (number | undefined)[]): void => {
    for (let count = 1; count <= JUDGES; count++) {
      const told = new Map<number, number>();
      for (const [slot, delayMs] of delays.entries()) {
        if (delayMs !== undefined) told.set(slot, delayMs);
      }
      tree.judged(told, 10_000 * count);
    }
  };
  const wanted = (): number[] => [...peers.keys()].filter((slot) => tree.isIn(slot));
  return { tree, judge, wanted };
}

test("the three that tell of blocks first are wanted", (t) => {
  const peers = Array.from({ length: 6 }, () => ({ isOutbound: true }));
  const { judge, wanted } = blocks(peers);
  judge([90, 0, 300, 5, 200, 10]);
  t.deepEqual(wanted(), [1, 3, 5]);
});

test("one of this node's choice is wanted, however late it tells", (t) => {
  const peers = Array.from({ length: 6 }, (_, slot) => ({ isOutbound: slot === 0 }));
  const { judge, wanted } = blocks(peers);
  judge([400, 0, 1, 2, 3, 4]);
  t.true(wanted().includes(0));
  t.is(wanted().length, 3);
});

test("those that are wanted are of different address groups, where there are such", (t) => {
  const peers = ["a", "a", "a", "a", "b", "c"].map((group) => ({ isOutbound: false, group }));
  const { judge, wanted } = blocks(peers);
  judge([0, 1, 2, 3, 300, 300]);
  const groups = wanted().map((slot) => peers[slot]!.group);
  t.deepEqual(groups.sort(), ["a", "b", "c"]);
});

test("who is wanted and never tells gives way", (t) => {
  const peers = Array.from({ length: 4 }, () => ({ isOutbound: true }));
  const { judge, wanted } = blocks(peers);
  judge([0, 0, 0, 100]);
  t.deepEqual(wanted(), [0, 1, 2]);
  judge([0, undefined, 0, 100]);
  t.deepEqual(wanted(), [0, 2, 3]);
});

test("prunes and grafts of a peer that are too many change nothing", (t) => {
  const { tree } = blocks([{ isOutbound: true }]);
  for (let count = 0; count < 8; count++) {
    tree.pruned(0, 0);
    tree.grafted(0, 0);
  }
  tree.pruned(0, 0);
  t.true(tree.isOut(0), "the seventeenth at once");
  tree.pruned(0, 10_000);
  t.false(tree.isOut(0));
});

test("whatever peers say, edges are what this node's policy and its orders make them", (t) => {
  const step = fc.record({
    act: fc.constantFrom("join", "leave", "prune", "graft", "push", "repeat", "miss", "beacon"),
    slot: fc.nat(7),
    afterMs: fc.nat(3_000),
  });
  for (const policy of [TREE_POLICIES.block, TREE_POLICIES.transaction]) {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const tree = new RelayTree(policy);
        const wanted = new Set<number>();
        const here = new Set<number>();
        let nowMs = 0;
        for (const { act, slot, afterMs } of steps) {
          nowMs += afterMs;
          if (act === "join" && !here.has(slot)) {
            tree.joined({ slot, isOutbound: slot % 2 === 0, group: undefined }, nowMs);
            here.add(slot);
            wanted.add(slot);
          } else if (act === "leave") {
            tree.gone(slot);
            here.delete(slot);
            wanted.delete(slot);
          } else if (act === "prune") tree.pruned(slot, nowMs);
          else if (act === "graft") tree.grafted(slot, nowMs);
          else if (act === "push") tree.pushed(nowMs);
          else if (act === "repeat") tree.repeated(slot, 3, nowMs);
          else if (act === "miss") tree.missed([slot], nowMs);
          else if (act === "beacon") tree.beacon(slot, nowMs);
          if (tree.lacksEdges) tree.improve(nowMs);
          for (const { slot: to, kind } of tree.takeOrders()) {
            if (kind === "Graft") wanted.add(to);
            else wanted.delete(to);
          }
          tree.invariants();
          // What the peers were told is what this side goes by.
          for (const each of here) if (wanted.has(each) && !tree.isIn(each)) return false;
          for (const each of tree.takeOrders()) if (!here.has(each.slot)) return false;
        }
        return true;
      }),
      { numRuns: 200 },
    );
  }
  t.pass();
});
