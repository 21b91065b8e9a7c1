// The end of a process that may have threads in the kernel. Node waits for its threads when it
// exits, and one that waits for a disk or for a reader does not come back: then only the kernel can
// end the process.

import { closeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { isatty } from "node:tty";
import type { Output } from "./output.js";

export interface LeaveOptions {
  readonly code: number;
  readonly output: Output;
  /** For how long the disk has owed an answer. */
  readonly diskWaitMs: () => number;
  /** The exit code where a thread does not come back: as of a process that does not catch it. */
  readonly signal: NodeJS.Signals;
}

/** Asked at the start: one that has vanished is none any more. */
const TERMINALS = [0, 1, 2].filter(isatty);
/** What a disk is given to answer in. */
const PATIENCE_MS = 500;

/** Writes the log out, as far as it can be within a second, and ends the process. */
export async function leave({ code, output, diskWaitMs, signal }: LeaveOptions): Promise<never> {
  if (diskWaitMs() > 0) await delay(PATIENCE_MS);
  await output.end();
  if (output.isInKernel() || diskWaitMs() >= PATIENCE_MS) {
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  }
  // When it exits Node resets the terminals, and aborts when one has vanished; closed ones it leaves.
  for (const fd of TERMINALS) closeSync(fd);
  process.exit(code);
}
