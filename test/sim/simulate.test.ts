import test from "ava";
import { createTimeline, drawSwarm, simulate, type SimulateOptions } from "../../src/sim/index.js";
import { SEED_ASKED } from "./support.js";

const seed = SEED_ASKED ?? "verdict";
const options: SimulateOptions = {
  seed,
  nodes: 4,
  producers: 2,
  durationMs: 10_000,
  faults: "wild",
  traffic: { perSecond: 5 },
};

test("one seed has one verdict, but for the real time it took; another has another", async (t) => {
  const { wallSeconds: _, ...first } = await simulate(options);
  const { wallSeconds: __, ...again } = await simulate(options);
  t.true(first.ok);
  t.deepEqual(again, first);
  t.true(first.blocks > 0 && first.events > 1_000 && first.bytesPerNode > 1_000);
  t.true(first.virtualSeconds >= 10);
  t.true(first.propagation.p50Ms > 0 && first.propagation.p50Ms <= first.propagation.p99Ms);
  const other = await simulate({ ...options, seed: `not ${seed}` });
  t.not(other.traceHash, first.traceHash);
});

test("a check of the caller's own ends the run with its sentence and virtual time", async (t) => {
  const verdict = await simulate({
    ...options,
    checks: [
      {
        name: "no height above 2",
        everyMs: 100,
        check: (world) =>
          world.nodes.some((node) => node.up && node.head().height > 2) ? "one is" : undefined,
      },
    ],
  });
  t.false(verdict.ok);
  t.is(verdict.violations[0]?.what, "no height above 2: one is");
  t.is(verdict.violations[0]?.atMs, verdict.virtualSeconds * 1_000);
});

test("a timeline of a node has its deliveries and its log, and nobody else's", async (t) => {
  const lines: string[] = [];
  await simulate({ ...options, ...createTimeline("n1", (line) => lines.push(line)) });
  t.true(lines.length > 100);
  t.true(lines.every((line) => / \/n1[/ ]/.test(line)));
  t.true(lines.some((line) => line.includes("/n1/network/registry ")));
  t.true(lines.some((line) => line.includes("/n1 info: ")));
});

test("a timeline of a message's hash has every delivery of that message", async (t) => {
  const lines: string[] = [];
  await simulate({ ...options, ...createTimeline("n1", (line) => lines.push(line)) });
  const hash = lines[50]!.slice(lines[50]!.lastIndexOf("#"));
  const found: string[] = [];
  await simulate({ ...options, ...createTimeline(hash, (line) => found.push(line)) });
  t.true(found.includes(lines[50]!));
  t.true(found.every((line) => line.endsWith(hash)));
});

test("a swarm draws its parameters from the seed", (t) => {
  t.deepEqual(drawSwarm("a"), drawSwarm("a"));
  t.notDeepEqual(drawSwarm("a"), drawSwarm("b"));
});

test("options that make no sense are refused with a sentence that names them", async (t) => {
  const bad: [object, RegExp][] = [
    [{ faults: "some" }, /faults: "some" is none of none, mild, wild/],
    [{ faults: { quake: { everyMs: [1, 2] } } }, /faults/],
    [{ faults: { crash: { everyMs: [5, 1] } } }, /faults/],
    [{ faults: { crash: { everyMs: [0, 0] } } }, /faults/],
    [{ nodes: 0 }, /nodes/],
    [{ nodes: 10_001 }, /nodes/],
    [{ durationMs: 1e12 }, /durationMs/],
    [{ traffic: { perSecond: 1e9 } }, /traffic/],
    [{ nodes: 2, producers: 3 }, /producers is 3, but nodes is 2/],
    [{ late: 4 }, /late is 4/],
    [{ durationMs: Number.NaN }, /durationMs/],
    [{ links: { latencyMs: "slow" } }, /links.latencyMs/],
    [{ fault: "wild" }, /fault/],
    [{ onWorld: 1 }, /onWorld: must be a function/],
  ];
  for (const [wrong, sentence] of bad) {
    const error = await t.throwsAsync(simulate({ ...options, ...wrong }), {
      code: "CONFIG_INVALID",
    });
    t.regex(error.message, sentence);
  }
  const verdict = await simulate({ seed, nodes: 1, durationMs: 1_000, faults: "none" });
  t.true(verdict.ok);
});
