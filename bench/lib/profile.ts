// What a CPU profile says, by self time: the functions that a thread spent its time in. Printed by
// `npm run bench -- NAME --profile`.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

interface CpuProfile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: CallFrame }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

export interface SelfTimes {
  readonly busyMs: number;
  readonly idleMs: number;
  /** By falling self time; `part` is of the busy time. */
  readonly functions: readonly {
    readonly name: string;
    readonly ms: number;
    readonly part: number;
  }[];
}

const SHOWN = 22;

export function selfTimes({ nodes, samples, timeDeltas }: CpuProfile): SelfTimes {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const totals = new Map<string, number>();
  let busyMs = 0;
  let idleMs = 0;
  for (const [index, id] of samples.entries()) {
    const ms = Math.max(0, timeDeltas[index] ?? 0) / 1_000;
    const name = names.get(id) ?? "(unknown)";
    if (name === "(idle)") {
      idleMs += ms;
      continue;
    }
    busyMs += ms;
    totals.set(name, (totals.get(name) ?? 0) + ms);
  }
  const functions = [...totals]
    .sort(([, a], [, b]) => b - a)
    .map(([name, ms]) => ({ name, ms, part: ms / busyMs }));
  return { busyMs, idleMs, functions };
}

/** Prints the top of every profile below the directory, one folder a process. */
export function printProfiles(directory: string): void {
  for (const process of readdirSync(directory).sort()) {
    for (const file of readdirSync(join(directory, process)).sort()) {
      const path = join(directory, process, file);
      const { busyMs, idleMs, functions } = selfTimes(
        JSON.parse(readFileSync(path, "utf8")) as CpuProfile,
      );
      const thread = /\.(\d+)\.\d+\.cpuprofile$/.exec(file)?.[1] ?? "?";
      const seconds = (ms: number): string => (ms / 1_000).toFixed(2);
      console.log(
        `\n${process}, thread ${thread}: busy ${seconds(busyMs)} s, idle ${seconds(idleMs)} s`,
      );
      for (const { name, ms, part } of functions.slice(0, SHOWN)) {
        console.log(
          `${(100 * part).toFixed(1).padStart(6)}% ${ms.toFixed(0).padStart(7)} ms  ${name}`,
        );
      }
    }
  }
  console.log(`\nThe profiles are in ${directory}.`);
}

function nameOf({ functionName, url, lineNumber }: CallFrame): string {
  const name = functionName || "(anonymous)";
  if (url === "") return name;
  const place = url.replace(/^file:\/\/.*?\/(node_modules|dist)\//, "");
  return `${name}  ${place}:${lineNumber + 1}`;
}
