// How the two relay trees differ, as data. What was tried is in docs/decisions.md.

import type { TreePolicy } from "./relay-tree.js";

export const TREE_POLICIES = {
  block: {
    what: "block",
    inMin: 3,
    inFirst: Infinity,
    mutual: false,
    lateMs: 500,
    marginMs: 30,
    pauseMs: 500,
  },
  transaction: {
    what: "transaction",
    inMin: 1,
    inFirst: 3,
    mutual: true,
    lateMs: 500,
    marginMs: 30,
    pauseMs: 500,
  },
} as const satisfies Record<string, TreePolicy>;
