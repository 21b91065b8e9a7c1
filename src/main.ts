#!/usr/bin/env -S node --v8-pool-size=1 --max-semi-space-size=4 --initial-old-space-size=32
// The process of a node operator: arguments in, exit code out.
//
//   main ── program (commander) ─┬─ run ──────────── config, log, node, HTTP, progress, signals
//                                ├─ chain generate ─ a chain of real blocks in a new store
//                                ├─ chain verify ─── every block of a store, from genesis
//                                └─ keygen ───────── the identity of a node
//
// The flags of V8: its four helper threads compete with the event loop and the worker pool for the
// cores, one does not; a small new space returns what a burst of hostile bytes took.
//
// Exit codes: 0 done, 1 a fault, 2 something the operator can mend, named in one sentence.

import { createProgram } from "./cli/program.js";
import { exitCodeOf } from "./cli/exit.js";

try {
  await createProgram().parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}
