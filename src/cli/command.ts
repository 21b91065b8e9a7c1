// One command from its arguments to its exit code.

import { exitCodeOf } from "./exit.js";
import { createProgram } from "./program.js";
import { guardStreams } from "./standard-streams.js";

export async function runCommand(): Promise<void> {
  guardStreams();
  try {
    await createProgram().parseAsync();
  } catch (error) {
    process.exitCode = exitCodeOf(error);
  }
}
