// What a CPU profile says, by self time: the functions that a thread spent its time in. Printed by
// `npm run bench -- NAME --profile`, and a part of docs/performance.md. Threads that are ended from
// outside, as the pool's are, leave none.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
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
  /** The first by falling self time; `part` is of the busy time. */
  readonly functions: readonly {
    readonly name: string;
    readonly ms: number;
    readonly part: number;
  }[];
}

const FUNCTIONS_MAX = 22;

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
    .slice(0, FUNCTIONS_MAX)
    .map(([name, ms]) => ({ name, ms, part: ms / busyMs }));
  return { busyMs, idleMs, functions };
}

/** What one thread of a process did. */
export interface ThreadProfile extends SelfTimes {
  readonly role: string;
  /** Numbers the processes in the order of their starts. */
  readonly process: number;
  readonly thread: number;
}

/** A thread's profile as a JSON line of a bench. */
export interface ProfileLine extends ThreadProfile {
  readonly bench: string;
}

/** Every profile below the directory, one folder a process, in the order of their starts. */
export function readProfiles(directory: string): ThreadProfile[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .sort()
    .flatMap((process) =>
      readdirSync(join(directory, process))
        .sort()
        .map((file) => {
          const profile = readFileSync(join(directory, process, file), "utf8");
          return {
            role: process.replace(/^\d+-/, ""),
            process: Number.parseInt(process, 10),
            thread: Number(/\.(\d+)\.\d+\.cpuprofile$/.exec(file)?.[1] ?? 0),
            ...selfTimes(JSON.parse(profile) as CpuProfile),
          };
        }),
    );
}

export function printProfiles(profiles: readonly ThreadProfile[]): void {
  for (const { role, thread, busyMs, idleMs, functions } of profiles) {
    const seconds = (ms: number): string => (ms / 1_000).toFixed(2);
    console.log(
      `\n${role}, thread ${thread}: busy ${seconds(busyMs)} s, idle ${seconds(idleMs)} s`,
    );
    for (const { name, ms, part } of functions) {
      console.log(
        `${(100 * part).toFixed(1).padStart(6)}% ${ms.toFixed(0).padStart(7)} ms  ${name}`,
      );
    }
  }
}

/** Profiles this thread until the answer is called. */
export async function profileHere(): Promise<() => Promise<ThreadProfile>> {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.start");
  return async () => {
    const { profile } = await session.post("Profiler.stop");
    session.disconnect();
    return { role: "bench", process: 0, thread: 0, ...selfTimes(profile as CpuProfile) };
  };
}

function nameOf({ functionName, url, lineNumber }: CallFrame): string {
  const name = functionName || "(anonymous)";
  if (url === "") return name;
  const place = url.replace(/^file:\/\/.*?\/(node_modules|dist)\//, "");
  return `${name}  ${place}:${lineNumber + 1}`;
}
