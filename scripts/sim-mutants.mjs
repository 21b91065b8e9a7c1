// `npm run test:sim-mutants`: plants bugs in a copy of the built code, one at a time, and lets the
// simulator look for each with swarm runs. `-- TEXT` plants those whose name has TEXT. Ends with
// `N passed, N failed`: a bug that no check caught within the seeds has failed.

import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

import { plantedBugs } from "./planted-bugs.mjs";
import { prepare, root, run } from "./prepare-project.mjs";

const SEEDS_MAX = 200;
const copy = path.join(root, ".build", "sim-mutants");
const source = path.join(copy, "dist", "src");
const counts = { passed: 0, failed: 0 };
process.on("exit", (code) => {
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  if (counts.failed > 0) process.exitCode = code || 1;
  console.log(`${counts.passed} passed, ${counts.failed} failed`);
});

await prepare();
rmSync(copy, { recursive: true, force: true });
cpSync(path.join(root, "dist", "src"), source, { recursive: true });
cpSync(path.join(root, "package.json"), path.join(copy, "package.json"));

const wanted = process.argv[2] ?? "";
for (const bug of plantedBugs.filter(({ name }) => name.includes(wanted))) await plant(bug);
if (counts.passed + counts.failed === 0) {
  console.error(`No planted bug's name has ${wanted}.`);
  process.exit(1);
}

async function plant({ name, in: module, find, with: replacement }) {
  const file = path.join(source, module);
  const code = readFileSync(file, "utf8");
  const places = code.split(find).length - 1;
  if (places !== 1) return report(false, name, `its text stands ${places} times in ${module}`);
  writeFileSync(
    file,
    code.replace(find, () => replacement),
  );
  const { ok, detail } = await search();
  writeFileSync(file, code);
  report(ok, name, detail);
}

/** Caught is a verdict that says so; whatever else ends the run is the harness's own failure. */
async function search() {
  let output = "";
  const swarm = ["--swarm", "--json", "--seed", "planted", "--runs", `${SEEDS_MAX}`];
  const code = await run(process.execPath, [path.join(source, "main.js"), "sim", ...swarm], {
    cwd: copy,
    onOutput: (text) => (output += text),
    stdio: ["ignore", "pipe", "ignore"],
    env: { ...process.env, NODE_V8_COVERAGE: "" },
  });
  const lines = output.trim().split("\n");
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
