// What a connection costs the side that accepts it: processor time until it can be used (ours after
// the handshake, js-libp2p's with identify, bare TLS 1.3 with certificates of both sides), and
// memory while it is idle, from 100 connections to 1,000.

import { startChild, type Child } from "./lib/child.js";
import type { AcceptorMethods, DialerMethods } from "./lib/connection-load.js";
import { runRounds, type Contender } from "./lib/contenders.js";
import { startLibp2p } from "./lib/libp2p.js";
import { Report, type BenchOptions } from "./lib/report.js";

const ROLES = new URL("./lib/connection-roles.js", import.meta.url);
const CONCURRENT = 16;
/** What follows an accepted connection, such as identify, is its cost too. */
const TAIL_MS = 1_000;

interface Size {
  /** Made first, for code and caches. */
  readonly warmUp: number;
  /** Measured. */
  readonly accepted: number;
  /** Open at the end. */
  readonly total: number;
}

interface Ends {
  readonly acceptor: Promise<Child<AcceptorMethods>>;
  readonly dialer: Promise<Child<DialerMethods>>;
}

export async function run(options: BenchOptions): Promise<void> {
  const report = new Report("connections", options);
  const size = options.smoke
    ? { warmUp: 10, accepted: 20, total: 40 }
    : { warmUp: 100, accepted: 500, total: 1_000 };
  const contender = (subject: string, start: () => Ends): Contender => ({
    name: subject,
    run: () => measure(subject, start(), size, report),
  });
  const ours = (acceptor: string, dialer: string) => (): Ends => ({
    acceptor: startChild(ROLES, acceptor),
    dialer: startChild(ROLES, dialer),
  });
  const theirs = (): Ends => ({
    acceptor: startLibp2p("connections", "acceptor"),
    dialer: startLibp2p("connections", "dialer"),
  });
  await runRounds(options, [
    contender("vibecoin", ours("acceptor", "dialer")),
    contender("limit", ours("bareAcceptor", "bareDialer")),
    ...(options.libp2p ? [contender("libp2p", theirs)] : []),
  ]);
  for (const base of ["limit", "libp2p"]) {
    report.ratio("vibecoin", base, "accepts-per-cpu-second");
    report.ratio("vibecoin", base, "rss-anon-per-connection");
  }
  report.print();
}

async function measure(subject: string, ends: Ends, size: Size, report: Report): Promise<void> {
  const [acceptor, dialer] = await Promise.all([ends.acceptor, ends.dialer]);
  const { warmUp, accepted, total } = size;
  try {
    const address = await acceptor.listen({ connectionsMax: total });
    await dialer.prepare({ count: total });
    let from = 0;
    const connect = async (count: number): Promise<number> => {
      await acceptor.begin(undefined);
      const startMs = performance.now();
      await dialer.dial({ address, from, count, concurrent: CONCURRENT });
      from += count;
      await acceptor.accepted({ count });
      return (performance.now() - startMs) / 1_000;
    };
    await connect(warmUp);
    await sleep(TAIL_MS);
    await acceptor.finish(undefined);
    const before = await acceptor.memory(undefined);
    const seconds = await connect(accepted);
    await sleep(TAIL_MS);
    const figures = await acceptor.finish(undefined);
    await connect(total - warmUp - accepted);
    await sleep(TAIL_MS);
    await acceptor.finish(undefined);
    const after = await acceptor.memory(undefined);

    const add = (metric: string, unit: string, value: number): void =>
      report.sample(subject, metric, unit, value);
    add("accepts-per-cpu-second", "1/s", accepted / figures.cpuSeconds);
    add("rate", "1/s", accepted / seconds);
    const perConnection = (mib: "rssMiB" | "rssAnonMiB" | "heapMiB"): number =>
      ((after[mib] - before[mib]) * 1_024) / (total - warmUp);
    add("rss-per-connection", "KiB", perConnection("rssMiB"));
    add("rss-anon-per-connection", "KiB", perConnection("rssAnonMiB"));
    add("heap-per-connection", "KiB", perConnection("heapMiB"));
    report.process(subject, "acceptor", figures);
  } finally {
    await Promise.all([acceptor.release(), dialer.release()]);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
