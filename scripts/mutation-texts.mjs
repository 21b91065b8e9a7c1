// A check: every text that a mutation, a planted bug or a threat replaces stands once in the built code. Those
// runs take long and are made now and then; code that moves away from a list is to be seen at once.

import { readFileSync } from "node:fs";
import path from "node:path";

import { placesOf } from "./mutate.mjs";
import { mutations } from "./mutations.mjs";
import { plantedBugs } from "./planted-bugs.mjs";
import { root } from "./prepare-project.mjs";
import { threats } from "./threats-table.mjs";

const several = [
  ...plantedBugs,
  ...threats.map(({ threat, ...change }) => ({
    name: `the defence against: ${threat}`,
    ...change,
  })),
];
const bugs = several.flatMap(({ also = [], ...bug }) => [
  bug,
  ...also.map((change) => ({ name: bug.name, ...change })),
]);
for (const { name, in: module, find } of [...mutations, ...bugs]) {
  const places = placesOf(readFileSync(path.join(root, "dist", "src", module), "utf8"), find);
  if (places === 1) continue;
  console.error(`${name}: its text stands ${places} times in ${module}.`);
  process.exitCode = 1;
}
