// Standard output as a node uses it: takes whole lines, never blocks and never throws. A reader that
// stopped reading and a disk that is full cost lines, which are counted, and the count is written
// as soon as it can be. Used by the output of `run`.

import { constants, fstatSync, openSync, write } from "node:fs";

export interface LineSink {
  /** A whole line with its line feed; or a piece of none, which is not counted when it is lost. */
  write(text: string): void;
  /** Resolves when nothing is held any more, or after `waitMs`. */
  flush(waitMs: number): Promise<void>;
  /** True while a thread of this process is in the kernel to write: such a process cannot exit. */
  isInKernel(): boolean;
}

/** Writes some of the bytes; `done` is told how many, or what is wrong. */
type Write = (
  bytes: Buffer,
  done: (error: Error | null | undefined, count: number) => void,
) => void;

/** Where lines go. */
export interface Out {
  readonly write: Write;
  /** Writes are carried out by a thread, which waits in the kernel. */
  readonly inThread: boolean;
}

export interface LineSinkOptions {
  readonly out: Out;
  /** The line that says how many lines were lost. */
  readonly note: (lost: number) => string;
  /** What a reader that stopped reading may hold back; what comes on top is lost. */
  readonly heldBytesMax: number;
}

/** Some hundred lines go in one write. */
const CHUNK_CHARS_MAX = 64 * 1024;
/** A terminal that was stopped (Ctrl-S) is tried again after this long: nobody waits for it. */
const AGAIN_MS = 50;

interface Entry {
  readonly text: string;
  /** The lines that are lost with it: those that a note counts, or itself. */
  readonly lines: number;
}

export function openLineSink({ out, note, heldBytesMax }: LineSinkOptions): LineSink {
  const waiting: Entry[] = [];
  let heldChars = 0;
  let lost = 0;
  /** The last write ended within a line. */
  let torn = false;
  let writing = false;
  const onIdle: (() => void)[] = [];

  const hold = (entry: Entry): void => {
    waiting.push(entry);
    heldChars += entry.text.length;
  };
  const sayLost = (): void => {
    if (lost === 0) return;
    hold({ text: note(lost), lines: lost });
    lost = 0;
  };
  const next = (): void => {
    if (writing) return;
    if (waiting.length === 0) {
      for (const resolve of onIdle.splice(0)) resolve();
      return;
    }
    writing = true;
    let chars = 0;
    const until = waiting.findIndex(({ text }) => (chars += text.length) > CHUNK_CHARS_MAX);
    const entries = waiting.splice(0, until === -1 ? waiting.length : Math.max(1, until));
    const start = torn ? "\n" : "";
    send(Buffer.from(start + entries.map(({ text }) => text).join("")), 0, entries);
  };
  const send = (bytes: Buffer, from: number, entries: readonly Entry[]): void => {
    out.write(bytes.subarray(from), (error, count) => {
      if ((error as NodeJS.ErrnoException | null)?.code === "EAGAIN") {
        setTimeout(() => send(bytes, from, entries), AGAIN_MS);
        return;
      }
      if (!error && from + count < bytes.length) return send(bytes, from + count, entries);
      writing = false;
      heldChars -= entries.reduce((sum, { text }) => sum + text.length, 0);
      if (error) {
        lost += entries.reduce((sum, { lines }) => sum + lines, 0);
        // A part may have been written before.
        torn ||= from > 0;
      } else {
        torn = false;
        if (waiting.length === 0) sayLost();
      }
      next();
    });
  };

  return {
    write(text) {
      const lines = text.endsWith("\n") ? 1 : 0;
      if (heldChars + text.length > heldBytesMax) {
        lost += lines;
        return;
      }
      sayLost();
      hold({ text, lines });
      next();
    },
    flush(waitMs) {
      return new Promise((resolve) => {
        const timer = setTimeout(resolve, waitMs);
        onIdle.push(() => {
          clearTimeout(timer);
          resolve();
        });
        next();
      });
    },
    isInKernel: () => writing && out.inThread,
  };
}

const STDOUT = 1;

/** Standard output, whatever it is, without a wait for it on this thread. */
export function standardOut(): Out {
  const kind = fstatSync(STDOUT);
  if (kind.isFIFO() || kind.isSocket()) {
    // Node's stream waits for the reader in the event loop, and goes on after an error.
    const { stdout } = process;
    const write: Write = (bytes, done) =>
      void stdout.write(bytes, (error) => done(error, bytes.length));
    return { inThread: false, write };
  }
  const terminal = process.stdout.isTTY ? ownTerminal() : undefined;
  const fd = terminal ?? STDOUT;
  return { inThread: terminal === undefined, write: (bytes, done) => write(fd, bytes, done) };
}

/** A stopped terminal answers EAGAIN to an opening of our own; other users of it do not notice. */
function ownTerminal(): number | undefined {
  const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
  try {
    return openSync(`/dev/fd/${STDOUT}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch {
    return undefined;
  }
}
