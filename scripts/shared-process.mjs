// Runs many test files in one of ava's processes. ava takes all tests of a process in one turn and
// refuses a title twice, and modules may await before they declare theirs: so the files declare to
// a collector, and once the last has loaded all tests are declared to ava, each behind its file's
// name and to run one after another.

import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

import { root } from "./prepare-project.mjs";

const folder = path.join(root, "dist", "shared");
const entry = path.join(folder, "all.test.js");
const doneFile = path.join(folder, "done");

/** Writes the test file of which ava is told, and returns its path in the project. */
export function writeShared(files) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const code = `import { runTogether } from "../../scripts/shared-process.mjs";

await runTogether(${JSON.stringify(files, undefined, 2)});
`;
  writeFileSync(entry, code);
  return path.relative(root, entry);
}

/** Whether every test of the last run had its turn: no file ended the process. */
export function sharedWasDone() {
  return existsSync(doneFile);
}

/** In ava's process: loads the files one after another, then runs the tests of all. */
export async function runTogether(files) {
  // ava has no public way to say who takes the tests that a file declares.
  const { refs } = createRequire(import.meta.url)(
    path.join(root, "node_modules/ava/lib/worker/state.cjs"),
  );
  const declare = refs.runnerChain.serial;
  const declared = [];
  let file;
  refs.runnerChain = collector((flag, args) => declared.push({ file, flag, args }));
  const { registerCompletionHandler } = await import("ava");
  registerCompletionHandler(() => writeFileSync(doneFile, ""));

  for (file of files) {
    const before = declared.length;
    try {
      await import(pathToFileURL(path.join(root, file)).href);
      if (declared.length === before) throw new Error("This file declares no test.");
    } catch (error) {
      declared.push({ file, args: ["loads", () => Promise.reject(error)] });
    }
  }
  for (const { file, flag, args } of declared) {
    const [title, ...rest] = args;
    (flag === undefined ? declare : declare[flag])(`${nameOf(file)} › ${title}`, ...rest);
  }
}

/** The part of ava's `test` that shared files may use. */
function collector(take) {
  const test = (...args) => take(undefined, args);
  for (const flag of ["skip", "failing"]) test[flag] = (...args) => take(flag, args);
  return test;
}

function nameOf(file) {
  return file
    .replace(/^dist\/test\//, "")
    .replace(/\.test\.js$/, "")
    .replaceAll("/", " › ");
}
