// docs/operations.md's table of refused transactions, from the list.

import { TRANSACTION_REFUSALS } from "../../src/chain/refusals.js";

export function renderRefusals(): string {
  const rows = Object.entries(TRANSACTION_REFUSALS).map(([name, text]) => `| \`${name}\` | ${text} |`);
  return ["| rule | what it says |", "| --- | --- |", ...rows, ""].join("\n");
}
