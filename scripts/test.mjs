// `npm test`: installs, builds with type-checking, runs every check and then every test with
// coverage. `npm test -- PATTERN ...` runs the tests of the files whose path contains a pattern,
// and nothing else. The last line is always `N passed, N failed`; a check counts as one.

import { readFileSync, readdirSync, rmSync } from "node:fs";
import path from "node:path";

import { report, runChecks } from "./checks.mjs";
import { prepare, root, run, runNode, tool } from "./prepare-project.mjs";
import { countResults } from "./results.mjs";
import { TapReader } from "./tap.mjs";

const coverageFolder = path.join(root, "coverage", "raw");
const counts = countResults();

const patterns = process.argv.slice(2);
const buildStartedAt = performance.now();
await prepare();
if (patterns.length > 0) {
  await runTests(matchingFiles(patterns), {});
} else {
  count(true, "install, build and types", buildStartedAt);
  const checks = await runChecks();
  counts.passed += checks.passed;
  counts.failed += checks.failed;
  rmSync(coverageFolder, { recursive: true, force: true });
  await runTests([], { NODE_V8_COVERAGE: coverageFolder });
  const startedAt = performance.now();
  const excludes = typeOnlyModules().map((file) => `--exclude=${file}`);
  count((await runNode(tool("c8"), ["report", ...excludes])) === 0, "coverage", startedAt);
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

/** No files: all that ava's configuration names. */
async function runTests(files, env) {
  const startedAt = performance.now();
  const tap = new TapReader();
  const code = await run(process.execPath, [tool("ava"), "--tap", ...files], {
    onOutput: (text) => tap.push(text),
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
  tap.end();
  counts.passed += tap.passed;
  counts.failed += tap.failed;
  const ran = tap.passed + tap.failed;
  report(code === 0 && tap.failed === 0 && ran > 0, `${ran} tests`, startedAt);
  if (ran === 0) console.log("No test ran.");
  // ava fails for a reason that no result names, or nothing ran at all.
  if (tap.failed === 0 && (code !== 0 || ran === 0)) counts.failed += 1;
}
