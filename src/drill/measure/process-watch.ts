// What Linux says of a process from outside: its own memory, and how long it had to wait for a
// processor that others had.

import { readFileSync } from "node:fs";

const MEMORY_INTERVAL_MS = 50;

/** RssAnon, sampled: what cannot be taken back. Null where the system does not say. */
export class MemoryWatch {
  startMiB: number | null = null;
  peakMiB: number | null = null;
  readonly #pid: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(pid: number) {
    this.#pid = pid;
  }

  begin(): void {
    this.startMiB = this.#now();
    this.peakMiB = this.startMiB;
    this.#timer = setInterval(() => {
      const now = this.#now();
      if (now !== null) this.peakMiB = Math.max(this.peakMiB ?? 0, now);
    }, MEMORY_INTERVAL_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #now(): number | null {
    const kib = /^RssAnon:\s+(\d+) kB$/m.exec(textOf(`/proc/${this.#pid}/status`))?.[1];
    return kib === undefined ? null : Number(kib) / 1_024;
  }
}

/** By which factor the event loop of a process took longer than on a machine of its own, from now on. */
export function slowdown(pid: number): () => number {
  const before = timesOf(pid);
  return () => {
    const now = timesOf(pid);
    const ranNs = now.ranNs - before.ranNs;
    const waitedNs = now.waitedNs - before.waitedNs;
    return ranNs > 0 ? 1 + waitedNs / ranNs : 1;
  };
}

/** Of its first thread: time on a processor, and time that it could have run and did not. */
function timesOf(pid: number): { ranNs: number; waitedNs: number } {
  const [ranNs = 0, waitedNs = 0] = textOf(`/proc/${pid}/task/${pid}/schedstat`)
    .split(" ")
    .map(Number);
  return { ranNs, waitedNs };
}

/** Empty where there is none, or no such process. */
function textOf(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}
