// What one process spent on a measured stretch: time, processor time, delay of its event loop,
// memory. Used by every role, ours and the peers', so that all pay the same for being measured.

import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { LoopMeter, type LoopDelay } from "../../src/drill/measure/loop-meter.js";

export interface Spent {
  readonly seconds: number;
  /** Processor time of this process, user and system, all threads. */
  readonly cpuSeconds: number;
  /** Processor time of everybody on the machine. */
  readonly machineSeconds: number;
}

export interface ProcessFigures extends Spent {
  readonly loop: LoopDelay;
  /** The most that was seen. */
  readonly rssMiB: number;
  readonly rssAnonMiB: number;
}

/** Reading takes up to 2 ms in a process of many threads: more often would show in what is measured. */
const MEMORY_INTERVAL_MS = 500;

/** Time and processor time from now on; each call answers what was spent so far. */
export function stopwatch(): () => Spent {
  const startMs = performance.now();
  const before = process.cpuUsage();
  const machineBefore = machineSeconds();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return {
      seconds: (performance.now() - startMs) / 1_000,
      cpuSeconds: (user + system) / 1e6,
      machineSeconds: machineSeconds() - machineBefore,
    };
  };
}

/** Measures this process from its construction to `stop`. */
export class ProcessMeter {
  readonly #spent = stopwatch();
  readonly #loop = new LoopMeter();
  #rssMiB = 0;
  #rssAnonMiB = 0;
  readonly #timer = setInterval(() => this.#sampleMemory(), MEMORY_INTERVAL_MS);

  stop(): ProcessFigures {
    const spent = this.#spent();
    clearInterval(this.#timer);
    const loop = this.#loop.stop();
    this.#sampleMemory();
    return { ...spent, loop, rssMiB: this.#rssMiB, rssAnonMiB: this.#rssAnonMiB };
  }

  #sampleMemory(): void {
    const { rssMiB, rssAnonMiB } = memoryNow();
    this.#rssMiB = Math.max(this.#rssMiB, rssMiB);
    this.#rssAnonMiB = Math.max(this.#rssAnonMiB, rssAnonMiB);
  }
}

/** The mapped pages of LMDB are the kernel's to take back; anonymous ones (Linux only) are not. */
export function memoryNow(): { rssMiB: number; rssAnonMiB: number } {
  if (process.platform !== "linux") {
    return { rssMiB: process.memoryUsage.rss() / 2 ** 20, rssAnonMiB: NaN };
  }
  const status = readFileSync("/proc/self/status", "utf8");
  const mib = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1] ?? NaN) / 1_024;
  return { rssMiB: mib("VmRSS"), rssAnonMiB: mib("RssAnon") };
}

function machineSeconds(): number {
  const busyMs = cpus().map(({ times }) => times.user + times.nice + times.sys + times.irq);
  return busyMs.reduce((sum, ms) => sum + ms, 0) / 1_000;
}
