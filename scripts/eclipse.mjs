// `node scripts/eclipse.mjs [SEEDS]`: the world of the eclipse (src/sim/peers/eclipse.ts) with so many
// seeds, 20 unless said otherwise, and how many honest outbound peers were kept. Ends with the share of
// seeds in which any was, and with 1 when that is below 99 %.

import { prepare } from "./prepare-project.mjs";

await prepare();
const { Eclipse } = await import("../dist/src/sim/peers/eclipse.js");

const seeds = Number(process.argv[2] ?? 20);
/** Seeds by the honest outbound peers that were left. */
const before = new Map();
const after = new Map();
let kept = 0;
for (let seed = 0; seed < seeds; seed++) {
  const outcome = await new Eclipse({ seed: `eclipse/${seed}` }).run();
  count(before, outcome.before.honest);
  count(after, outcome.after.honest);
  if (outcome.after.honest > 0) kept++;
}
console.log("| honest outbound peers | seeds before the restart | after it |\n| --- | --- | --- |");
for (let honest = 0; honest <= Math.max(...before.keys(), ...after.keys()); honest++) {
  const row = [honest, before.get(honest) ?? 0, after.get(honest) ?? 0];
  console.log(`| ${row.join(" | ")} |`);
}
console.log(`${kept} of ${seeds} seeds kept an honest outbound peer`);
process.exitCode = kept >= 0.99 * seeds ? 0 : 1;

function count(table, honest) {
  table.set(honest, (table.get(honest) ?? 0) + 1);
}
