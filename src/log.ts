// The log on pino: JSON lines, or text for people on a terminal. A flood of one event is cut to a
// bounded rate, and what was left out is counted in the next line that passes.

import { pino, type DestinationStream } from "pino";
import { printableIn } from "./bytes/printable.js";
import { errorText, whenRejected } from "./errors.js";
import type { Clock, Log, LogLevel } from "./ports.js";

export interface LogOptions {
  readonly level: LogLevel | "silent";
  /** Default: standard output. */
  readonly destination?: DestinationStream;
  readonly clock: Pick<Clock, "monotonicMs">;
}

/** Lines of one event within a window. */
const LINES_MAX = 50;
const WINDOW_MS = 10_000;
/** Event names are literals of this program, so this is never reached; it bounds all the same. */
const EVENTS_MAX = 1_024;

interface Window {
  startMs: number;
  lines: number;
  suppressed: number;
}

export function createLog({ level, destination, clock }: LogOptions): Log {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  const logger = destination === undefined ? pino(options) : pino(options, destination);
  const windows = new Map<string, Window>();
  return {
    write(lineLevel, event, fields) {
      if (!logger.isLevelEnabled(lineLevel)) return;
      const nowMs = clock.monotonicMs();
      let window = windows.get(event);
      if (window === undefined || nowMs - window.startMs >= WINDOW_MS) {
        const suppressed = window?.suppressed ?? 0;
        window = { startMs: nowMs, lines: 0, suppressed };
        if (windows.size < EVENTS_MAX || windows.has(event)) windows.set(event, window);
      }
      if (window.lines >= LINES_MAX) {
        window.suppressed++;
        return;
      }
      window.lines++;
      const { suppressed } = window;
      window.suppressed = 0;
      const shown = printableIn({ ...fields });
      logger[lineLevel](suppressed === 0 ? shown : { ...shown, suppressed }, event);
    },
  };
}

/**
 * A caller's own log, which is shown to people too. A line that it throws at, or rejects, is lost, for
 * nobody here could mend it; the first time a process warning says so.
 */
export function callersLog(log: Log): Log {
  let told = false;
  const onFailed = (error: unknown): void => {
    if (told) return;
    told = true;
    process.emitWarning(`the log of the network failed: ${errorText(error)}`, "LogFailed");
  };
  return {
    write(level, event, fields) {
      try {
        whenRejected(log.write(level, event, fields && printableIn({ ...fields })), onFailed);
      } catch (error) {
        onFailed(error);
      }
    },
  };
}

/** Takes no line: for libraries that were given no log. */
export const silentLog: Log = { write: () => undefined };
