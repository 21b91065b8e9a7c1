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
/** Sound tests take a few seconds. */
const HANGS_AFTER = "25s";

const counts = countResults();
await prepare();

const wanted = process.argv[2] ?? "";
const chosen = threats.filter(({ threat }) => threat.includes(wanted));
if (chosen.length === 0) {
  console.error(`No threat's text has ${wanted}.`);
  process.exit(1);
}
const copies = Array.from({ length: LANES }, (_, lane) => copyOfBuild(`threats-${lane}`));

// What sound code fails too says nothing of a defence.
const sound = new Map();
await inLanes([...new Set(chosen.map(({ test }) => test.file))], async (file, copy) => {
  const titles = [...new Set(chosen.flatMap(({ test }) => (test.file === file ? test.title : [])))];
  const { passed, failed } = await runTests(copy, [fileOf(file)], { titles });
  sound.set(file, failed === 0 && passed >= titles.length);
});
console.log("threat | defence taken out | test that failed");
await inLanes(chosen, async ({ threat, defence, test, ...change }, copy) => {
  const { file, title } = test;
  const { ok, detail } = sound.get(file)
    ? await without([change, ...(change.also ?? [])], copy, () => missed(test, copy))
    : { ok: false, detail: `${file} fails, or has no such test, on sound code` };
  counts[ok ? "passed" : "failed"] += 1;
  const verdict = ok ? `${file}: ${title}` : `FAILED: ${detail}`;
  console.log(`${threat} | ${defence} | ${verdict}`);
});

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
