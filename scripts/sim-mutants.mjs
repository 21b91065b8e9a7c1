// `npm run test:sim-mutants`: plants bugs in a copy of the built code, one at a time, and lets the
// simulator look for each: with swarm runs, or in the simulated scenario that the bug names.
// `-- TEXT` plants those whose name has TEXT. Ends with `N passed, N failed`: a bug that no check
// caught within the seeds, or in its scenario, has failed.

import { cpSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import path from "node:path";

import { underMutation } from "./mutate.mjs";
import { plantedBugs } from "./planted-bugs.mjs";
import { prepare, root, run, tool } from "./prepare-project.mjs";
import { countResults } from "./results.mjs";
import { TapReader } from "./tap.mjs";

const SEEDS_MAX = 200;
const counts = countResults();

await prepare();
const wanted = process.argv[2] ?? "";
const chosen = plantedBugs.filter(({ name }) => name.includes(wanted));
if (chosen.length === 0) {
  console.error(`No planted bug's name has ${wanted}.`);
  process.exit(1);
}
// A bug at a time in each copy; the simulator takes one core.
const copies = Array.from({ length: Math.min(4, availableParallelism()) }, (_, index) =>
  copied(index),
);

// What sound code fails too would count as caught.
const directed = chosen.filter(({ scenario }) => scenario !== undefined);
await eachOf(new Set(directed.map(({ scenario }) => scenario)), async (scenario, copy) => {
  const { passed, failed } = await play(scenario, copy);
  if (passed > 0 && failed === 0) return;
  report(false, "sound code", `${failed} failed and ${passed} passed in ${scenario.title}`);
});
/** So many seeds the bug that took longest was looked for. */
let seedsUsed = 0;
await eachOf(chosen, async (bug, copy) => {
  const attempt = () => (bug.scenario === undefined ? search(copy) : fails(bug.scenario, copy));
  const { ok, detail } = await plant([bug, ...(bug.also ?? [])], attempt, copy);
  report(ok, bug.name, detail);
});
if (seedsUsed > 0) {
  const sound = await search(copies[0], seedsUsed);
  const clean = sound.detail === `not caught in ${seedsUsed} seeds`;
  report(clean, `sound code passes the first ${seedsUsed} seeds`, sound.detail);
}

function copied(index) {
  const copy = path.join(root, ".build", `sim-mutants-${index}`);
  rmSync(copy, { recursive: true, force: true });
  cpSync(path.join(root, "dist", "src"), sourceOf(copy), { recursive: true });
  for (const part of ["sim", "support"]) {
    const tests = path.join("dist", "test", part);
    cpSync(path.join(root, tests), path.join(copy, tests), { recursive: true });
  }
  cpSync(path.join(root, "package.json"), path.join(copy, "package.json"));
  return copy;
}

function sourceOf(copy) {
  return path.join(copy, "dist", "src");
}

/** Gives each copy an item as long as there are any. */
async function eachOf(items, work) {
  const left = [...items];
  const lane = async (copy) => {
    while (left.length > 0) await work(left.shift(), copy);
  };
  await Promise.all(copies.map(lane));
}

/** What two places guard is a bug where both are gone. */
function plant([change, ...others], attempt, copy) {
  if (change === undefined) return attempt();
  return underMutation(sourceOf(copy), change, () => plant(others, attempt, copy));
}

/** Caught is a verdict that says so; whatever else ends the run is the harness's own failure. */
async function search(copy, runs = SEEDS_MAX) {
  let output = "";
  const swarm = ["--swarm", "--json", "--seed", "planted", "--runs", `${runs}`];
  const code = await run(
    process.execPath,
    [path.join(sourceOf(copy), "main.js"), "sim", ...swarm],
    {
      cwd: copy,
      onOutput: (text) => (output += text),
      stdio: ["ignore", "pipe", "ignore"],
      env: { ...process.env, NODE_V8_COVERAGE: "" },
    },
  );
  const lines = output.trim().split("\n");
  seedsUsed = Math.max(seedsUsed, lines.length);
  if (code === 0) return { ok: false, detail: `not caught in ${lines.length} seeds` };
  let verdict;
  try {
    verdict = JSON.parse(lines.at(-1));
  } catch {
    return { ok: false, detail: `the simulator itself ended with ${code}` };
  }
  const [first] = verdict.violations;
  if (verdict.ok || first === undefined) return { ok: false, detail: "failed without a violation" };
  const what = first.what.split("\n")[0].slice(0, 100);
  return { ok: true, detail: `caught with seed ${lines.length} of ${SEEDS_MAX}: ${what}` };
}

async function fails(scenario, copy) {
  const { passed, failed } = await play(scenario, copy);
  const ok = failed > 0;
  if (ok) return { ok, detail: `caught in its scenario: ${scenario.title}` };
  return { ok, detail: passed > 0 ? "its scenario passes" : "its scenario is gone" };
}

/** Runs the tests of one file of `test/sim` whose title matches. */
async function play({ file, title }, copy) {
  const tap = new TapReader({ print: () => undefined });
  const test = path.join("dist", "test", "sim", `${file}.test.js`);
  const args = [tool("ava"), "--tap", "--timeout=60s", `--match=${title}`, test];
  await run(process.execPath, args, {
    cwd: copy,
    onOutput: (text) => tap.push(text),
    env: { ...process.env, NODE_V8_COVERAGE: "" },
  });
  tap.end();
  return { passed: tap.passed, failed: tap.failed };
}

function report(ok, name, detail) {
  counts[ok ? "passed" : "failed"] += 1;
  console.log(`${ok ? "ok  " : "FAIL"} ${name}: ${detail}`);
}
