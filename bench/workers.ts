// What threads are worth: transactions checked per second on the loop and by one, two and four pool
// threads, with and without their lowered priority, and how late the loop runs meanwhile; then the
// pings of a network whose host is never idle, in the host's loop and in a thread of its own.

import { startChild } from "./lib/child.js";
import { runRounds, type Contender } from "./lib/contenders.js";
import { Report, type BenchOptions } from "./lib/report.js";
import type { CheckerMethods, HostMethods, PingingMethods, Pool } from "./lib/workers-roles.js";
import { DEFAULTS } from "../src/config.js";

const ROLES = new URL("./lib/workers-roles.js", import.meta.url);
const { nice } = DEFAULTS.pool;

/** By the name of the load. */
const POOLS: Readonly<Record<string, Pool>> = {
  inline: { threads: 0, nice: 0 },
  "threads-1": { threads: 1, nice },
  "threads-2": { threads: 2, nice },
  "threads-2-not-nice": { threads: 2, nice: 0 },
  "threads-4": { threads: 4, nice },
  "threads-4-not-nice": { threads: 4, nice: 0 },
};
const HOSTS = { "host-in-loop": "hostInLoop", "host-in-thread": "hostInThread" } as const;

export async function run(options: BenchOptions): Promise<void> {
  const report = new Report("workers", options);
  await runRounds(options, [
    ...Object.entries(POOLS).map(([load, pool]) => checking("vibecoin", "checker", load, pool)),
    checking("limit", "limit", "inline", POOLS.inline!),
    ...Object.entries(HOSTS).map(([load, role]) => hosting(load, role)),
  ]);
  report.ratio("vibecoin", "limit", "inline/rate");
  for (const load of Object.keys(POOLS).slice(1)) {
    report.ratio("vibecoin", "vibecoin", `${load}/rate`, "inline/rate");
  }
  report.ratio("vibecoin", "vibecoin", "host-in-thread/ping-p50", "host-in-loop/ping-p50");
  report.print();

  function checking(subject: string, role: string, load: string, pool: Pool): Contender {
    return {
      name: `${subject} ${load}`,
      async run() {
        const child = await startChild<CheckerMethods>(ROLES, role);
        try {
          const figures = await child.check({ ...pool, seconds: options.smoke ? 0.3 : 3 });
          report.sample(subject, `${load}/rate`, "1/s", figures.checked / figures.seconds);
          report.process(subject, `${load}/process`, figures);
        } finally {
          await child.release();
        }
      },
    };
  }

  function hosting(load: string, role: string): Contender {
    return {
      name: `vibecoin ${load}`,
      async run() {
        const host = await startChild<HostMethods>(ROLES, role);
        const peer = await startChild<PingingMethods>(ROLES, "pinging");
        try {
          const seconds = options.smoke ? 0.5 : 3;
          const pings = await peer.ping({ ...(await host.listen(undefined)), seconds });
          report.sample("vibecoin", `${load}/ping-p50`, "ms", pings.p50Ms);
          report.sample("vibecoin", `${load}/ping-p99`, "ms", pings.p99Ms);
          report.sample("vibecoin", `${load}/ping-max`, "ms", pings.maxMs);
        } finally {
          await Promise.all([host.release(), peer.release()]);
        }
      },
    };
  }
}
