// The process of a node operator: arguments in, exit code out.
//
//   main ── program (commander) ─┬─ run ──────────── config, log, node, HTTP, progress, signals
//                                ├─ chain generate ─ a chain of real blocks in a new store
//                                ├─ chain verify ─── every block of a store, from genesis
//                                ├─ keygen ───────── the identity of a node
//                                ├─ peers, ban, … ── about peers of a running node, over HTTP
//                                ├─ sim ──────────── simulated networks
//                                └─ drill ────────── attacks on the operator's own configuration
//
// bin/vibecoin-node starts it with the flags of V8.
//
// Exit codes: 0 done, 1 a fault, 2 something the operator can mend, named in one sentence.

import { fewDescriptors } from "./cli/limits.js";

const refusal = fewDescriptors();
if (refusal === undefined) {
  // Loading all of it takes more files than a mean limit allows.
  const { runCommand } = await import("./cli/command.js");
  await runCommand();
} else {
  process.stderr.write(`vibecoin-node: ${refusal}.\n`);
  process.exitCode = 2;
}
