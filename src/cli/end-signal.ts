// The signals that ask `run` to end: an operator's (SIGINT), a supervisor's (SIGTERM) and that of
// a terminal that went away (SIGHUP). The first one is a wish, a later one an order.

import type { EventEmitter } from "node:events";

export interface EndSignalOptions {
  /** The process, or what stands for it. */
  readonly source: Pick<EventEmitter, "on">;
  readonly nowMs: () => number;
  /**
   * True below npm: the terminal sends Ctrl-C to npm and to this process, and npm passes its own
   * on. That echo must not count as a second Ctrl-C.
   */
  readonly underNpm: boolean;
  /** The order. */
  readonly onSecond: (signal: NodeJS.Signals) => void;
}

/**
 * One wish may come as several signals: GNU `timeout` signals its child and then its group, a
 * supervisor each process of a container. Nobody presses a key twice within this time.
 */
const TOGETHER_MS = 100;
/** npm's echo comes within milliseconds; a busy machine may take longer, a second press does too. */
const ECHO_MS = 500;

/** Resolves with the first signal. */
export function endSignal(options: EndSignalOptions): Promise<NodeJS.Signals> {
  const { source, nowMs, onSecond } = options;
  return new Promise((resolve) => {
    let first: { readonly signal: NodeJS.Signals; readonly atMs: number } | undefined;
    let echoDue = options.underNpm;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (first === undefined) {
        first = { signal, atMs: nowMs() };
        resolve(signal);
        return;
      }
      const sinceMs = nowMs() - first.atMs;
      const isEcho = echoDue && signal === first.signal && sinceMs < ECHO_MS;
      echoDue = false;
      if (!isEcho && sinceMs >= TOGETHER_MS) onSecond(signal);
    };
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) source.on(signal, onSignal);
  });
}
