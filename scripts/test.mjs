// `npm test`: installs, builds with type-checking, runs every check and then the tests but the slow
// ones (scripts/lanes.mjs says which). `npm test -- --all` runs the slow ones too and measures
// coverage. `npm test -- PATTERN ...` runs the tests of the files whose path contains a pattern,
// and nothing else. The last line is always `N passed, N failed`; a check counts as one.

import { readFileSync, readdirSync, rmSync } from "node:fs";
import path from "node:path";

import { report, runChecks } from "./checks.mjs";
import { filesByLane } from "./lanes.mjs";
import { prepare, root, run, runNode, tool } from "./prepare-project.mjs";
import { countResults } from "./results.mjs";
import { sharedWasDone, writeShared } from "./shared-process.mjs";
import { TapReader } from "./tap.mjs";

const coverageFolder = path.join(root, "coverage", "raw");
const counts = countResults();

const args = process.argv.slice(2);
const all = args.includes("--all");
const patterns = args.filter((arg) => arg !== "--all");
const buildStartedAt = performance.now();
await prepare();
if (patterns.length > 0) await runTests(matchingFiles(patterns), {});
else await runEverything();

async function runEverything() {
  count(true, "install, build and types", buildStartedAt);
  const { shared, own, slow } = filesByLane();
  if (all) rmSync(coverageFolder, { recursive: true, force: true });
  const env = all ? { NODE_V8_COVERAGE: coverageFolder } : {};
  // What the shared files test knows no time, so nothing else has to be still meanwhile.
  const [checks] = await Promise.all([runChecks({ fresh: all }), runShared(shared, env)]);
  add(checks);
  await runTests(all ? [...slow, ...own] : own, env);
  if (all) await checkCoverage();
  else console.log(`Left out: ${slow.length} slow files and coverage; npm test -- --all has them.`);
}

async function checkCoverage() {
  const startedAt = performance.now();
  const excludes = typeOnlyModules().map((file) => `--exclude=${file}`);
  count((await runNode(tool("c8"), ["report", ...excludes])) === 0, "coverage", startedAt);
}

function add({ passed, failed }) {
  counts.passed += passed;
  counts.failed += failed;
}

function count(ok, name, startedAt) {
  counts[ok ? "passed" : "failed"] += 1;
  report(ok, name, startedAt);
}

/** Compiled test files by a part of their path, as source (`.ts`) or output (`dist/…js`). */
function matchingFiles(patterns) {
  const parts = patterns.map((pattern) =>
    pattern.replace(/^(\.\/)?(dist\/)?/, "").replace(/\.ts$/, ".js"),
  );
  const files = builtFiles("dist/test").filter(
    (file) =>
      file.endsWith(".test.js") && parts.some((part) => file.slice("dist/".length).includes(part)),
  );
  if (files.length === 0) {
    console.error(`No test file's path contains ${patterns.join(" or ")}.`);
    process.exit(1);
  }
  return files;
}

/** Modules of which nothing is left to run; c8 would count each of their lines as missed. */
function typeOnlyModules() {
  return builtFiles("dist/src").filter((file) => {
    if (!file.endsWith(".js")) return false;
    const code = readFileSync(path.join(root, file), "utf8");
    return code.replace(/\/\*[^]*?\*\/|\/\/.*/g, "").trim() === "export {};";
  });
}

function builtFiles(folder) {
  return readdirSync(path.join(root, folder), { recursive: true }).map(
    (file) => `${folder}/${file.replaceAll(path.sep, "/")}`,
  );
}

/** In one process; if that ends early, again in a process each, so that no result is hidden. */
async function runShared(files, env) {
  const results = await runAva([writeShared(files)], env);
  if (sharedWasDone()) return add(results);
  console.log("✘ The process of the shared test files ended early; now each runs in its own.");
  counts.failed += 1;
  await runTests(files, env);
}

async function runTests(files, env) {
  add(await runAva(files, env));
}

/** Runs test files with ava, prints each result and resolves with the counts. */
async function runAva(files, env) {
  const startedAt = performance.now();
  const tap = new TapReader();
  const code = await run(process.execPath, [tool("ava"), "--tap", ...files], {
    onOutput: (text) => tap.push(text),
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
  tap.end();
  const { passed, failed } = tap;
  const ran = passed + failed;
  report(code === 0 && failed === 0 && ran > 0, `${ran} tests`, startedAt);
  if (ran === 0) console.log("No test ran.");
  // ava fails for a reason that no result names, or nothing ran at all.
  const unnamed = failed === 0 && (code !== 0 || ran === 0) ? 1 : 0;
  return { passed, failed: failed + unnamed };
}
