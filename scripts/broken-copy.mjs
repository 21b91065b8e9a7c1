// A copy of the built code that may be broken, and its tests run. Used by scripts that take something
// out and look who notices.

import { cpSync, rmSync } from "node:fs";
import path from "node:path";

import { root, run, tool } from "./prepare-project.mjs";
import { TapReader } from "./tap.mjs";

const OUTPUT_KEPT = 4_096;

/** Answers the copy's folder, a new one below .build. */
export function copyOfBuild(name) {
  const copy = path.join(root, ".build", name);
  rmSync(copy, { recursive: true, force: true });
  cpSync(path.join(root, "dist"), path.join(copy, "dist"), { recursive: true });
  // Project data that tests read by a path relative to their own.
  for (const folder of ["test/vectors", "docs", "examples"]) {
    cpSync(path.join(root, folder), path.join(copy, folder), { recursive: true });
  }
  cpSync(path.join(root, "package.json"), path.join(copy, "package.json"));
  return copy;
}

/**
 * Runs test files of a copy, of them the tests whose titles match; what hangs for so long has failed.
 */
export async function runTests(copy, files, { titles = [], hangsAfter = "60s" } = {}) {
  const tap = new TapReader({ print: () => undefined });
  const matches = titles.map((title) => `--match=${title}`);
  const args = [tool("ava"), "--tap", `--timeout=${hangsAfter}`, ...matches, ...files];
  let rest = "";
  const code = await run(process.execPath, args, {
    cwd: copy,
    onOutput: (text) => {
      tap.push(text);
      rest = (rest + text).slice(-OUTPUT_KEPT);
    },
    env: { ...process.env, NODE_V8_COVERAGE: "" },
  });
  tap.end();
  // The exit code says nothing of its own: a broken harness is not a test that noticed. But ava's
  // own reporter breaks where it should tell that a test hangs.
  const hung = code !== 0 && tap.failed === 0 && /writeTimeout|no new tests/.test(rest);
  const { passed, failures } = tap;
  return { passed, failed: tap.failed + (hung ? 1 : 0), failures };
}
