// Looks every second at what an open data directory does not tell by itself: a disk that does not
// answer, and files that somebody removed. Used by the composition root.

import { lstat } from "node:fs/promises";
import { basename } from "node:path";
import type { Clock, Timer } from "../ports.js";

/** The disk under an open environment. */
export interface Disk {
  /** The number of the group of writes that it has in hand, from 1; 0 when it has none. */
  inHand(): number;
  /** What must stay where it is for as long as the environment is open. */
  readonly files: readonly string[];
  /** Ends the stores: nothing is written any more. */
  fail(detail: string): void;
}

export interface DiskWatchOptions {
  readonly clock: Pick<Clock, "monotonicMs" | "setTimer">;
  /** The disk has owed an answer for this long. */
  readonly onSlow: (waitMs: number) => void;
  /** It answered after all. */
  readonly onAnswer: () => void;
}

export interface DiskWatch {
  /** For how long the disk has owed an answer to a write; 0 when it owes none. */
  waitMs(): number;
  stop(): void;
}

const LOOK_MS = 1_000;
/** A sync of the slowest disks takes a second or two; an operator hears of more within 5 s. */
export const DISK_SLOW_MS = 4_000;

export async function watchDisk(disk: Disk, options: DiskWatchOptions): Promise<DiskWatch> {
  const { clock, onSlow, onAnswer } = options;
  const opened = await Promise.all(disk.files.map(identityOf));
  let seen = 0;
  let sinceMs = 0;
  let isSlow = false;
  let timer: Timer | undefined;

  const waitMs = (): number => {
    const inHand = disk.inHand();
    const nowMs = clock.monotonicMs();
    if (inHand !== seen) sinceMs = nowMs;
    seen = inHand;
    return inHand === 0 ? 0 : nowMs - sinceMs;
  };
  const lookForFiles = async (): Promise<void> => {
    const now = await Promise.all(disk.files.map(identityOf));
    const gone = disk.files.find((_file, i) => now[i] !== opened[i] && now[i] !== UNKNOWN);
    if (gone === undefined || timer === undefined) return;
    disk.fail(`${basename(gone)} was removed or replaced while it was in use`);
  };
  const look = (): void => {
    const wait = waitMs();
    const nowSlow = wait >= DISK_SLOW_MS;
    if (nowSlow && !isSlow) onSlow(wait);
    if (!nowSlow && isSlow) onAnswer();
    isSlow = nowSlow;
    timer = clock.setTimer(LOOK_MS, look);
  };
  const lookOnce = (): void => {
    // One after the other: on a disk that hangs they would pile up.
    void lookForFiles().then(() => {
      if (timer !== undefined) fileTimer = clock.setTimer(LOOK_MS, lookOnce);
    });
  };
  let fileTimer: Timer | undefined;
  look();
  lookOnce();
  return {
    waitMs,
    stop() {
      timer?.cancel();
      timer = undefined;
      fileTimer?.cancel();
    },
  };
}

const UNKNOWN = "unknown";

/** Of a file that is gone: nothing. */
async function identityOf(file: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await lstat(file, { bigint: true });
    return `${dev}:${ino}`;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? undefined : UNKNOWN;
  }
}
