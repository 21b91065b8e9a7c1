// `npm run test:sim-mutants`: plants bugs in a copy of the built code, one at a time, and lets the
// simulator look for each with swarm runs. `-- TEXT` plants those whose name has TEXT. Ends with
// `N passed, N failed`: a bug that no check caught within the seeds has failed.

import { cpSync, rmSync } from "node:fs";
import path from "node:path";

import { underMutation } from "./mutate.mjs";
import { plantedBugs } from "./planted-bugs.mjs";
import { prepare, root, run } from "./prepare-project.mjs";
import { countResults } from "./results.mjs";

const SEEDS_MAX = 200;
const copy = path.join(root, ".build", "sim-mutants");
const source = path.join(copy, "dist", "src");
const counts = countResults();

await prepare();
rmSync(copy, { recursive: true, force: true });
cpSync(path.join(root, "dist", "src"), source, { recursive: true });
cpSync(path.join(root, "package.json"), path.join(copy, "package.json"));

const wanted = process.argv[2] ?? "";
/** So many seeds the bug that took longest was looked for. */
let seedsUsed = 0;
for (const bug of plantedBugs.filter(({ name }) => name.includes(wanted))) {
  const { ok, detail } = await underMutation(source, bug, search);
  report(ok, bug.name, detail);
}
// What sound code fails too would have counted as caught.
const sound = await search(seedsUsed);
const clean = seedsUsed > 0 && sound.detail === `not caught in ${seedsUsed} seeds`;
if (seedsUsed > 0) report(clean, `sound code passes the first ${seedsUsed} seeds`, sound.detail);

if (counts.passed + counts.failed === 0) {
  console.error(`No planted bug's name has ${wanted}.`);
  process.exit(1);
}

/** Caught is a verdict that says so; whatever else ends the run is the harness's own failure. */
async function search(runs = SEEDS_MAX) {
  let output = "";
  const swarm = ["--swarm", "--json", "--seed", "planted", "--runs", `${runs}`];
  const code = await run(process.execPath, [path.join(source, "main.js"), "sim", ...swarm], {
    cwd: copy,
    onOutput: (text) => (output += text),
    stdio: ["ignore", "pipe", "ignore"],
    env: { ...process.env, NODE_V8_COVERAGE: "" },
  });
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

function report(ok, name, detail) {
  counts[ok ? "passed" : "failed"] += 1;
  console.log(`${ok ? "ok  " : "FAIL"} ${name}: ${detail}`);
}
