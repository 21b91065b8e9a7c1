// How the process ends: which error is the operator's to mend (exit 2, one sentence on stderr) and
// which is a fault of the program (exit 1, with what is known of it).

import { CommanderError } from "commander";
import { printable } from "../bytes/printable.js";
import { isCoded, type ErrorCode } from "../errors.js";

export const EXIT_OK = 0;
export const EXIT_FAULT = 1;
const EXIT_USAGE = 2;

const MENDABLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "ADDRESS_IN_USE",
  "ADDRESS_INVALID",
  "CONFIG_INVALID",
  "DATA_CORRUPT",
  "DATA_LOCKED",
  "DATA_UNREADABLE",
  "KEY_INVALID",
  "NODE_UNREACHABLE",
  "REFUSED",
  "RULES_UNLOADABLE",
]);

/** The exit code for an error that ended a command; says on stderr what it was. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) {
    // Commander has said it; help and version end here too.
    return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
  }
  if (isCoded(error)) {
    process.stderr.write(`vibecoin-node: ${printable(error.message)}\n`);
    return MENDABLE.has(error.code) ? EXIT_USAGE : EXIT_FAULT;
  }
  process.stderr.write(`vibecoin-node: unexpected fault: ${printable(describe(error))}\n`);
  return EXIT_FAULT;
}

export function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
