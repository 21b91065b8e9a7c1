// A serving node that is held to 2 MiB/s, four nodes that sync from it, and one that follows its
// blocks: what each of the four gets, and how long a block takes to the follower, beside the same node
// without a limit. Simulated, where one seed is one run and a link takes 40 ms, which is what the guard
// watches; and over TCP and TLS on loopback, all in one process, where a relay is the machine's.

import { NODE_FLAGS, startChild } from "./lib/child.js";
import { Report, type BenchOptions } from "./lib/report.js";
import type { ThrottleFigures, ThrottleMethods, ThrottleTask } from "./lib/throttle-roles.js";

const ROLES = new URL("./lib/throttle-roles.js", import.meta.url);
const BYTES_PER_SECOND = 2 * 1_024 * 1_024;

export async function run(options: BenchOptions): Promise<void> {
  const { smoke, rounds } = options;
  const report = new Report("throttle", options);
  const size = smoke ? { blocks: 40, seconds: 8 } : { blocks: 160, seconds: 30 };
  const wires = smoke ? (["simulated"] as const) : (["simulated", "loopback"] as const);
  for (let round = 0; round < rounds; round++) {
    for (const wire of wires) {
      const task = { ...size, wire, seed: `throttle ${round}` };
      sample(await measure({ ...task, uploadBytesPerSec: 0 }), "unlimited", wire, report);
      sample(await measure({ ...task, uploadBytesPerSec: BYTES_PER_SECOND }), "held", wire, report);
    }
  }
  for (const wire of wires) {
    report.ratio("unlimited", "held", `${wire}/relay-mean`);
    report.ratio("held", "held", `${wire}/served-least`, `${wire}/served-most`);
  }
  report.print();
}

async function measure(task: ThrottleTask): Promise<ThrottleFigures> {
  const child = await startChild<ThrottleMethods>(ROLES, "network", NODE_FLAGS);
  try {
    return await child.measure(task);
  } finally {
    await child.release();
  }
}

function sample(
  { relayMs, servedBytes, seconds }: ThrottleFigures,
  subject: string,
  wire: ThrottleTask["wire"],
  report: Report,
): void {
  const add = (metric: string, unit: string, value: number): void =>
    report.sample(subject, `${wire}/${metric}`, unit, value);
  const mean = relayMs.reduce((sum, ms) => sum + ms, 0) / relayMs.length;
  add("relay-mean", "ms", mean);
  add("relay-max", "ms", Math.max(...relayMs));
  const rates = servedBytes.map((bytes) => bytes / seconds / 1_024);
  add("served-least", "KiB/s", Math.min(...rates));
  add("served-most", "KiB/s", Math.max(...rates));
}
