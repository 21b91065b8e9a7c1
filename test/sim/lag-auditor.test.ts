import test from "ava";
import { LagAuditor, type Follower } from "../../src/sim/lag-auditor.js";
import { makeBlock } from "../support/chain.js";

const LOOK_MS = 1_000;
const { header: genesis } = makeBlock({});

/** A node whose chain has blocks named for its branch. */
class Node implements Follower {
  readonly name: string;
  readonly known: readonly string[];
  life = 1;
  isSound = true;
  height = 0;
  branch = "main";
  forkHeight = 0;

  constructor(name: string, known: readonly string[]) {
    this.name = name;
    this.known = known;
  }

  hashAt(height: number): string {
    return height <= this.forkHeight ? `main ${height}` : `${this.branch} ${height}`;
  }

  head() {
    const { height } = this;
    return { ...genesis, height, totalDifficulty: BigInt(height), hash: this.hashAt(height) };
  }
}

function start() {
  const reports: string[] = [];
  const cut = new Set<string>();
  const nodes = [new Node("n0", ["n1"]), new Node("n1", ["n2"]), new Node("n2", [])] as const;
  const auditor = new LagAuditor({
    followers: nodes,
    prefers: (a, b) => a.totalDifficulty > b.totalDifficulty,
    reachable: (from, to) => !cut.has(`${from} ${to}`),
    report: (sentence) => reports.push(sentence),
  });
  let nowMs = 0;
  const runFor = (seconds: number): void => {
    for (let i = 0; i < seconds; i++) auditor.see((nowMs += LOOK_MS));
  };
  return { nodes, reports, cut, runFor };
}

test("who lacks eleven blocks for more than a minute is reported, once", (t) => {
  const { nodes, reports, runFor } = start();
  nodes[0].height = 11;
  runFor(61);
  t.deepEqual(reports, []);
  runFor(60);
  t.deepEqual(reports, [
    "n1 at 0 is more than 10 blocks behind n0#1 for 61000 ms",
    "n2 at 0 is more than 10 blocks behind n0#1 for 61000 ms",
  ]);
});

test("ten blocks are no lag, nor are eleven that it had meanwhile", (t) => {
  const { nodes, reports, runFor } = start();
  nodes[0].height = 10;
  runFor(200);
  nodes[0].height = 21;
  runFor(40);
  for (const node of nodes) node.height = 15;
  runFor(1);
  nodes[0].height = 26;
  runFor(40);
  t.deepEqual(reports, []);
});

test("who is as high, on a branch that left the better chain long ago, is behind", (t) => {
  const { nodes, reports, runFor } = start();
  for (const node of nodes) node.height = 20;
  nodes[0].height = 21;
  nodes[1].branch = "other";
  nodes[1].forkHeight = 10;
  runFor(100);
  t.is(reports.length, 1);
  t.regex(reports[0]!, /^n1 at 20 /);
  nodes[1].forkHeight = 15;
});

test("a node that is not sound, or was started since, is excused; so is who has no way", (t) => {
  const { nodes, reports, cut, runFor } = start();
  const [ahead, between, behind] = nodes;
  ahead.height = 50;
  between.height = 50;
  for (let i = 0; i < 4; i++) {
    runFor(50);
    behind.isSound = false;
    runFor(1);
    behind.isSound = true;
    runFor(50);
    behind.life++;
    runFor(50);
    // One way is no way, and only who is between knows both.
    cut.add("n2 n1");
    runFor(1);
    cut.clear();
    runFor(50);
    between.isSound = false;
    runFor(1);
    between.isSound = true;
  }
  t.deepEqual(reports, []);
  runFor(62);
  t.deepEqual(reports, ["n2 at 0 is more than 10 blocks behind n0#1 for 61000 ms"]);
});
