// What a process holds when its garbage is gone: for what an idle connection costs.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { memoryNow } from "./meter.js";

export interface SettledMemory {
  readonly rssMiB: number;
  readonly rssAnonMiB: number;
  readonly heapMiB: number;
}

const COLLECTIONS = 4;
const PAUSE_MS = 250;

export async function settledMemory(): Promise<SettledMemory> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let i = 0; i < COLLECTIONS; i++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return { ...memoryNow(), heapMiB: process.memoryUsage().heapUsed / 2 ** 20 };
}
