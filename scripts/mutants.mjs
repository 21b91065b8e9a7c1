// `npm run test:mutants`: breaks a copy of the built code in small ways, one at a time, and sees
// that the tests named for each notice. `npm run test:mutants -- TEXT` runs those whose name has
// TEXT. Ends with `N passed, N failed`: a mutation that no test noticed has failed.

import { readdirSync } from "node:fs";
import path from "node:path";

import { copyOfBuild, runTests } from "./broken-copy.mjs";
import { underMutation } from "./mutate.mjs";
import { mutations } from "./mutations.mjs";
import { prepare } from "./prepare-project.mjs";
import { countResults } from "./results.mjs";

const counts = countResults();

await prepare();
const copy = copyOfBuild("mutants");

const wanted = process.argv[2] ?? "";
const chosen = mutations.filter(({ name }) => name.includes(wanted));
for (const { name, tests } of chosen) {
  if (tests.every((part) => filesOf(part).length > 0)) continue;
  console.error(`${name}: ${tests.join(" or ")} names no test.`);
  process.exit(1);
}
const sound = await testsOf([...new Set(chosen.flatMap(({ tests }) => tests))]);
if (sound.failed > 0 || sound.passed === 0) {
  console.error("The tests fail on the code as it is: nothing can be said of mutations.");
  process.exit(1);
}
for (const mutation of chosen) {
  const { ok, detail } = await underMutation(path.join(copy, "dist", "src"), mutation, async () => {
    const { failed } = await testsOf(mutation.tests);
    return { ok: failed > 0, detail: failed > 0 ? `${failed} tests failed` : "no test noticed" };
  });
  report(ok, mutation.name, detail);
}

function report(ok, name, detail) {
  counts[ok ? "passed" : "failed"] += 1;
  console.log(`${ok ? "ok  " : "FAIL"} ${name}: ${detail}`);
}

/** The test files below a folder (`actors/sync/`), or the one of this name. */
function filesOf(part) {
  const folder = path.join(copy, "dist", "test");
  return readdirSync(folder, { recursive: true })
    .map((file) => file.replaceAll(path.sep, "/"))
    .filter((file) => file.endsWith(".test.js"))
    .filter((file) => (part.endsWith("/") ? file.startsWith(part) : file === `${part}.test.js`))
    .map((file) => `dist/test/${file}`);
}

function testsOf(parts) {
  return runTests(copy, parts.flatMap(filesOf));
}
