// The process of a node operator: arguments in, exit code out.
//
//   main ── program (commander) ─┬─ run ──────────── config, log, node, HTTP, progress, signals
//                                ├─ chain generate ─ a chain of real blocks in a new store
//                                ├─ chain verify ─── every block of a store, from genesis
//                                └─ keygen ───────── the identity of a node
//
// bin/vibecoin-node starts it with the flags of V8.
//
// Exit codes: 0 done, 1 a fault, 2 something the operator can mend, named in one sentence.

import { createProgram } from "./cli/program.js";
import { exitCodeOf } from "./cli/exit.js";

try {
  await createProgram().parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}
