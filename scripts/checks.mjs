// The checks that need no test to run: what each is called and how it is started. Used by
// `npm run lint` and `npm test`.

import { run, tool } from "./prepare-project.mjs";

/** prettier looks again at what has changed only: its verdict depends on nothing but the file. */
const byContent = ["--cache", "--cache-strategy=content"];

/**
 * ESLint's verdict depends on the types of other files too: what it keeps of a file that has not
 * changed may be out of date, so a run that counts looks at all of them.
 */
const eslintKept = [...byContent, "--cache-location=node_modules/.cache/eslint/"];

/** Two rows at a time: ESLint takes about as long as the rest together. */
const rowsOf = ({ fresh }) => [
  [
    {
      name: "eslint",
      script: () => tool("eslint"),
      args: [".", "--max-warnings=0", ...(fresh ? [] : eslintKept)],
    },
  ],
  [
    { name: "prettier", script: () => tool("prettier"), args: ["--check", ...byContent, "."] },
    { name: "knip", script: () => tool("knip"), args: ["--no-progress"] },
    { name: "publint", script: () => tool("publint"), args: ["--strict"] },
    { name: "import circles", script: () => "scripts/cycles.mjs", args: [] },
    { name: "test lanes", script: () => "scripts/lanes.mjs", args: [] },
    { name: "mutation texts", script: () => "scripts/mutation-texts.mjs", args: [] },
  ],
];

/**
 * Runs every check, prints what the failing ones say, and resolves with the counts. `fresh`: relies
 * on nothing that was found before.
 */
export async function runChecks({ fresh }) {
  const counts = { passed: 0, failed: 0 };
  const runRow = async (row) => {
    for (const check of row) counts[(await runCheck(check)) ? "passed" : "failed"] += 1;
  };
  await Promise.all(rowsOf({ fresh }).map(runRow));
  return counts;
}

async function runCheck({ name, script, args }) {
  const startedAt = performance.now();
  let output = "";
  const onOutput = (text) => (output += text);
  const ok = (await run(process.execPath, [script(), ...args], { onOutput })) === 0;
  report(ok, name, startedAt);
  if (!ok) console.log(output.trimEnd());
  return ok;
}

/** One line for a finished step. */
export function report(ok, name, startedAt) {
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  console.log(`${ok ? "✔" : "✘"} ${name} (${seconds} s)`);
}
