// Where `run` writes: JSON lines for machines, or, on a terminal, text for people with a progress
// bar of the sync at the bottom. Owns standard output; nothing that happens there ends the node.

import { Writable } from "node:stream";
import { createLog } from "../log.js";
import type { Network } from "../network.js";
import type { Log, LogLevel } from "../ports.js";
import { systemClock } from "../runtime/clock.js";
import { openLineSink, standardOut, type LineSink } from "./line-sink.js";
import { ownStandardOutput } from "./standard-streams.js";
import type { TerminalStream } from "./terminal.js";

export interface Output {
  readonly log: Log;
  /** Shows the sync of this network, where there is a terminal. */
  watch(network: Network): void;
  /** Writes out what is still held, for at most a second. */
  end(): Promise<void>;
  /** True when a write to standard output waits in the kernel: the process could not exit. */
  isInKernel(): boolean;
}

/** Some 20,000 lines. */
const HELD_BYTES_MAX = 4 * 1024 * 1024;
const FLUSH_WAIT_MS = 1_000;

export async function openOutput(level: LogLevel | "silent"): Promise<Output> {
  ownStandardOutput();
  const note = process.stdout.isTTY ? lostInWords : lostAsJson;
  const sink = openLineSink({ out: standardOut(), note, heldBytesMax: HELD_BYTES_MAX });
  const common = {
    end: () => sink.flush(FLUSH_WAIT_MS),
    isInKernel: () => sink.isInKernel(),
  };
  if (process.stdout.isTTY) {
    const { openTerminal } = await import("./terminal.js");
    const terminal = openTerminal(new SinkTerminal(sink));
    return {
      ...common,
      log: createLog({ level, destination: terminal, clock: systemClock }),
      watch: (network) => terminal.watch(network),
      end() {
        terminal.end();
        return common.end();
      },
    };
  }
  const log = createLog({ level, destination: sink, clock: systemClock });
  return { ...common, log, watch: () => undefined };
}

function lostAsJson(lines: number): string {
  const time = new Date(systemClock.wallMs()).toISOString();
  return `${JSON.stringify({ level: 40, time, lines, msg: "log lines were lost" })}\n`;
}

function lostInWords(lines: number): string {
  return `(${lines} lines of the log were lost)\n`;
}

/** The terminal of standard output, written through the sink. */
class SinkTerminal extends Writable implements TerminalStream {
  readonly isTTY = true;

  constructor(sink: LineSink) {
    super({
      decodeStrings: false,
      write(text, _encoding, done) {
        sink.write(String(text));
        done();
      },
    });
  }

  get columns(): number {
    return process.stdout.columns;
  }

  hasColors(): boolean {
    return process.stdout.hasColors();
  }
}
