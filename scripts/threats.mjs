// `npm run test:threats`: takes one defence after another out of a copy of the built code, and sees
// that the test of its threat fails: each is a hostile peer at the wire. `-- TEXT` takes out those of
// the threats whose text has TEXT. Prints a table, and ends with `N passed, N failed`: a defence that
// no test misses has failed.

import path from "node:path";

import { copyOfBuild, runTests } from "./broken-copy.mjs";
import { underMutation } from "./mutate.mjs";
import { prepare } from "./prepare-project.mjs";
import { countResults } from "./results.mjs";
import { threats } from "./threats-table.mjs";

/** Without its defence a test mostly waits for what never comes: some wait at a time. */
const LANES = 3;
/** Sound tests take a few seconds, and to load a file on a busy machine more than that. */
const HANGS_AFTER = "40s";

const counts = countResults();
await prepare();

const wanted = process.argv[2] ?? "";
const chosen = threats.filter(({ threat }) => threat.includes(wanted));
if (chosen.length === 0) {
  console.error(`No threat's text has ${wanted}.`);
  process.exit(1);
}
const copies = Array.from({ length: LANES }, (_, lane) => copyOfBuild(`threats-${lane}`));

// What sound code fails too says nothing of a defence. On a busy machine a file as a whole may be too
// much: what failed, or did not run, is run once more alone.
const unsound = new Set();
await inLanes([...new Set(chosen.map(({ test }) => test.file))], async (file, copy) => {
  const titles = [...new Set(chosen.flatMap(({ test }) => (test.file === file ? test.title : [])))];
  const { passed, failed, failures } = await runTests(copy, [fileOf(file)], { titles });
  const isWhole = failed === failures.length && passed + failed >= titles.length;
  for (const title of titles) {
    if (isWhole && !failures.some((failure) => isLike(title, failure))) continue;
    const alone = await runTests(copy, [fileOf(file)], { titles: [title] });
    if (alone.failed > 0 || alone.passed === 0) unsound.add(`${file}: ${title}`);
  }
});
console.log("threat | defence taken out | test that failed");
await inLanes(chosen, async ({ threat, defence, test, ...change }, copy) => {
  const { file, title } = test;
  const { ok, detail } = unsound.has(`${file}: ${title}`)
    ? { ok: false, detail: `${title} fails, or is no test, on sound code` }
    : await without([change, ...(change.also ?? [])], copy, () => missed(test, copy));
  counts[ok ? "passed" : "failed"] += 1;
  const verdict = ok ? `${file}: ${title}` : `FAILED: ${detail}`;
  console.log(`${threat} | ${defence} | ${verdict}`);
});

/** Titles have a `*` for what may stand between. */
function isLike(title, failure) {
  return title.split("*").every((part) => failure.includes(part));
}

async function missed({ file, title }, copy) {
  const options = { titles: [title], hangsAfter: HANGS_AFTER };
  const { passed, failed } = await runTests(copy, [fileOf(file)], options);
  if (failed > 0) return { ok: true, detail: "" };
  return { ok: false, detail: passed > 0 ? "no test misses it" : `no test ran: ${title}` };
}

/** What two places guard is gone where both are. */
function without([change, ...others], copy, attempt) {
  if (change === undefined) return attempt();
  const source = path.join(copy, "dist", "src");
  return underMutation(source, change, () => without(others, copy, attempt));
}

/** Each lane takes the next of these when it is free. */
async function inLanes(items, work) {
  const waiting = [...items];
  const lane = async (copy) => {
    while (waiting.length > 0) await work(waiting.shift(), copy);
  };
  await Promise.all(copies.map(lane));
}

function fileOf(name) {
  return `dist/test/${name}.test.js`;
}
