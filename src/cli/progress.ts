// One bar for a command that counts blocks; nothing where there is no terminal to show it on.

import { SingleBar } from "cli-progress";

export interface Progress {
  at(block: number): void;
  end(): void;
}

/** On standard error, so that standard output holds the result alone. */
export function openProgress(what: string, blocks: number): Progress {
  const stream = process.stderr;
  if (!stream.isTTY) return { at: () => undefined, end: () => undefined };
  const format = `${what} [{bar}] {value}/{total} blocks, {eta_formatted} left`;
  // `linewrap`: else a command that is interrupted leaves a terminal that wraps no lines.
  const bar = new SingleBar({ format, stream, barsize: 24, clearOnComplete: true, linewrap: true });
  bar.start(blocks, 0);
  return { at: (block) => bar.update(block), end: () => bar.stop() };
}
