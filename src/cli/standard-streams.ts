// What happens when a command cannot say what it has to say. Errors of standard error are nobody's;
// a command whose result does not arrive has failed. `run` goes on without its reader.

import { EXIT_FAULT } from "./exit.js";

function onLostResult(error: NodeJS.ErrnoException): void {
  // Who closes a pipe has read enough.
  if (error.code !== "EPIPE") {
    process.stderr.write(`vibecoin-node: standard output cannot be written: ${error.message}\n`);
  }
  process.exit(EXIT_FAULT);
}

/** For every command, first. */
export function guardStreams(): void {
  process.stderr.on("error", () => undefined);
  process.stdout.on("error", onLostResult);
}

/** For a command that takes care of standard output itself. */
export function ownStandardOutput(): void {
  process.stdout.off("error", onLostResult);
  process.stdout.on("error", () => undefined);
}
