// Where `run` writes: JSON lines for machines, or, on a terminal, text for people with a progress
// bar of the sync at the bottom. Owns standard output.

import { pino } from "pino";
import { createLog } from "../log.js";
import type { Network } from "../network.js";
import type { Log, LogLevel } from "../ports.js";
import { systemClock } from "../runtime/clock.js";

export interface Output {
  readonly log: Log;
  /** Shows the sync of this network, where there is a terminal. */
  watch(network: Network): void;
  /** Writes out what is still held. */
  end(): Promise<void>;
}

/** What a reader that stopped reading may hold back; what comes on top is dropped. */
const HELD_BYTES_MAX = 4 * 1024 * 1024;
const FLUSH_WAIT_MS = 1_000;

export async function openOutput(level: LogLevel | "silent"): Promise<Output> {
  if (process.stdout.isTTY) {
    const { openTerminal } = await import("./terminal.js");
    const terminal = openTerminal(process.stdout);
    const log = createLog({ level, destination: terminal, clock: systemClock });
    return {
      log,
      watch: (network) => terminal.watch(network),
      end: async () => terminal.end(),
    };
  }
  // Asynchronous: a slow reader of the log must not hold up the event loop.
  const lines = pino.destination({ fd: 1, sync: false, maxLength: HELD_BYTES_MAX });
  const log = createLog({ level, destination: lines, clock: systemClock });
  return { log, watch: () => undefined, end: () => flushed(lines) };
}

function flushed(lines: ReturnType<typeof pino.destination>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, FLUSH_WAIT_MS);
    lines.flush(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
